"""The command line as a whole: what it offers, how it fails, what it needs."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from toolkit.cli.main import golf
from toolkit.errors import GolfError


def test_every_command_is_listed_with_a_line_of_help() -> None:
    commands = {"recipes", "settings", "plan", "build", "unpack", "train", "check", "package", "demo"}
    assert commands <= golf.commands.keys()
    assert all(command.help for command in golf.commands.values())


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (GolfError("x.toml:3: unknown key"), "Error: x.toml:3: unknown key\n"),
        (
            OSError(28, "No space left on device", "out/train_gpt.py"),
            "Error: out/train_gpt.py: No space left on device\n",
        ),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            "Error: torch: this command needs it, found none; pip install 'golf-toolkit[train]'\n",
        ),
    ],
)
def test_a_user_error_is_one_line_and_exit_code_1(error: Exception, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("fail")
    def fail() -> None:
        raise error

    monkeypatch.setitem(golf.commands, "fail", fail)
    result = CliRunner().invoke(golf, ["fail"])
    assert (result.output, result.exit_code) == (line, 1)


def test_wrong_usage_exits_with_2() -> None:
    assert CliRunner().invoke(golf, ["check"]).exit_code == 2


def test_commands_for_reviewers_work_without_torch(tmp_path: Path) -> None:
    block = "import sys; sys.modules['torch'] = sys.modules['sentencepiece'] = None; "
    run = block + "from toolkit.cli.main import golf; golf()"
    for arguments in (
        ["recipes"],
        ["build", "naive_baseline", "-o", "out"],
        ["plan", "naive_baseline"],
        ["check", "out"],
        ["unpack", "out/train_gpt.py"],
    ):
        command = [sys.executable, "-c", run, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert result.returncode == 0, result.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = [sys.executable, "-c", "from toolkit.cli.main import golf; golf()", "explain"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        run.stdout.close()
        assert run.stderr is not None
        assert run.stderr.read() == b""
