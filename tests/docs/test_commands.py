"""Commands that the documentation shows can be typed: each is run here, or is listed below with the reason why not.

They run as they stand on the page, in a folder that holds what they name: `build/sp4096` with three runs of a stand-in,
REPO with a BASE and a COMMIT that adds a record, the scores NEW and OLD.
"""

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from docs.generate import PAGES, REGION, ROOT
from toolkit.bundle.pack.pack import pack
from toolkit.cli.main import golf

SHOWN = ("golf ", "make ", "python ", "torchrun ")
SCRIPT = """\
import os
for step in range(int(os.environ.get('VAL_LOSS_EVERY', '1000'))):
    print(step)
"""
LEADERBOARD = """\
| Run | Score | Author | Summary | Date | Info |
|---|---|---|---|---|---|
| A | 1.08 | a | b | 2026-04-09 | [c](d) |
"""

# Commands by how they begin.
NOT_RUN = {
    "golf plan sp4096_tcq": "as sp4096, and another recipe to bundle",
    "golf build": "half a minute and more: tests/cli/test_build_command.py and tests/bundle/test_verify.py",
    "golf train": "needs GPUs; tests/cli/test_train_command.py trains a stand-in",
    "golf probe": "minutes; tests/cli/test_probe_command.py and tests/probe/test_blackbox.py run it on less",
    "golf prove": "needs a trained model; tests/probe/test_prove.py trains a small one",
    "golf entropy": "needs a trained model; tests/cli/test_entropy_command.py makes one",
    "python -m toolkit.probe.cheats": "minutes; tests/probe/test_cheats.py",
    "python -m toolkit.probe.kraft": "needs the demo's model; tests/probe/test_kraft.py",
    "python -m bench": "minutes; tests/bench/ holds the judges to what they say",
    "make": "installs, tests or measures; the workflow runs `make lint` and `make test`",
}


def code_blocks(page: Path) -> Iterator[str]:
    """Blocks of a page that are no program, picture or data, without those that are generated."""
    text = REGION.sub("", page.read_text())
    yield from re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands_of(text: str) -> Iterator[str]:
    """Its commands, each in one line and without what is said of it."""
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith(SHOWN):
            yield shlex.join(shlex.split(line, comments=True))


BLOCKS = {command: page.name for page in PAGES for block in code_blocks(page) for command in commands_of(block)}
RUN = [command for command in BLOCKS if not command.startswith(tuple(NOT_RUN))]
INLINE = {
    (page.name, " ".join(span.split()))
    for page in PAGES
    for span in re.findall(r"`((?:golf|make|python -m)\s[^`]+)`", REGION.sub("", page.read_text()))
}


def parse(words: list[str]) -> tuple[click.Command, dict[str, object], list[str]]:
    """Command, values by parameter and words left over; an error of click's for an unknown command or option."""
    assert words[1] in golf.commands, f"expected a command of golf, found {words[1]}"
    command = golf.commands[words[1]]
    context = click.Context(command, info_name=words[1])
    values, left, _ = command.make_parser(context).parse_args(words[2:])
    return command, values, left


def test_there_is_something_to_look_at() -> None:
    assert len(RUN) > 15
    assert len(INLINE) > 20
    assert [start for start in NOT_RUN if not any(command.startswith(start) for command in BLOCKS)] == []


@pytest.mark.parametrize("command", BLOCKS)
def test_a_command_has_what_it_needs_and_nothing_unknown(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "golf":
        parsed, values, left = parse(words)
        assert left == []
        for param in parsed.params:
            value = values.get(param.name or "")
            assert value or not param.required, f"{param.name} is missing"
            if value and isinstance(param.type, (click.Choice, click.IntRange, click.FloatRange)):
                param.type_cast_value(click.Context(parsed), value)
    elif words[0] == "make":
        assert is_target(words[1])
    elif words[:2] == ["python", "-m"]:
        assert importlib.util.find_spec(words[2])


@pytest.mark.parametrize(("page", "command"), sorted(INLINE))
def test_a_command_in_a_sentence_exists_with_its_options(page: str, command: str) -> None:
    words = shlex.split(re.sub(r"\[.*?\]", "", command))
    if words[0] == "golf":
        assert words[1] in golf.commands
        known = {option for param in golf.commands[words[1]].params for option in param.opts} | {"--help"}
        assert {word for word in words[2:] if word.startswith("-")} <= known
    elif words[0] == "make":
        assert is_target(words[1])
    else:
        assert importlib.util.find_spec(words[2])


def is_target(name: str) -> bool:
    return re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None


@pytest.fixture(scope="module")
def folder(_launched_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that the commands name."""
    top = tmp_path_factory.mktemp("docs")
    shutil.copytree(_launched_build, top / "build" / "sp4096")
    (top / "train_gpt.py").write_bytes(pack(SCRIPT))
    (top / "README.md").write_text(LEADERBOARD)
    runs = [str(path) for path in sorted((top / "build" / "sp4096" / "runs").iterdir())]
    who = ["--author", "A. Person", "--github-id", "a-person", "--allow-unknown"]
    made = CliRunner().invoke(golf, ["package", *runs, *who, "--records-dir", str(top / "made")])
    assert made.exit_code == 0, made.output
    (record,) = (path for path in (top / "made" / "track_non_record_16mb").iterdir() if path.is_dir())
    for name in ("PATH", "NEW", "OLD"):
        shutil.copytree(record, top / name)
    repo = top / "REPO"
    repo.mkdir()
    git(repo, "init", "-q")
    git(repo, "commit", "-q", "--allow-empty", "-m", "start")
    git(repo, "tag", "BASE")
    shutil.copytree(record, repo / "records" / "track_non_record_16mb" / record.name)
    git(repo, "add", "-A")
    git(repo, "commit", "-q", "-m", "a record")
    git(repo, "tag", "COMMIT")
    return top


def git(repo: Path, *arguments: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *settings, *arguments], cwd=repo, check=True, capture_output=True)


@pytest.mark.parametrize("command", RUN)
def test_a_command_runs(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words = [found for word in shlex.split(command)[1:] for found in (sorted(map(str, folder.glob(word))) or [word])]
    result = CliRunner().invoke(golf, words)
    assert result.exit_code == 0, result.output
    assert result.output
