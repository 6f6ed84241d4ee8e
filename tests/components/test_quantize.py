"""From a state dict to symbols and scales and back: the formulas, degenerate rows, what goes where, bad numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from toolkit.components.artifact.quantized import SCHEME_FP16, SCHEME_FP32
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.gptq import sd_clip_scale
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize

SDCLIP = Config(quantize=Quantize(passthrough_max_numel=0))
PERCENTILE = Config(quantize=Quantize(method="percentile", matrix_bits=8, passthrough_max_numel=0))
MATRIX = "blocks.0.mlp.fc.weight"


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_sdclip_takes_the_sample_deviation_of_each_row() -> None:
    weight = gaussian(5, 40) * torch.tensor([[1e-3], [0.1], [1.0], [3.0], [50.0]]) + 0.01
    quantized = quantize_weights(SDCLIP, {MATRIX: weight}, {})[MATRIX]
    deviation = weight.numpy().astype(np.float64).std(axis=1, ddof=1)
    np.testing.assert_allclose(quantized.side[0], 12.85 * deviation / 31, rtol=2**-11 + 1e-6)
    assert quantized.scheme == 6
    assert quantized.values.dtype == np.int8
    assert quantized.side[0].dtype == np.float16


def test_embeddings_have_their_own_bits_and_clip() -> None:
    state = {"tok_emb.weight": gaussian(20, 16), "ve.embed.weight": gaussian(20, 8)}
    for name, tensor in quantize_weights(SDCLIP, state, {}).items():
        assert tensor.scheme == 8
        deviation = state[name].numpy().std(axis=1, ddof=1)
        np.testing.assert_allclose(tensor.side[0], 20 * deviation / 127, rtol=2**-11 + 1e-6)


def test_weights_are_rounded_with_the_scale_that_is_stored() -> None:
    weight = 300 * gaussian(4, 500)
    quantized = quantize_weights(SDCLIP, {"tok_emb.weight": weight}, {})["tok_emb.weight"]
    stored = torch.from_numpy(quantized.side[0]).float()[:, None]
    assert torch.equal(torch.from_numpy(quantized.values).float(), (weight / stored).round())
    assert not torch.equal(stored, 20 * weight.std(1, keepdim=True) / 127)


@pytest.mark.parametrize("cfg", [SDCLIP, PERCENTILE], ids=["sdclip", "percentile"])
def test_rows_of_zeros_stay_zero(cfg: Config) -> None:
    state = {MATRIX: gaussian(3, 8)}
    state[MATRIX][1] = 0
    quantized = quantize_weights(cfg, state, {MATRIX: torch.eye(8)})
    assert (quantized[MATRIX].side[0] > 0).all()
    restored = dequantize_weights(cfg, quantized)[MATRIX]
    assert not restored[1].any()
    assert restored[[0, 2]].any(1).all()


@pytest.mark.parametrize("columns", [1, 7])
def test_constant_rows_survive_although_they_do_not_deviate(columns: int) -> None:
    weight = torch.tensor([[0.37], [-2.5], [1e-3]]).expand(3, columns).contiguous()
    restored = dequantize_weights(SDCLIP, quantize_weights(SDCLIP, {MATRIX: weight}, {}))[MATRIX]
    torch.testing.assert_close(restored, weight, rtol=2**-10, atol=0)


@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 9),
    seed=st.integers(0, 10_000),
    magnitude=st.sampled_from([1e-4, 1.0, 1e3]),
)
def test_within_the_clip_no_weight_moves_by_more_than_half_a_step(
    rows: int, columns: int, seed: int, magnitude: float
) -> None:
    weight = magnitude * gaussian(rows, columns, seed=seed)
    quantized = quantize_weights(SDCLIP, {MATRIX: weight}, {})
    scale = torch.from_numpy(quantized[MATRIX].side[0]).float()[:, None]
    inside = weight.abs() <= 31.5 * scale
    assert ((dequantize_weights(SDCLIP, quantized)[MATRIX] - weight).abs() <= 0.5001 * scale)[inside].all()
    assert np.abs(quantized[MATRIX].values).max() <= 31


def test_the_baselines_scale_is_a_percentile_with_a_floor() -> None:
    weight = gaussian(4, 5000) * torch.tensor([[0.01], [0.2], [1.0], [30.0]])
    quantized = quantize_weights(PERCENTILE, {MATRIX: weight}, {})[MATRIX]
    clip = np.quantile(np.abs(weight.numpy()).astype(np.float64), 0.9999984, axis=1)
    np.testing.assert_allclose(quantized.side[0], np.maximum(clip, 1) / 127, rtol=2**-11 + 1e-6)
    assert quantized.side[0][0] == np.float16(1 / 127)
    assert quantized.scheme == 8


def test_hessians_are_used_where_there_are_any() -> None:
    weight, x = gaussian(16, 24), gaussian(100, 24, seed=1) @ gaussian(24, 24, seed=2)
    hessian = x.T @ x
    errors = []
    for hessians in ({}, {MATRIX: hessian}):
        error = dequantize_weights(SDCLIP, quantize_weights(SDCLIP, {MATRIX: weight}, hessians))[MATRIX] - weight
        errors.append(((error @ hessian) * error).sum().item())
    assert errors[1] < 0.7 * errors[0]


def test_small_tensors_become_fp16_and_control_tensors_stay_fp32() -> None:
    cfg = Config(
        model=Model(vocab_size=32, model_dim=16, num_heads=2, num_kv_heads=1, num_layers=2),
        quantize=Quantize(passthrough_max_numel=16 * 16),
    )
    torch.manual_seed(0)
    state = GPT(cfg).state_dict()
    quantized = quantize_weights(cfg, state, {})
    schemes = {name.removeprefix("blocks.0."): tensor.scheme for name, tensor in quantized.items()}
    assert schemes["tok_emb.weight"] == 8
    assert schemes["mlp.fc.weight"] == schemes["mlp.proj.weight"] == 6
    assert schemes["attn.c_q.weight"] == schemes["resid_mix"] == schemes["skip_weights"] == SCHEME_FP16
    assert schemes["attn.q_gain"] == schemes["attn_scale"] == SCHEME_FP32
    restored = dequantize_weights(cfg, quantized)
    assert all(tensor.dtype == torch.float32 for tensor in restored.values())
    for name, tensor in quantized.items():
        assert tensor.shape == tuple(state[name].shape)
        if tensor.scheme == SCHEME_FP32:
            assert torch.equal(restored[name], state[name])
        if tensor.scheme == SCHEME_FP16:
            assert torch.equal(restored[name], state[name].half().float())
    GPT(cfg).load_state_dict(restored)


def test_two_dimensional_control_tensors_never_become_integers() -> None:
    assert quantize_weights(SDCLIP, {"skip_weights": gaussian(4, 8)}, {})["skip_weights"].scheme == SCHEME_FP16


@pytest.mark.parametrize("cfg", [SDCLIP, PERCENTILE], ids=["sdclip", "percentile"])
@pytest.mark.parametrize("name", [MATRIX, "tok_emb.weight", "skip_weights", "blocks.0.attn_scale"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_an_error_that_names_the_tensor(cfg: Config, name: str, bad: float) -> None:
    weight = gaussian(8) if name.endswith("scale") else gaussian(3, 8)
    weight.view(-1)[5] = bad
    with pytest.raises(InputError, match=rf"^{name}: expected finite .* found 1 others of {weight.numel()}; "):
        quantize_weights(cfg, {name: weight}, {})


def test_what_fp16_cannot_hold_is_an_error() -> None:
    with pytest.raises(InputError, match=r"^skip_weights: expected finite numbers below 65,504"):
        quantize_weights(SDCLIP, {"skip_weights": torch.full((2, 2), 1e5)}, {})
    with pytest.raises(InputError, match=rf"^{MATRIX}, scales: expected finite numbers below 65,504"):
        quantize_weights(SDCLIP, {MATRIX: 1e7 * gaussian(2, 8)}, {})


def test_bad_hessians_are_errors_that_name_the_tensor() -> None:
    state = {MATRIX: gaussian(3, 2)}
    with pytest.raises(InputError, match=rf"^{MATRIX}, Hessian: expected finite"):
        quantize_weights(SDCLIP, state, {MATRIX: torch.tensor([[1.0, 0.0], [0.0, float("nan")]])})
    with pytest.raises(InputError, match=rf"^{MATRIX}, Hessian: expected a positive definite matrix"):
        quantize_weights(SDCLIP, state, {MATRIX: torch.tensor([[1.0, 1e6], [1e6, 1.0]])})


def test_quantizing_leaves_the_state_as_it_was() -> None:
    state = {MATRIX: gaussian(6, 8), "skip_weights": gaussian(2, 4)}
    before = {name: tensor.clone() for name, tensor in state.items()}
    hessians = {MATRIX: torch.eye(8) + 0.1}
    first = quantize_weights(SDCLIP, state, hessians)
    assert all(torch.equal(state[name], before[name]) for name in state)
    assert torch.equal(hessians[MATRIX], torch.eye(8) + 0.1)
    again = quantize_weights(SDCLIP, state, hessians)
    assert all(np.array_equal(first[name].values, again[name].values) for name in state)


def test_a_scale_never_falls_below_what_fp16_can_hold() -> None:
    scale = sd_clip_scale(torch.zeros(2, 4), 12.85, 31)
    assert torch.equal(scale, torch.full((2, 1), 2.0**-24))
    assert scale.half().min() > 0
