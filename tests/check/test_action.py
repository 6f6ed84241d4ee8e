"""`action.yml`: its steps run in a shell as a runner runs them, on a pull request of a repository made here.

The step that installs the package is replaced by the present environment; `uses` steps are the runner's own.
"""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.folders import Folder
from tests.support.repository import ENTRY, commit, git, write_repository

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
WORKFLOW = yaml.safe_load((ROOT / "templates" / "workflows" / "golf-check.yml").read_text())
LEADERBOARD = "| Run | Score | Author | Date |\n|---|---|---|---|\n| Baseline | 1.2244 | ann | 2026-03-18 |\n"
LOG = f"{ENTRY}/train_seed42.log"


@dataclass
class Job:
    """What the steps left: exit code of the last one, what they printed, and their outputs."""

    code: int
    printed: str
    outputs: dict[str, str]


def substitute(text: str, values: dict[str, str]) -> str:
    """`${{ name }}` as a runner fills it in; an unknown name is an error of the action."""
    return re.sub(r"\$\{\{ *([\w.]+) *\}\}", lambda match: values[match[1]], text)


def run_action(repo: Path, tmp_path: Path, **inputs: str) -> Job:
    """All `run` steps of the action in the repository, with the pull request of branch `entry` to `main`."""
    event = {
        "github.event.pull_request.base.sha": git(repo, "rev-parse", "main"),
        "github.event.pull_request.head.sha": git(repo, "rev-parse", "entry"),
        "github.action_path": str(ROOT),
    }
    defaults = {name: substitute(str(field["default"]), event) for name, field in ACTION["inputs"].items()}
    assert inputs.keys() <= defaults.keys()
    values = event | {f"inputs.{name}": value for name, value in (defaults | inputs).items()}
    tools, output = tmp_path / "tools", tmp_path / "output"
    tools.mkdir(exist_ok=True)
    (tools / "golf").write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from toolkit.cli.main import golf; golf()" "$@"\n'
    )
    (tools / "golf").chmod(0o755)
    output.write_text("")
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    job = Job(0, "", {})
    for step in ACTION["runs"]["steps"]:
        if "run" not in step or step["name"] == "Install":
            continue
        assert step["shell"] == "bash"
        given = {name: substitute(text, values) for name, text in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", substitute(step["run"], values)],
            cwd=repo,
            env=environment | given | {"GITHUB_OUTPUT": str(output)},
            capture_output=True,
            text=True,
        )
        job = Job(done.returncode, job.printed + done.stdout + done.stderr, {})
        if done.returncode:
            break
    job.outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return job


@pytest.fixture
def repo(record: Folder) -> Path:
    """A clone with the base checked out, as the example workflow leaves it; branch `entry` adds one record."""
    top = write_repository(record, f"## Leaderboard\n\n{LEADERBOARD}")
    git(top, "checkout", "-q", "main")
    return top


def spoil(repo: Path) -> None:
    """A total over the cap, in a second commit of the pull request."""
    git(repo, "checkout", "-q", "entry")
    log = repo / LOG
    log.write_text(
        re.sub(
            r"(?m)^Total submission size int6\+brotli: \d+",
            "Total submission size int6+brotli: 16000001",
            log.read_text(),
        )
    )
    commit(repo, "more")
    git(repo, "checkout", "-q", "main")


def test_a_pull_request_in_order(repo: Path, tmp_path: Path) -> None:
    job = run_action(repo, tmp_path)
    assert (job.code, job.outputs) == (0, {"verdict": "PASS"}), job.printed
    assert job.printed.splitlines() == ["::notice title=golf check::PASS"]
    assert json.loads((repo / "golf-check.sarif").read_text())["runs"][0]["results"] == []


def test_a_violation_is_an_annotation_a_result_and_an_exit_code(repo: Path, tmp_path: Path) -> None:
    spoil(repo)
    job = run_action(repo, tmp_path, sarif="out.sarif")
    assert (job.code, job.outputs) == (1, {"verdict": "FAIL"}), job.printed
    line = 1 + (
        git(repo, "show", f"entry:{LOG}").splitlines().index("Total submission size int6+brotli: 16000001 bytes")
    )
    assert f"::error file={LOG},line={line},title=SIZE-CAP FAIL::" in job.printed
    run = json.loads((repo / "out.sarif").read_text())["runs"][0]
    (result,) = [result for result in run["results"] if result["ruleId"] == "SIZE-CAP"]
    location = result["locations"][0]["physicalLocation"]
    assert (result["level"], location["artifactLocation"]["uri"], location["region"]["startLine"]) == (
        "error",
        LOG,
        line,
    )


def test_inputs_are_no_commands(repo: Path, tmp_path: Path) -> None:
    job = run_action(repo, tmp_path, path="$(touch witness); touch witness")
    assert job.code == 1
    assert "found no '$(touch witness); touch witness'" in job.printed
    assert not (repo / "witness").exists()


def test_the_example_workflow_uses_what_the_action_has() -> None:
    steps = WORKFLOW["jobs"]["check"]["steps"]
    (ours,) = [step for step in steps if step.get("id") == "golf"]
    assert set(ours.get("with", {})) <= set(ACTION["inputs"])
    named = re.findall(r"steps\.golf\.outputs\.(\w+)", json.dumps(steps))
    assert named
    assert set(named) <= set(ACTION["outputs"])
    checkout = next(step for step in steps if step.get("uses", "").startswith("actions/checkout"))
    assert "base" in checkout["with"]["ref"]  # nothing of the pull request is checked out
