"""Proof by running: the miniature is the same program, equal forms pass, and any difference is found."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import replace

import pytest

from toolkit.bundle.build import ENTRY, START, docstrings, link
from toolkit.bundle.calls import arguments
from toolkit.bundle.calls.instances import Trail
from toolkit.bundle.calls.methods import method_callees
from toolkit.bundle.calls.uses import Callee, Uses
from toolkit.bundle.link.emit import emit
from toolkit.bundle.link.resolve import read_modules
from toolkit.bundle.minify import order
from toolkit.bundle.pack.pack import pack
from toolkit.bundle.proof import verify
from toolkit.bundle.proof.miniature import same_up_to_constants, scaled_down
from toolkit.bundle.proof.verify import STEPS, compare
from toolkit.components.config import Config
from toolkit.components.settings.model import Model
from toolkit.errors import GolfError
from toolkit.recipe import load_recipe

CONFIGS = {name: load_recipe(name) for name in ("naive_baseline", "sp4096_ppm_seed", "hybridquant")}
CONFIGS["odd sizes"] = Config(
    model=Model(
        num_layers=5,
        num_heads=6,
        num_kv_heads=1,
        model_dim=96,
        xsa_layers=2,
        value_embed_dim=8,
        value_embed_layers=(0, 4),
    )
)
CONFIGS["one layer"] = Config(model=Model(num_layers=1, num_heads=1, num_kv_heads=1, xsa_layers=1))


@pytest.mark.parametrize("name", CONFIGS)
def test_miniature_is_the_same_program_up_to_numbers(name: str) -> None:
    modules = read_modules(ENTRY)
    forms = [
        emit(*link(cfg, modules), docstrings(modules), START) for cfg in (CONFIGS[name], scaled_down(CONFIGS[name]))
    ]
    assert forms[0] != forms[1]
    assert same_up_to_constants(*forms)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("f(1, 'a')", "f(-2.5, 'b')", True),
        ("x = (1, 2, 3)", "x = (4,)", True),
        ("x = (1, y)", "x = (1, z)", False),
        ("f(True)", "f(False)", False),
        ("f(None)", "f(0)", False),
        ("a + 1", "a - 1", False),
        ("-x", "x", False),
    ],
)
def test_same_up_to_constants(one: str, other: str, expected: bool) -> None:
    assert same_up_to_constants(one, other) == expected


FACTS = {"numbers": ["0x1p0"] * STEPS, "states": [[{"a": [1]}, "ff"]], "log": ["line"], "artifact": b"bytes"}


def test_equal_outcomes_agree() -> None:
    found = compare({form: copy.deepcopy(FACTS) for form in verify.FORMS})
    assert (found.steps, found.numbers, found.tensors, found.artifact_bytes) == (STEPS, STEPS, 1, 5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("numbers", ["0x1p0", "0x1.0000000000001p0", "0x1p0"]),
        ("numbers", ["0x1p0"] * (STEPS + 1)),
        ("states", [[{"b": [1]}, "ff"]]),
        ("log", ["other"]),
        ("artifact", b"byteZ"),
    ],
)
def test_any_difference_is_an_error(key: str, value: object) -> None:
    outcomes = {form: copy.deepcopy(FACTS) for form in verify.FORMS}
    outcomes["packed"][key] = value
    with pytest.raises(GolfError, match=f"{key}: expected the same bits from modules and packed"):
        compare(outcomes)


def test_a_trial_without_results_proves_nothing() -> None:
    with pytest.raises(GolfError, match="expected 3 losses and a decoded artifact, found 0 and 0"):
        compare({form: {"numbers": [], "states": []} for form in verify.FORMS})


@pytest.mark.slow
def test_recipe_passes_and_a_changed_program_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "STEPS", 1)
    cfg = load_recipe("naive_baseline")
    found = verify.verify(cfg)
    assert found.numbers > STEPS
    assert found.tensors > 30
    monkeypatch.setattr(verify, "pack", lambda text, encoding: pack(text.replace("3.4445", "3.4446"), encoding))
    with pytest.raises(GolfError, match="numbers: expected the same bits from modules and packed"):
        verify.verify(cfg)


@pytest.mark.slow
def test_a_call_that_folding_has_missed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules run as they are written, so that a parameter which should have stayed shows in the other forms."""

    def missing_those_with_targets(uses: Uses, followed: dict[ast.ClassDef, Trail]) -> Iterator[Callee]:
        for callee in method_callees(uses, followed):
            is_of_model = "targets" in [arg.arg for arg in callee.parameters]
            yield replace(callee, calls=[call for call in callee.calls if not is_of_model or len(call.args) < 2])

    monkeypatch.setattr(arguments, "method_callees", missing_those_with_targets)
    monkeypatch.setattr(order, "STEPS", 1)
    with pytest.raises(
        GolfError, match=r"readable: expected a run of 3 steps, found: TypeError: GPT.forward\(\) takes 2"
    ):
        verify.verify(load_recipe("naive_baseline"))
