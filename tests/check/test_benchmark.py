"""The benchmark: figures of a small manifest, a sweep, and the acceptance figures where the labelled set is present."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench.check import judge_manifest, main, summarize
from tests.support.folders import Folder
from toolkit.check.subject.git import Repository

ENTRY = "records/track_10min_16mb/2026-05-02_Demo"
MANIFEST = Path(__file__).resolve().parents[3] / "shared" / "compliance_dev.jsonl"
CLONE = os.environ.get("PARAMETER_GOLF_REPO", "")


def git(repo: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.hooksPath=/dev/null"]
    done = subprocess.run(["git", "-C", str(repo), *identity, *arguments], check=True, capture_output=True)
    return done.stdout.decode().strip()


@pytest.fixture
def repo(leaderboard: Folder) -> Path:
    """A repository with one pull request, which adds an entry that downloads something at the start."""
    top: Path = leaderboard.path.parents[2]
    aside = top / "aside"
    (top / "records").rename(aside)
    git(top, "init", "-q", "-b", "main")
    (top / "README.md").write_text("The competition\n")
    git(top, "add", "README.md")
    git(top, "commit", "-q", "-m", "start")
    aside.rename(top / "records")
    (top / ENTRY / "train_gpt.py").write_text("import os\nos.system('pip install zstandard')\n")
    git(top, "add", ENTRY)
    git(top, "commit", "-q", "-m", "entry")
    git(top, "update-ref", "refs/pull/7/head", "HEAD")
    git(top, "update-ref", "refs/pull/8/head", "HEAD^")
    git(top, "reset", "-q", "--soft", "HEAD^")
    return top


def manifest(folder: Path, commit: str, **changes: Any) -> Path:
    entry = {"id": "a", "commit": commit, "path": f"{ENTRY}/train_gpt.py", "label": "illegal", "violations": []}
    path = folder / "manifest.jsonl"
    path.write_text(json.dumps(entry | changes) + "\n")
    return path


def run(*arguments: object) -> Any:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_recall_names_the_right_rule(repo: Path, tmp_path: Path) -> None:
    right = manifest(tmp_path, "refs/pull/7/head", violations=["NO-NETWORK", "SLOT"])
    figures = json.loads(run("--repo", repo, "--manifest", right, "--json").output)
    assert (figures["illegal"], figures["flagged"], figures["failed"]) == (1, 1, 0)
    assert figures["rules"]["illegal"]["NO-NETWORK"] == {"FAIL": 0, "UNKNOWN": 0, "WARN": 1, "PASS": 0}
    wrong = manifest(tmp_path, "refs/pull/7/head", violations=["SLOT"])
    assert json.loads(run("--repo", repo, "--manifest", wrong, "--json").output)["missed"] == ["a"]


def test_a_wrong_fail_is_shown_with_its_finding(repo: Path, tmp_path: Path) -> None:
    output = run("--repo", repo, "--manifest", manifest(tmp_path, "refs/pull/7/head", label="legal")).output
    assert "legal entries with a FAIL: 1" in output
    assert "CODE-LOG-MISMATCH" in output.partition("legal entries with a FAIL")[2]  # the script was replaced


def test_a_sweep_counts_verdicts_and_heads_without_a_submission(repo: Path) -> None:
    figures = json.loads(run("--sweep", repo, "--json").output)
    assert figures["verdicts"] == {"FAIL": 1, "no submission": 1}
    assert figures["crashes"] == {}
    assert set(figures["slowest"]) == {"#7", "#8"}
    assert run("--sweep", repo).output.startswith("verdicts: FAIL 1, no submission 1\n")


def test_wrong_usage(repo: Path, tmp_path: Path) -> None:
    assert run().exit_code == 2
    assert run("--repo", repo).exit_code == 2
    broken = tmp_path / "broken.jsonl"
    broken.write_text("{}\n")
    assert "expected id, commit, path" in str(run("--repo", repo, "--manifest", broken).exception)


@pytest.mark.skipif(not MANIFEST.is_file(), reason="needs ../shared/compliance_dev.jsonl")
@pytest.mark.skipif(
    not Path(CLONE or ".missing").is_dir(), reason="PARAMETER_GOLF_REPO names no clone of the challenge"
)
def test_labelled_submissions() -> None:
    figures = summarize(list(judge_manifest(Repository(Path(CLONE)), MANIFEST)))
    assert figures["flagged"] >= 0.9 * figures["illegal"], figures["missed"]
    assert figures["failed"] >= 0.75 * figures["illegal"], figures["only_warned"]
    assert [name for label in figures["wrong_fails"].values() for name, lines in label.items() if lines] == []
    assert figures["crashes"] == {}
