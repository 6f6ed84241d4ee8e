"""The forecast against published records, counted operations and sampled weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from toolkit.check.rulebook.limits import cap_bytes
from toolkit.components.artifact.artifact import encode_artifact
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.hybrid import level_tensor
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.components.settings.hybrid import Hybrid, hybrid_bits
from toolkit.components.settings.method import PlannedTensor
from toolkit.components.settings.methods import METHODS
from toolkit.components.settings.rounding import gaussian_bits
from toolkit.errors import GolfError
from toolkit.plan import (
    FITTED,
    count_parameters,
    fit,
    forward_flops_per_token,
    make_plan,
    planned_tensors,
)
from toolkit.recipe import load_recipe, recipe_names


def without_value_embedding(cfg: Config, vocab_size: int) -> Config:
    model = replace(cfg.model, vocab_size=vocab_size, value_embed_dim=0, value_embed_layers=())
    return replace(cfg, model=model)


@pytest.mark.parametrize(
    ("cfg", "published_bytes"),
    [
        pytest.param(load_recipe("naive_baseline"), 15_815_847, id="B0-int8-zlib"),
        pytest.param(load_recipe("hybridquant_v61"), 15_066_137, id="S2-v6.1-rans"),
        # #1394: the shapes of sp4096 with 8,192 tokens, no value embedding, and SDClip as in our recipe.
        pytest.param(without_value_embedding(load_recipe("sp4096"), 8192), 15_972_031, id="R2-int6-brotli"),
    ],
)
def test_model_bytes_are_within_one_percent_of_published_artifacts(cfg: Config, published_bytes: int) -> None:
    assert make_plan(cfg, 0).model_bytes == pytest.approx(published_bytes, rel=0.01)


@pytest.mark.parametrize(("name", "published_steps"), [("naive_baseline", 13_780), ("sp4096", 5_962)])
def test_published_step_counts_lie_in_the_range(name: str, published_steps: int) -> None:
    low, high = make_plan(load_recipe(name), 0).steps_8xh100
    assert 0.995 * low <= published_steps <= 1.005 * high


@pytest.mark.parametrize("name", ["naive_baseline", "sp4096", "demo"])
def test_forward_flops_match_those_counted_on_the_model(name: str) -> None:
    """torch counts the full square of attention; the formula only its causal half, T + 1 of 2 T."""
    cfg = load_recipe(name)
    cfg = replace(cfg, model=replace(cfg.model, num_layers=2, xsa_layers=0, value_embed_dim=0, value_embed_layers=()))
    length = cfg.train.seq_len
    with torch.device("meta"):
        gpt = GPT(cfg)
        tokens = torch.zeros(1, length, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        gpt(tokens)
    matrices = sum(module.weight.numel() for module in gpt.modules() if isinstance(module, torch.nn.Linear))
    unmasked = 4 * cfg.model.num_layers * cfg.model.model_dim * length
    causal = unmasked * (length + 1) // (2 * length)
    assert forward_flops_per_token(cfg, matrices) == counter.get_total_flops() // length - unmasked + causal


@pytest.mark.parametrize(("levels", "clip_sigmas"), [(31, 12.85), (127, 20.0), (7, 4.0), (1, 0.5)])
def test_gaussian_bits_equal_the_entropy_of_sampled_weights(levels: int, clip_sigmas: float) -> None:
    weights = np.random.default_rng(0).standard_normal(1_000_000)
    q = np.clip(np.round(weights * levels / clip_sigmas), -levels, levels).astype(int)
    shares = np.bincount(q + levels) / q.size
    shares = shares[shares > 0]
    assert gaussian_bits(levels, clip_sigmas) == pytest.approx(-(shares * np.log2(shares)).sum(), abs=5e-3)


@pytest.mark.parametrize(
    ("levels", "clip_sigmas", "bits"), [(31, 12.85, 3.33), (31, 11.5, 3.49), (127, 20.0, 4.72), (63, 14.0, 4.22)]
)
def test_gaussian_bits_of_published_settings(levels: int, clip_sigmas: float, bits: float) -> None:
    assert gaussian_bits(levels, clip_sigmas) == pytest.approx(bits, abs=5e-3)
    assert gaussian_bits(levels, clip_sigmas) == pytest.approx(np.log2(levels / clip_sigmas) + 2.047, abs=0.011)


@pytest.mark.parametrize("name", recipe_names())
def test_totals_add_up(name: str) -> None:
    cfg = load_recipe(name)
    plan = make_plan(cfg, code_bytes=12_345)
    report = plan.to_json()
    assert report["parameters"] == sum(plan.parameters.values()) == count_parameters(cfg)
    assert report["estimated_total_bytes"] == plan.model_bytes + 12_345
    assert report["estimated_bytes_left"] == cap_bytes() - plan.model_bytes - 12_345
    assert report["training_flops_per_token"] == 3 * plan.forward_flops


@pytest.mark.parametrize(("name", "symbol_bytes"), [("hybridquant_v61", 12_807_948)])
def test_hybridquant_comes_near_the_seeds_breakdown(name: str, symbol_bytes: int) -> None:
    """#1123: bytes of the rANS payload. Its rows are not quite Gaussian, and its largest weights not those of one."""
    cfg = load_recipe(name)
    planned = [(tensor.numel, hybrid_bits(cfg, tensor)) for tensor in planned_tensors(cfg)]
    coded = [(numel, found.bits) for numel, found in planned if found]
    assert sum(numel for numel, _ in coded) == 31_719_424
    expected = sum(numel * bits / 8 for numel, bits in coded)
    assert expected == pytest.approx(symbol_bytes, rel=0.03)


@pytest.mark.parametrize("levels", [5, 16, 32, 64])
def test_bits_of_hybridquant_are_the_entropy_of_gaussian_symbols(levels: int) -> None:
    weight = torch.randn(256, 512, generator=torch.Generator().manual_seed(0))
    table = level_tensor(weight, levels).side[1]
    shares = table[table > 0] / table.sum()
    cfg = Config(hybrid=Hybrid(up_levels=levels))
    planned = hybrid_bits(cfg, PlannedTensor("blocks.0.mlp.fc.weight", "matrix", (256, 512)))
    assert planned is not None
    assert planned.bits == pytest.approx(-(shares * np.log2(shares)).sum(), rel=0.01)
    assert planned.side_bytes == 2 * 256 + 2 * levels


def test_the_cap_decides_whether_it_fits() -> None:
    cfg = load_recipe("sp4096")
    room = cap_bytes() - make_plan(cfg, 0).model_bytes
    assert make_plan(cfg, room).to_json()["fits"] is True
    assert make_plan(cfg, room + 1).to_json()["fits"] is False


@pytest.mark.parametrize("method", METHODS)
def test_what_is_not_quantized_is_counted_as_the_artifact_holds_it(method: str) -> None:
    """All matrices fp16, all vectors and scalars as `quantize_weights` stores them."""
    cfg = load_recipe("demo")
    cfg = replace(cfg, quantize=replace(cfg.quantize, method=method, passthrough_max_numel=10**9))
    stored = quantize_weights(cfg, GPT(cfg).state_dict(), {})
    assert make_plan(cfg, 0).model_bytes == sum(tensor.values.nbytes for tensor in stored.values())


def test_model_bytes_match_an_encoded_artifact_of_gaussian_weights() -> None:
    cfg = load_recipe("demo")
    cfg = replace(cfg, model=replace(cfg.model, num_layers=1, xsa_layers=1))
    torch.manual_seed(0)
    state = {name: torch.randn_like(tensor) for name, tensor in GPT(cfg).state_dict().items()}
    artifact = encode_artifact(cfg, quantize_weights(cfg, state, {}))
    assert make_plan(cfg, 0).model_bytes == pytest.approx(len(artifact), rel=0.01)


@pytest.mark.parametrize("setting", list(FITTED))
@pytest.mark.parametrize("name", ["sp4096"])
def test_fit_finds_the_largest_value_below_the_cap(name: str, setting: str) -> None:
    cfg = load_recipe(name)
    plan = fit(cfg, setting, 12_345)
    value = getattr(plan.cfg.model, setting)
    assert plan.bytes_left >= 0
    assert value >= getattr(cfg.model, setting)
    with_code = make_plan(plan.cfg, 12_345)
    assert with_code.total_bytes == plan.total_bytes
    room_for_more = cap_bytes() - plan.total_bytes
    assert room_for_more < plan.model_bytes * (1.1 * FITTED[setting] / value if setting != "model_dim" else 0.3)


def test_fit_shrinks_what_is_too_large_and_moves_layers_that_count_from_the_last() -> None:
    cfg = load_recipe("sp4096")
    plan = fit(cfg, "num_layers", 4_000_000)
    assert plan.cfg.model.num_layers < 11
    assert plan.cfg.model.xsa_layers == plan.cfg.model.num_layers
    assert plan.cfg.model.value_embed_layers == (plan.cfg.model.num_layers - 2, plan.cfg.model.num_layers - 1)
    with pytest.raises(
        GolfError, match=r"^num_layers: expected a value whose estimate is below 16,000,000 bytes, found"
    ):
        fit(cfg, "num_layers", cap_bytes())


def test_methods_are_forecast_side_by_side() -> None:
    plan = make_plan(load_recipe("sp4096"), 0)
    assert plan.scheme_bytes["gptq"][0] <= plan.model_bytes <= plan.scheme_bytes["gptq"][1]
    assert plan.scheme_bytes["tcq"][1] < plan.scheme_bytes["gptq"][0]
    tcq = make_plan(load_recipe("sp4096_tcq"), 0)
    assert plan.scheme_bytes["tcq"][0] <= tcq.model_bytes <= plan.scheme_bytes["tcq"][1]
