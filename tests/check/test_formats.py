"""Reports for other programs: SARIF and the workflow commands of GitHub."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.folders import Folder
from toolkit.check.report.formats import annotation_lines, to_sarif
from toolkit.check.rulebook.finding import Finding, Report
from toolkit.cli.check import command

LOG = "train_seed42.log"


@pytest.fixture
def slow(record: Folder) -> Folder:
    record.edit(LOG, "train_time: 57012ms", "train_time: 600400ms")
    return record


def test_sarif(slow: Folder, tmp_path: Path) -> None:
    """The properties that SARIF 2.1.0 requires, and those that code scanning needs."""
    path = tmp_path / "report.sarif"
    result = CliRunner().invoke(command, [str(slow.path), "--sarif", str(path)])
    assert result.exit_code == 1
    content = json.loads(path.read_text())
    assert content["version"] == "2.1.0"
    (run,) = content["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"] == "golf check"
    assert run["properties"]["verdict"] == "FAIL"
    for entry in run["results"]:
        assert rules[entry["ruleIndex"]]["id"] == entry["ruleId"]
        assert entry["level"] in ("error", "warning", "note")
        assert entry["message"]["text"]
        assert entry["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    (late,) = [entry for entry in run["results"] if entry["ruleId"] == "TRAIN-600"]
    place = late["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith(f"2026-05-02_Demo/{LOG}")
    assert place["region"] == {"startLine": slow.line(LOG, "stopping_early")}
    assert late["level"] == "error"
    assert "#1908" in late["properties"]["references"]


def test_a_pass_has_no_results(record: Folder) -> None:
    assert to_sarif(record.check())["runs"][0]["results"] == []
    assert list(annotation_lines(record.check())) == ["::notice title=golf check::PASS"]


def test_annotations(slow: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(slow.path.parents[2])
    lines = CliRunner().invoke(command, [str(slow.path), "--annotations"]).output.splitlines()
    folder = "records/track_non_record_16mb/2026-05-02_Demo"
    place = f"file={folder}/{LOG},line={slow.line(LOG, 'stopping_early')}"
    assert lines[0].startswith(f"::error {place},title=TRAIN-600 FAIL::expected <= 600 s")
    assert lines[-1] == "::notice title=golf check::FAIL"


def test_no_text_of_a_stranger_becomes_a_command() -> None:
    finding = Finding("X", "FAIL", "a,b:c\n::error::.py:3", "x", "y\n::set-output name=a::b\r\x1b[2J 100%")
    first, last = annotation_lines(Report((finding,), {}))
    assert first.startswith("::error file=")
    assert "\n" not in first
    assert "\r" not in first
    assert "\x1b" not in first
    assert "::" not in first[len("::error") :].partition("::expected")[0]
    assert last == "::notice title=golf check::FAIL"
