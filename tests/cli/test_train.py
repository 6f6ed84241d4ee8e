"""`golf train` on a stand-in build, through torchrun."""

import json

import pytest
from click.testing import CliRunner

from toolkit.cli.train import command
from toolkit.recipe import dump_recipe, load_recipe


@pytest.fixture
def build(stand_in_build):
    (stand_in_build / "recipe.toml").write_text(dump_recipe(load_recipe("demo")))
    return stand_in_build


def test_trains_each_seed_shows_its_stages_and_reuses_it(build, tmp_path):
    arguments = [
        str(build),
        "--seed",
        "1",
        "--seed",
        "2",
        "--data-root",
        str(tmp_path / "data"),
        "--set",
        "ITERATIONS=9",
    ]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(build / "runs" / "seed1"), str(build / "runs" / "seed2")]
    for expected in ("seed 1: step 50, loss 5.123", "seed 2: ppm trie: 1.7175 BPB"):
        assert expected in result.stderr
    facts = json.loads((build / "runs" / "seed2" / "run.json").read_text())
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
def test_wrong_usage(build, arguments, code, expected):
    result = CliRunner().invoke(command, [str(build), *arguments])
    assert result.exit_code == code
    assert expected in result.output
    assert not (build / "runs").exists()
