"""`golf package`: options, exit codes, what it prints."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from toolkit.cli.main import golf


@pytest.fixture(autouse=True)
def _folder_of_the_runs(stand_in_runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stand_in_runs[0].parents[3])


def invoke(*options: str) -> Result:
    runs = [f"build/demo/runs/seed{seed}" for seed in (42, 1337, 2025)]
    given = ["--author", "A", "--github-id", "a", "--date", "2026-05-02"]
    return CliRunner().invoke(golf, ["package", *runs, *given, *options])


def test_prints_the_folder_it_wrote_and_refuses_to_write_it_again() -> None:
    result = invoke("--allow-unknown")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "records/track_non_record_16mb/2026-05-02_Demo"
    again = invoke("--allow-unknown")
    assert again.exit_code == 1
    assert "expected no such folder yet" in again.stderr
    other = invoke("--allow-unknown", "--name", "A/B: (second)", "--records-dir", "elsewhere")
    assert other.stdout.splitlines()[-1] == "elsewhere/track_non_record_16mb/2026-05-02_A_B_second"


def test_failing_check_shows_its_finding_and_exits_with_one(stand_in_runs: list[Path]) -> None:
    log = stand_in_runs[0] / "train_seed42.log"
    log.write_text(log.read_text().replace("total_eval_time:4.5s", "total_eval_time:601.0s"))
    result = invoke("--allow-unknown")
    assert result.exit_code == 1
    assert "EVAL-600" in result.stdout
    assert "EVAL-600" in result.stderr
    assert not (stand_in_runs[0].parents[3] / "records").exists()


def test_missing_evidence_is_given_or_allowed(stand_in_runs: list[Path]) -> None:
    """On the record's track nobody knows without a baseline whether the record is beaten."""
    build = stand_in_runs[0].parents[1]
    for path in (build / "recipe.toml", build / "bundle.json", *build.glob("runs/*/*.log")):
        path.write_text(path.read_text().replace("non-record-16mb", "10min_16mb"))
    result = invoke()
    assert result.exit_code == 1
    assert "UNKNOWN SIGNIFICANCE" in result.stdout
    measured = invoke("--against", "9.1,9.2,9.3")
    assert "UNKNOWN SIGNIFICANCE" not in measured.stdout
    assert "PASS    SIGNIFICANCE" in measured.stdout


def test_wrong_usage_exits_with_two() -> None:
    assert CliRunner().invoke(golf, ["package", "nowhere", "--author", "A", "--github-id", "a"]).exit_code == 2
    assert CliRunner().invoke(golf, ["package", "--author", "A", "--github-id", "a"]).exit_code == 2
