"""`golf prove` on a build that was trained: text to code to text, and what goes wrong when a byte does."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.tiny_run import TinyRun
from toolkit.bundle import write_build
from toolkit.bundle.minify import order
from toolkit.cli.main import golf
from toolkit.errors import GolfError
from toolkit.probe import prove
from toolkit.recipe import load_recipe
from toolkit.record.proof import find_proof
from toolkit.run.launch import data_environment, launch

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A build of the tiny recipe with all legal stages and an illegal one, and its run seed42."""
    recipe = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    stages = 'stages = ["roundtrip", "sliding", "sliding+ppm_seed", "sliding+ppm_trie"]'
    recipe.write_text(tiny_run.recipe.read_text().replace('stages = ["roundtrip", "sliding"]', stages))
    build = tmp_path_factory.mktemp("build") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "STEPS", 1)  # a short search for the build and for those it is compared with
        write_build(load_recipe(recipe), build)
        launch(build, 42, env=data_environment(build, tiny_run.root))
        yield build


@pytest.fixture
def build(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "tiny"))


@pytest.fixture
def golf_prove(tiny_run: TinyRun, build: Path) -> Callable[..., Result]:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(golf, ["prove", str(build), "--data-root", str(tiny_run.root), *arguments])

    return run


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.fixture(scope="module")
def proven(trained: Path, tiny_run: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a proof of its last stage."""
    build = tmp_path_factory.mktemp("proven") / "tiny"
    shutil.copytree(trained, build)
    arguments = ["prove", str(build), "--data-root", str(tiny_run.root), "--bytes", "300"]
    result = CliRunner().invoke(golf, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-2].startswith("sliding+ppm_trie: 30")
    assert "; decoded equal\n" in result.output
    return build


def check_lengths(proof: dict[str, Any]) -> None:
    assert abs(proof["code_bytes"] - proof["claimed_bytes"]) < 0.001 * proof["claimed_bytes"] + 64
    assert proof["step_val_bpb"] == pytest.approx(proof["claimed_val_bpb"], rel=1e-4)


def test_text_comes_back_at_the_length_of_the_score(proven: Path) -> None:
    run = proven / "runs" / "seed42"
    proof = json.loads((run / "proof.json").read_text())
    assert proof["stage"] == "sliding+ppm_trie"
    assert proof["text_bytes"] >= 300
    assert proof["code_bytes"] == (run / "proof.bin").stat().st_size
    check_lengths(proof)
    assert str(proven) not in json.dumps(proof)
    assert find_proof(run) == proof


def test_any_stage_and_without_a_sandbox_it_says_so(
    golf_prove: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise GolfError("sandbox: expected one, found none")

    monkeypatch.setattr(prove, "find_sandbox", refuse)
    result = golf_prove("--bytes", "100", "--stage", "sliding", "--json")
    assert result.exit_code == 0, result.output
    proof = json.loads(result.stdout)
    assert (proof["stage"], proof["sandbox"]) == ("sliding", "none: sandbox: expected one, found none")
    check_lengths(proof)


def test_a_proof_can_be_repeated_and_a_flipped_byte_is_found(proven: Path, tiny_run: TinyRun) -> None:
    def again() -> Result:
        return CliRunner().invoke(golf, ["prove", str(proven), "--data-root", str(tiny_run.root), "--again"])

    run = proven / "runs" / "seed42"
    assert again().exit_code == 0
    flip(run / "proof.bin", 40)
    result = again()
    assert result.exit_code == 1
    assert "proof.bin: expected checksum" in result.output
    assert "damaged; encode it again" in result.output
    flip(run / "proof.bin", 40)
    flip(run / "final_model.ptz", 5000)
    result = again()
    assert result.exit_code == 1
    assert "Error: decode: error: artifact: expected checksum" in result.output
    assert not find_proof(run)
    flip(run / "final_model.ptz", 5000)


def test_what_cannot_be_proven_is_refused(golf_prove: Callable[..., Result], build: Path) -> None:
    run = build / "runs" / "seed42"
    for arguments, expected in [
        (("--stage", "sliding+ppm_seed"), "ppm_seed has no form of one token at a time"),
        (
            ("--stage", "slot"),
            "--stage: expected one of roundtrip, sliding, sliding+ppm_seed, sliding+ppm_trie, found slot",
        ),
        (("--seed", "7"), "expected a finished run seed7, found none"),
        (("--bytes", "10000000"), "--bytes: expected at most the"),
        (("--again",), "expected a proof of version 1, found none"),
    ]:
        result = golf_prove("--bytes", "100", *arguments)
        assert result.exit_code == 1
        assert expected in result.output
    flip(build / "train_gpt.py", -2)
    assert "expected what this toolkit makes of recipe.toml, found a different script" in golf_prove().output
    assert sorted(path.name for path in run.iterdir()) == ["final_model.ptz", "run.json", "train_seed42.log"]


def test_a_score_that_is_too_good_is_refused() -> None:
    proof = {"claimed_bytes": 1000.0, "claimed_val_bpb": 1.0, "code_bytes": 1065}
    prove._require_length(proof)
    with pytest.raises(GolfError, match=r"expected the 1000 bytes that 1\.0 bits per byte claim, .* no decoder"):
        prove._require_length(proof | {"code_bytes": 1066})
