"""Artifacts of trellis-coded weights, and the search for steps that fill a target."""

import multiprocessing
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.components.artifact.accounting import byte_shares
from toolkit.components.artifact.artifact import decode_artifact, encode_artifact
from toolkit.components.artifact.quantized import SCHEME_FP32, QuantizedTensor
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.artifact.tcq_coder import SCHEME_TCQ
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing import tcq_fill
from toolkit.components.quantizing.fisher import Curvature
from toolkit.components.quantizing.methods import quantize_model
from toolkit.components.quantizing.tcq import loss_step
from toolkit.components.quantizing.tcq_fill import FILL_BYTES, fill
from toolkit.components.settings.artifact import Artifact
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.tcq import Tcq

CFG = Config(
    model=Model(vocab_size=200, model_dim=64, num_heads=4, num_kv_heads=2, num_layers=2),
    quantize=Quantize(method="tcq", passthrough_max_numel=3000),
    tcq=Tcq(rounding_loss=1e-4),
)
CODE_BYTES = 10_000


def moments(size: int) -> Tensor:
    x = torch.randn(4 * size, size, dtype=torch.float64) @ torch.randn(size, size, dtype=torch.float64)
    return x.T @ x / len(x) / size / 100


@pytest.fixture(scope="module")
def trained() -> tuple[dict[str, Tensor], dict[str, Curvature]]:
    return make_trained()


def make_trained() -> tuple[dict[str, Tensor], dict[str, Curvature]]:
    """Weights without meaning, and curvatures of correlated inputs and outputs."""
    torch.manual_seed(0)
    state = {name: 0.1 * torch.randn_like(tensor) for name, tensor in GPT(CFG).state_dict().items()}
    curvatures = {
        name: Curvature(moments(tensor.size(1)), moments(tensor.size(0)), torch.tensor(1.0))
        for name, tensor in state.items()
        if tensor.ndim == 2 and tensor.numel() > 3000
    }
    curvatures["tok_emb.weight"].outputs = torch.rand(200, dtype=torch.float64) / 100
    return state, curvatures


def artifact(
    trained: tuple[dict[str, Tensor], dict[str, Curvature]], **settings: int
) -> tuple[Config, bytes, list[str]]:
    cfg = replace(CFG, artifact=Artifact(**settings))
    lines: list[str] = []
    return cfg, encode_artifact(cfg, quantize_model(cfg, *trained, CODE_BYTES, lines.append)), lines


def test_the_artifact_holds_the_weights_that_were_chosen(
    trained: tuple[dict[str, Tensor], dict[str, Curvature]],
) -> None:
    cfg, blob, _ = artifact(trained)
    quantized = decode_artifact(cfg, blob)
    assert {name for name, tensor in quantized.items() if tensor.scheme == SCHEME_TCQ} == set(trained[1])
    assert encode_artifact(cfg, quantized) == blob == artifact(trained)[1]
    for name, weight in dequantize_weights(cfg, quantized).items():
        if name not in trained[1]:
            torch.testing.assert_close(weight, trained[0][name], rtol=1e-3, atol=1e-6)
    for name, weight in dequantize_weights(cfg, quantized).items():
        assert 0 <= (weight - trained[0][name]).norm() < 0.8 * trained[0][name].norm()


def artifact_from_scratch() -> bytes:
    return artifact(make_trained())[1]


def test_two_processes_write_the_same_bytes(trained: tuple[dict[str, Tensor], dict[str, Curvature]]) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(artifact_from_scratch) == artifact(trained)[1]


def test_bytes_are_accounted_for_by_kind(trained: tuple[dict[str, Tensor], dict[str, Curvature]]) -> None:
    cfg, blob, _ = artifact(trained)
    shares = byte_shares(cfg, decode_artifact(cfg, blob), len(blob))
    assert sum(shares.values()) == pytest.approx(len(blob))
    assert {kind for name, kind in shares if name in trained[1]} == {"symbols", "scales"}
    assert {kind for name, kind in shares if name not in trained[1]} == {"passthrough"}


@pytest.mark.parametrize("target", [40_000, 55_000, 70_000])
def test_the_last_bytes_under_a_target_are_used(
    trained: tuple[dict[str, Tensor], dict[str, Curvature]], target: int
) -> None:
    _, blob, lines = artifact(trained, target_bytes=target, margin_bytes=100)
    assert target - 100 - FILL_BYTES < CODE_BYTES + len(blob) <= target - 100
    assert 1 <= len(lines) <= 5
    assert lines[-1].startswith(f"fill:attempt {len(lines)}: {len(blob)} bytes at step ")


def test_a_target_that_nothing_reaches_takes_the_finest_steps(
    trained: tuple[dict[str, Tensor], dict[str, Curvature]],
) -> None:
    _, blob, lines = artifact(trained, target_bytes=10**7)
    assert len(lines) == 1
    assert len(blob) > 70_000


def test_matrices_of_zeros_leave_the_room_to_the_others(
    trained: tuple[dict[str, Tensor], dict[str, Curvature]],
) -> None:
    state, curvatures = trained
    empty = {name: torch.zeros_like(tensor) if "mlp" in name else tensor for name, tensor in state.items()}
    _, blob, _ = artifact((empty, curvatures), target_bytes=35_000)
    assert 35_000 - FILL_BYTES < CODE_BYTES + len(blob) <= 35_000
    everything = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    assert len(artifact((everything, curvatures), target_bytes=35_000)[1]) < 5000


def test_a_target_too_small_for_the_loosest_steps_says_by_how_much(
    trained: tuple[dict[str, Tensor], dict[str, Curvature]],
) -> None:
    with pytest.raises(
        InputError, match=r"^artifact.target_bytes: expected room for the loosest steps, found \d+ bytes"
    ):
        artifact(trained, target_bytes=CODE_BYTES + 500)


def attempt_of(size: Callable[[float], float]) -> Callable[[float], tuple[dict[str, QuantizedTensor], int]]:
    """Attempts of a known size, whose one tensor holds it."""

    def attempt(step: float) -> tuple[dict[str, QuantizedTensor], int]:
        artifact_bytes = round(size(step))
        return {"w": QuantizedTensor(SCHEME_FP32, np.array(artifact_bytes))}, artifact_bytes

    return attempt


def size_of(found: dict[str, QuantizedTensor]) -> int:
    return int(found["w"].values)


def test_the_search_copes_with_a_poor_prediction() -> None:
    lines: list[str] = []
    found = fill(
        attempt_of(lambda step: 3e5 / (1 + step)),
        lambda octave: 4e5 - 1e4 * octave,
        (1e-3, 1e3),
        90_000,
        60,
        lines.append,
    )
    assert 90_000 - FILL_BYTES < size_of(found) <= 90_000


def test_sizes_that_jump_over_the_goal_give_the_best_that_fits() -> None:
    jump = attempt_of(lambda step: 95_000 if step < 1.7 else 60_000)
    found = fill(jump, lambda octave: 80_000 - 1000 * octave, (1e-3, 1e3), 90_000, 60, lambda line: None)
    assert size_of(found) == 60_000


def test_no_attempt_begins_that_would_end_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that each attempt moves by 20 s; the first that fits ends the search when time is over."""
    now = 0.0

    def size(step: float) -> float:
        nonlocal now
        now += 20
        return 1e5 - 1e4 * step

    monkeypatch.setattr(tcq_fill, "time", SimpleNamespace(perf_counter=lambda: now))
    lines: list[str] = []
    found = fill(attempt_of(size), lambda octave: 9e4 - 100 * octave, (1e-3, 9), 50_000, 50, lines.append)
    assert size_of(found) <= 50_000
    assert now <= 80


def test_steps_follow_the_loss_they_may_cost() -> None:
    """K^2 / 24 nats for each weight."""
    assert loss_step(0.02, 1_000_000) ** 2 / 24 * 1_000_000 == pytest.approx(0.02)
