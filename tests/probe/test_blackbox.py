"""Printed totals alone tell a code from what is none: `black_box_script.py` through the shell in the sandbox."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from toolkit.cli.probe import command
from toolkit.data.shards import write_shard
from toolkit.errors import GolfError
from toolkit.probe import blackbox
from toolkit.run.sandbox import find_sandbox

SCRIPT = Path(__file__).parents[1] / "support" / "black_box_script.py"


@pytest.fixture(scope="module", autouse=True)
def _sandbox() -> None:
    try:
        find_sandbox()
    except GolfError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    tokens = np.random.default_rng(0).choice(6, 100, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])
    write_shard(folder / "fineweb_val_000000.bin", tokens)
    return folder


def probe(data: Path, how: str, num_tokens: int = 12, limit: int = 0) -> dict[str, tuple[str, str]]:
    """Outcome and what was found, by rule."""
    run = f"python {SCRIPT.name} {how}"
    findings = blackbox.run(SCRIPT, run, (), data, 6, num_tokens, limit, jobs=2)
    assert all(finding.where == "final_int8_roundtrip" and run in finding.evidence for finding in findings)
    return {finding.rule: (finding.outcome, finding.found) for finding in findings}


def test_a_code_passes(data: Path) -> None:
    found = probe(data, "legal")
    assert found["C2-NORMALIZED"] == ("PASS", "Z = 1.000000; 6 of 6 tokens at the end, error 1e-07")
    assert found["C1-CAUSAL"][0] == "PASS"


@pytest.mark.parametrize("how", ["gate", "spread", "two_passes", "future"])
def test_what_is_no_code_fails(data: Path, how: str) -> None:
    outcome, found = probe(data, how)["C2-NORMALIZED"]
    assert outcome == "FAIL"
    assert "no code has such lengths" in found


def test_an_end_that_makes_the_stream_before_it_cheaper_is_named(data: Path) -> None:
    outcome, found = probe(data, "future")["C1-CAUSAL"]
    assert outcome == "FAIL"
    assert "a token at the end takes" in found


def test_part_of_the_vocabulary_can_prove_but_not_acquit(data: Path) -> None:
    assert probe(data, "future", limit=2)["C2-NORMALIZED"][0] == "FAIL"
    outcome, found = probe(data, "legal", limit=5)["C2-NORMALIZED"]
    assert outcome == "UNKNOWN"
    assert "Z >= 0." in found


def test_sums_below_one_are_no_distribution_either(data: Path) -> None:
    assert probe(data, "wasteful")["C2-NORMALIZED"] == (
        "UNKNOWN",
        "Z = 0.990050: between 0.001 and 0.01 it may be rounding; 6 of 6 tokens at the end, error 1e-07",
    )


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("windows", "the last token of a stream does not change its total: it is not scored"),
        ("rounded", "the printed digits do not tell it to 0.001; more decimals or fewer tokens do"),
        ("noisy", "two equal runs differ by 0.0"),
    ],
)
def test_what_cannot_be_told_is_unknown(data: Path, how: str, expected: str) -> None:
    found = probe(data, how, 19 if how == "windows" else 12)
    assert {outcome for outcome, _ in found.values()} == {"UNKNOWN"}
    assert expected in found["C2-NORMALIZED"][1]


def test_a_stream_that_fills_its_windows_but_for_its_end_is_unknown(data: Path) -> None:
    """The totals of such streams are the same for all tokens, and add up to more than 1."""
    assert probe(data, "windows", 18)["C2-NORMALIZED"][0] == "UNKNOWN"


@pytest.mark.parametrize(
    ("how", "expected"),
    [("silent", "found: it printed nothing"), ("network", "URLError"), ("unheard-of", "found: KeyError: 'unheard-of'")],
)
def test_a_script_without_totals_is_an_error(data: Path, how: str, expected: str) -> None:
    with pytest.raises(GolfError, match=expected):
        probe(data, how)


def test_without_a_sandbox_nothing_is_run(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise GolfError("sandbox: expected one")

    monkeypatch.setattr(blackbox, "find_sandbox", refuse)
    with pytest.raises(GolfError, match="sandbox: expected one"):
        probe(data, "legal")


def test_the_command(data: Path) -> None:
    options = ["--script", str(SCRIPT), "--data", str(data), "--vocab-size", "6", "--tokens", "12", "--json"]
    result = CliRunner().invoke(command, [*options, "--run", f"python {SCRIPT.name} gate"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["verdict"] == "FAIL"
    assert CliRunner().invoke(command, [*options, "--run", f"python {SCRIPT.name} legal"]).exit_code == 0


def test_termination_leaves_nothing(data: Path, tmp_path: Path) -> None:
    options = ["--script", str(SCRIPT), "--data", str(data), "--vocab-size", "6", "--tokens", "12"]
    command = [sys.executable, "-c", "from toolkit.cli.main import golf; golf()", "probe", *options]
    env = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen([*command, "--run", "sleep 3"], env=env, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(tmp_path.glob("golf-probe-*")):
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate()
    assert (process.returncode, errors.splitlines()[-1]) == (1, "Aborted!")
    assert not list(tmp_path.iterdir())


def test_wrong_usage() -> None:
    for arguments, expected in ([], "expected BUILD or RECIPE"), (["--script", str(SCRIPT)], "expected --run"):
        result = CliRunner().invoke(command, arguments)
        assert result.exit_code == 2
        assert expected in result.output
