"""`golf train` on a stand-in build, through torchrun."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from toolkit.cli.train import command


def test_trains_each_seed_shows_its_stages_and_reuses_it(stand_in_build: Path, tmp_path: Path) -> None:
    data = ["--data-root", str(tmp_path / "data")]
    arguments = [str(stand_in_build), "--seed", "1", "--seed", "2", *data, "--set", "ITERATIONS=9"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(stand_in_build / "runs" / "seed1"), str(stand_in_build / "runs" / "seed2")]
    for expected in ("seed 1: step 50, loss 5.123", "seed 2: int6 ppm trie: 1.7175 BPB"):
        assert expected in result.stderr
    facts = json.loads((stand_in_build / "runs" / "seed2" / "run.json").read_text())
    assert facts["environment"]["ITERATIONS"] == "9"
    assert facts["environment"]["DATA_PATH"] == "../../data/datasets/demo_sp1024"
    again = CliRunner().invoke(command, arguments)
    assert again.exit_code == 0
    assert "seed 1: reused a finished run" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["--seed", "-1"], 2, "--seed"),
        ([], 2, "--seed"),
        (["--seed", "1", "--nproc", "0"], 2, "--nproc"),
        (["--seed", "1", "--set", "ITERATIONS"], 2, "expected NAME=VALUE, found 'ITERATIONS'"),
    ],
)
def test_wrong_usage(stand_in_build: Path, arguments: list[str], code: int, expected: str) -> None:
    result = CliRunner().invoke(command, [str(stand_in_build), *arguments])
    assert result.exit_code == code
    assert expected in result.output
    assert not (stand_in_build / "runs").exists()
