"""`golf check` as a command: exit codes, output for people and for programs, and no torch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tests.support.folders import Folder
from toolkit.cli.check import command, print_report

LOG = "train_seed42.log"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(command, arguments)


def test_a_pass_exits_with_0(record: Folder) -> None:
    result = run(str(record.path))
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "PASS"


def test_a_warning_exits_with_0(record: Folder) -> None:
    (record.path / "README.md").unlink()
    assert run(str(record.path)).exit_code == 0


@pytest.mark.parametrize(
    ("name", "old", "new", "rule"),
    [
        (LOG, "train_time: 57012ms", "train_time: 600400ms", "FAIL    TRAIN-600"),
        (LOG, "val_bytes: ", "bytes: ", "UNKNOWN TOKENIZER-BYTES"),
    ],
)
def test_failures_and_missing_evidence_exit_with_1(record: Folder, name: str, old: str, new: str, rule: str) -> None:
    record.edit(name, old, new)
    result = run(str(record.path))
    assert rule in result.output
    assert result.exit_code == 1


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    assert run(str(tmp_path / "nowhere")).exit_code == 2
    assert run().exit_code == 2


def test_json_has_the_names_that_programs_rely_on(record: Folder) -> None:
    content = json.loads(run(str(record.path), "--json").output)
    assert list(content) == ["schema_version", "verdict", "findings", "facts"]
    for finding in content["findings"]:
        assert list(finding) == ["rule", "outcome", "where", "expected", "found", "evidence", "level", "references"]
    names = {"seed", "val_bpb", "val_loss", "artifact_bytes", "train_seconds", "eval_seconds", "steps"}
    assert all(names <= entry.keys() for entry in content["facts"]["seeds"])
    places = [(finding["rule"], finding["where"]) for finding in content["findings"]]
    assert len(places) == len(set(places))


def test_scores_that_are_no_numbers_stay_out_of_json(record: Folder) -> None:
    record.edit(
        LOG, "final_int6_ppm_trie val_loss:2.90004200 val_bpb:", "final_int6_ppm_trie val_loss:nan val_bpb:nan "
    )
    result = run(str(record.path), "--json")
    content = json.loads(result.output, parse_constant=lambda name: pytest.fail(f"found {name}"))
    assert content["facts"]["seeds"][-1]["val_loss"] is None
    unknown = {finding["rule"] for finding in content["findings"] if finding["outcome"] == "UNKNOWN"}
    assert unknown == {"TOKENIZER-BYTES"}


def test_a_baseline_from_the_command_line(leaderboard: Folder) -> None:
    assert run(str(leaderboard.path)).exit_code == 1
    assert run(str(leaderboard.path), "--against", "1.80,1.81").exit_code == 0


def test_escapes_of_a_terminal_are_shown_not_sent(record: Folder) -> None:
    record.edit(LOG, "hardware: some CPU", "hardware: \x1b[2Jsome CPU")
    record.edit(
        LOG, "stopping_early: wallclock_cap train_time: 57012ms", "stopping_early: \x1b[2J train_time: 700000ms"
    )
    result = run(str(record.path))
    assert "\x1b" not in result.output
    assert "\\x1b[2J" in result.output


def test_a_table_on_a_terminal(
    record: Folder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    print_report(record.check())
    output = click.unstyle(capsys.readouterr().out)
    assert "outcome" in output
    assert "SIZE-CAP" in output
    assert output.split()[-1] == "PASS"


def test_neither_torch_nor_scipy_is_needed(record: Folder) -> None:
    blocked = "import sys; sys.modules['torch'] = sys.modules['scipy'] = sys.modules['sentencepiece'] = None\n"
    program = blocked + "from toolkit.cli.check import command; command()"
    result = subprocess.run([sys.executable, "-c", program, str(record.path)], capture_output=True, text=True)
    assert (result.returncode, result.stdout.splitlines()[-1:], result.stderr) == (0, ["PASS"], "")
