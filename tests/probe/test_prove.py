"""`golf prove` on a build that was trained: text to code to text, and what goes wrong when a byte does."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from toolkit.bundle import write_build
from toolkit.cli.main import golf
from toolkit.errors import GolfError
from toolkit.probe import prove
from toolkit.recipe import load_recipe
from toolkit.record.proof import find_proof
from toolkit.run.launch import data_environment, launch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of the tiny recipe with all legal stages and an illegal one, and its run seed42."""
    recipe = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    stages = 'stages = ["roundtrip", "sliding", "ppm_seed", "ppm_trie"]'
    recipe.write_text(tiny_run.recipe.read_text().replace('stages = ["roundtrip", "sliding"]', stages))
    build = tmp_path_factory.mktemp("build") / "tiny"
    write_build(load_recipe(recipe), build)
    launch(build, 42, env=data_environment(build, tiny_run.root))
    return build


@pytest.fixture
def build(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "tiny"))


@pytest.fixture
def golf_prove(tiny_run: Any, build: Path):
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(golf, ["prove", str(build), "--data-root", str(tiny_run.root), *arguments])

    return run


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("stage", ["roundtrip", "sliding", "ppm_trie"])
def test_text_comes_back_at_the_length_of_the_score(golf_prove, build: Path, stage: str) -> None:
    result = golf_prove("--bytes", "500", "--stage", stage)
    assert result.exit_code == 0, result.output
    assert "decoded equal" in result.output
    proof = json.loads((build / "runs" / "seed42" / "proof.json").read_text())
    assert proof["stage"] == stage
    assert proof["text_bytes"] >= 500
    assert proof["code_bytes"] == (build / "runs" / "seed42" / "proof.bin").stat().st_size
    assert abs(proof["code_bytes"] - proof["claimed_bytes"]) < 0.001 * proof["claimed_bytes"] + 64
    assert proof["step_val_bpb"] == pytest.approx(proof["claimed_val_bpb"], rel=1e-4)
    assert str(build) not in json.dumps(proof)
    assert find_proof(build / "runs" / "seed42") == build / "runs" / "seed42" / "proof.json"


def test_without_a_sandbox_it_says_so(golf_prove, build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise GolfError("sandbox: expected one, found none")

    monkeypatch.setattr(prove, "find_sandbox", refuse)
    result = golf_prove("--bytes", "100", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["sandbox"] == "none: sandbox: expected one, found none"


def test_a_proof_can_be_repeated_and_a_flipped_byte_is_found(golf_prove, build: Path) -> None:
    run = build / "runs" / "seed42"
    assert golf_prove("--bytes", "200").exit_code == 0
    assert golf_prove("--again").exit_code == 0
    flip(run / "proof.bin", 40)
    assert "decode: error: /given/code/proof.bin: expected checksum" in golf_prove("--again").output.replace(
        str(run), "/given/code"
    )
    flip(run / "proof.bin", 40)
    flip(run / "final_model.ptz", 5000)
    result = golf_prove("--again")
    assert result.exit_code == 1
    assert "Error: decode: error: artifact: expected checksum" in result.output
    assert find_proof(run) is None


def test_what_cannot_be_proven_is_refused(golf_prove, build: Path) -> None:
    run = build / "runs" / "seed42"
    for arguments, expected in [
        (("--stage", "ppm_seed"), "ppm_seed has no form of one token at a time"),
        (("--stage", "slot"), "stage: expected one of roundtrip, sliding, ppm_seed, ppm_trie, found slot"),
        (("--seed", "7"), "expected a finished run seed7, found none"),
        (("--bytes", "10000000"), "--bytes: expected at most the"),
        (("--again",), "expected a proof of version 1, found none"),
    ]:
        result = golf_prove("--bytes", "100", *arguments)
        assert result.exit_code == 1
        assert expected in result.output
    flip(build / "train_gpt.py", -2)
    assert "expected what this toolkit makes of recipe.toml, found another script" in golf_prove().output
    assert sorted(path.name for path in run.iterdir()) == ["final_model.ptz", "run.json", "train_seed42.log"]


def test_a_score_that_is_too_good_is_refused() -> None:
    proof = {"claimed_bytes": 1000.0, "claimed_val_bpb": 1.0, "code_bytes": 1065}
    prove._require_length(proof)
    with pytest.raises(GolfError, match=r"expected the 1000 bytes that 1\.0 bits a byte claim, .* no decoder can live"):
        prove._require_length(proof | {"code_bytes": 1066})
