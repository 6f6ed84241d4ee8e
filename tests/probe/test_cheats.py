"""Every illegal cheat is caught by the probes that claim to catch it, and the legal look-alikes pass them."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.bundle.build import ENTRY
from toolkit.bundle.link.resolve import COMPONENTS_DIR, read_modules
from toolkit.errors import GolfError
from toolkit.probe import contained, independence, repeat
from toolkit.probe.causal import moved_nats, moved_states
from toolkit.probe.cheats.__main__ import main as print_table
from toolkit.probe.cheats.cheat import CHEATS, HONEST, find_cheat
from toolkit.probe.cheats.stage import cheat_recipe, staged
from toolkit.probe.normalized import TOLERANCE, kraft_sums
from toolkit.probe.order import stage_orders
from toolkit.probe.scene import Scene
from toolkit.probe.tiny import ProgramEvaluation, Tiny
from toolkit.run.sandbox import find_sandbox

TARGET = 40  # of 48, in a window that scores half of its targets
BY_CHARGES = [cheat.name for cheat in CHEATS if {"kraft", "causal", "order"} & set(cheat.caught_by)] + ["score_first"]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(Tiny(cheat_recipe(), tmp_path_factory.mktemp("honest")))


@pytest.fixture(scope="module")
def streams(honest: Scene) -> tuple[Tensor, Tensor, Tensor]:
    """Text of two windows, as many unique tokens, and spare ones."""
    unique, spare = honest.unique
    return honest.text[:49], unique[:49], spare


def evaluation_of(name: str, honest: Scene, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ProgramEvaluation:
    """A cheat's evaluation of the honest artifact, which spares a training."""
    cheat = Tiny(cheat_recipe(), folder, find_cheat(name).edit)
    monkeypatch.setenv("TOKENIZER_PATH", str(cheat.tokenizer_path))
    return cheat.evaluate_artifact(honest.tiny.trained.artifact)


@pytest.mark.parametrize("name", BY_CHARGES)
def test_charges(
    name: str,
    honest: Scene,
    streams: tuple[Tensor, Tensor, Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, unique, spare = streams
    evaluate = evaluation_of(name, honest, tmp_path, monkeypatch)
    (z,) = kraft_sums(evaluate, text, [TARGET], honest.vocab_size)
    moved = moved_nats(evaluate, text, [TARGET], spare) + moved_states(evaluate, unique, [TARGET], spare)
    (order,) = stage_orders(evaluate, unique)
    claims = find_cheat(name).caught_by
    assert (z.excess > TOLERANCE and z.z > 1) == ("kraft" in claims)
    assert bool(moved) == ("causal" in claims)
    assert bool(order.used_early or order.charged_again) == ("order" in claims)


@pytest.mark.slow
def test_the_validation_text_in_the_calibration(tmp_path: Path) -> None:
    with staged(find_cheat("val_calibration"), tmp_path) as scene:
        (finding,) = independence.probe(scene)
    assert (finding.rule, finding.outcome) == ("NO-VAL-IN-TRAINING", "FAIL")
    assert "bytes differ" in finding.found


@pytest.mark.slow
def test_a_seed_from_the_clock(tmp_path: Path) -> None:
    with staged(find_cheat("clock_seed"), tmp_path) as scene:
        (finding,) = repeat.probe(scene)
    assert (finding.rule, finding.outcome) == ("REPRODUCIBLE", "FAIL")
    assert "val_bpb" in finding.evidence


@pytest.mark.slow
@pytest.mark.parametrize(("name", "broken"), [("train_shard", "NO-TRAIN-DATA-AT-EVAL"), ("network", "NO-NETWORK")])
def test_an_evaluation_that_needs_more_than_the_artifact(name: str, broken: str, tmp_path: Path) -> None:
    try:
        find_sandbox()
    except GolfError as error:
        pytest.skip(str(error))
    with staged(find_cheat(name), tmp_path) as scene:
        outcomes = {finding.rule: finding.outcome for finding in contained.probe(scene)}
    assert outcomes == {"NO-TRAIN-DATA-AT-EVAL": "PASS", "NO-NETWORK": "PASS"} | {broken: "FAIL"}


@pytest.mark.slow
def test_the_honest_program_passes(honest: Scene) -> None:
    """A run more of it, and one in a sandbox where there is one; `golf probe`'s own test has it `repeat`."""
    assert [finding.outcome for finding in independence.probe(honest)] == ["PASS"]
    assert {finding.outcome for finding in contained.probe(honest)} <= {"PASS", "UNKNOWN"}


def test_without_a_sandbox_nothing_is_known(honest: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise GolfError("sandbox: expected one that works, found none")

    monkeypatch.setattr(contained, "find_sandbox", none)
    assert [(finding.outcome, finding.found) for finding in contained.probe(honest)] == [
        ("UNKNOWN", "sandbox: expected one that works, found none")
    ] * 2


def test_no_bundle_can_hold_a_cheat() -> None:
    """The bundler reads one folder with those below it, and no cheat lies there."""
    components = {path.name: path.read_text() for path in COMPONENTS_DIR.rglob("*.py")}
    assert "main.py" in components
    assert not any(f"{cheat.name}.py" in components for cheat in CHEATS)
    assert HONEST not in "".join(module.text for module in read_modules(ENTRY))
    assert "ILLEGAL" not in "".join(components.values())


def test_every_cheat_is_a_file_that_says_what_it_is() -> None:
    folder = Path(find_cheat.__code__.co_filename).parent
    files = {path.stem: path.read_text() for path in folder.glob("*.py")}
    assert {cheat.name for cheat in CHEATS} == files.keys() - {"__init__", "__main__", "cheat", "stage"}
    for cheat in CHEATS:
        assert files[cheat.name].startswith('"""ILLEGAL' if cheat.caught_by else '"""LEGAL')


def test_a_probed_stream_has_a_document_in_its_middle(honest: Scene) -> None:
    bos = honest.evaluate.tokenizer.bos_id()
    assert len(honest.text) == honest.length
    assert bos in honest.text[1:-1]
    assert len(np.unique(honest.unique[0])) == honest.length
    assert os.path.basename(honest.tiny.tokenizer_path) == honest.tiny.cfg.data.tokenizer


def test_the_table_is_of_known_cheats() -> None:
    with pytest.raises(SystemExit, match=r"error: cheats: expected names of gate, .*; found nothing, slots"):
        print_table(["gate", "nothing", "slots"])
