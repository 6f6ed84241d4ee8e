"""HybridQuant: levels against their definition, what goes where, training with them, and the coded stream."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from toolkit.components.artifact.artifact import decode_artifact, encode_artifact
from toolkit.components.artifact.level_coder import decode_levels, encode_levels
from toolkit.components.artifact.quantized import SCHEME_FP16
from toolkit.components.artifact.schemes import dequantize_weights
from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.model.levels import quantize_levels, straight_through
from toolkit.components.quantizing.hybrid import level_tensor
from toolkit.components.quantizing.methods import quantize_weights
from toolkit.components.settings.hybrid import Hybrid
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize
from toolkit.recipe import load_recipe

CFG = Config(
    model=Model(
        vocab_size=48, model_dim=32, num_heads=2, num_kv_heads=1, num_layers=2, bigram_dim=8, bigram_buckets=40
    ),
    quantize=Quantize(method="hybrid", passthrough_max_numel=0),
)


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("levels", [2, 4, 16, 32, 64, 256])
def test_even_levels_divide_the_largest_weight_of_a_row(levels: int) -> None:
    weight = gaussian(5, 40) * torch.tensor([[1e-3], [0.1], [1.0], [3.0], [50.0]])
    symbols, step = quantize_levels(weight, levels)
    for row, row_symbols, row_step in zip(weight.numpy(), symbols.numpy(), step.numpy(), strict=True):
        scale = np.float32(np.float16(np.abs(row).max() / (levels // 2)))
        assert row_step == scale
        assert (row_symbols == np.clip(np.round(row / scale), -(levels // 2), levels // 2 - 1)).all()


def test_pentanary_levels_have_two_thresholds_and_the_best_step() -> None:
    weight = gaussian(6, 50) * torch.logspace(-3, 2, 6)[:, None]
    symbols, step = quantize_levels(weight, 5)
    for row, row_symbols, row_step in zip(weight.double().numpy(), symbols.numpy(), step.numpy(), strict=True):
        threshold = 0.7 * np.abs(row).mean()
        expected = [np.sign(w) * (int(abs(w) > threshold) + int(abs(w) > 2 * threshold)) for w in row]
        assert (row_symbols == expected).all()
        assert row_step == pytest.approx(row @ row_symbols / (row_symbols @ row_symbols), rel=2**-10)


def test_pentanary_symbols_of_gaussian_weights_have_the_entropy_of_the_seed() -> None:
    """2.133 bits by theory, 2.124 measured by #1465."""
    table = level_tensor(gaussian(64, 4096), 5).side[1] / 2**14
    assert -(table * np.log2(table)).sum() == pytest.approx(2.133, abs=0.003)
    np.testing.assert_allclose(table, [0.132, 0.156, 0.424, 0.156, 0.132], atol=0.002)


@pytest.mark.parametrize("levels", [5, 16, 64])
def test_rows_of_zeros_and_single_columns_are_kept(levels: int) -> None:
    weight = gaussian(3, 8)
    weight[1] = 0
    symbols, step = quantize_levels(weight, levels)
    assert not symbols[1].any()
    assert (step > 0).all()
    column = torch.tensor([[0.37], [-2.5], [0.0]])
    symbols, step = quantize_levels(column, levels)
    # A positive weight that is alone in its row loses one of the levels above zero.
    torch.testing.assert_close(symbols * step, column, rtol=0 if levels == 5 else 2 / levels, atol=2e-3)


def test_each_class_of_matrix_has_its_levels() -> None:
    torch.manual_seed(0)
    quantized = quantize_weights(CFG, GPT(CFG).state_dict(), {})
    schemes = {name.removeprefix("blocks.1."): tensor.scheme for name, tensor in quantized.items()}
    assert schemes["attn.c_q.weight"] == schemes["attn.c_k.weight"] == -64
    assert schemes["attn.c_v.weight"] == schemes["attn.proj.weight"] == -32
    assert schemes["mlp.fc.weight"] == -5
    assert schemes["mlp.proj.weight"] == -16
    assert schemes["tok_emb.weight"] == schemes["bigram.embed.weight"] == -64
    assert {schemes[name] for name in ("bigram.proj.weight", "attn_scale", "attn.q_gain")} == {SCHEME_FP16}


def test_a_class_without_levels_stays_fp16() -> None:
    cfg = replace(CFG, hybrid=Hybrid(embed_levels=0, up_levels=0))
    torch.manual_seed(0)
    quantized = quantize_weights(cfg, GPT(cfg).state_dict(), {})
    assert quantized["tok_emb.weight"].scheme == quantized["blocks.0.mlp.fc.weight"].scheme == SCHEME_FP16
    assert quantized["blocks.0.mlp.proj.weight"].scheme == -16


@pytest.mark.parametrize("levels", [-2, 1, 3, 7, 258])
def test_levels_that_no_scheme_has_are_refused(levels: int) -> None:
    with pytest.raises(InputError, match=r"^hybrid\.up_levels: expected 0, 5 or an even number from 2 to 256"):
        Hybrid(up_levels=levels)


def test_the_gradient_passes_straight_through() -> None:
    weight = gaussian(4, 6).requires_grad_()
    out = straight_through(weight, 5)
    symbols, step = quantize_levels(weight.detach(), 5)
    torch.testing.assert_close(out.detach(), symbols * step)
    (out * torch.arange(24.0).view(4, 6)).sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.arange(24.0).view(4, 6))


def test_training_sees_the_weights_of_the_artifact_and_evaluation_takes_them_as_they_are() -> None:
    cfg = replace(CFG, hybrid=Hybrid(embed_levels=0))  # tables are not trained with
    torch.manual_seed(0)
    model = GPT(cfg)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
        parameter.data = parameter.data.half().float()
    tokens = torch.randint(48, (2, 9))
    with torch.no_grad():
        trained = model(tokens)
        blob = encode_artifact(cfg, quantize_weights(cfg, model.state_dict(), {}))
        model.eval()
        assert not torch.allclose(model(tokens), trained, atol=1e-2)
        model.load_state_dict(dequantize_weights(cfg, decode_artifact(cfg, blob)))
        torch.testing.assert_close(model(tokens), trained, rtol=1e-4, atol=1e-4)


def test_training_with_levels_compiles_as_one_graph() -> None:
    torch.manual_seed(0)
    model = GPT(CFG)
    tokens, targets = torch.randint(48, (2, 2, 9))
    compiled = torch.compile(model, backend="eager", fullgraph=True, dynamic=False)
    torch.testing.assert_close(compiled(tokens, targets), model(tokens, targets))


def test_the_artifact_holds_the_quantized_weights_and_little_more_than_their_entropy() -> None:
    cfg = replace(CFG, model=replace(CFG.model, model_dim=256, num_layers=4))
    state = {name: gaussian(*tensor.shape) for name, tensor in GPT(cfg).state_dict().items()}
    quantized = quantize_weights(cfg, state, {})
    blob = encode_artifact(cfg, quantized)
    expected = dequantize_weights(cfg, quantized)
    for name, tensor in dequantize_weights(cfg, decode_artifact(cfg, blob)).items():
        assert torch.equal(tensor, expected[name]), name
    coded = [tensor for tensor in quantized.values() if tensor.scheme < 0]
    shares = [np.unique(tensor.values, return_counts=True)[1] for tensor in coded]
    entropy_bytes = sum(-(n * np.log2(n / n.sum())).sum() / 8 for n in shares)
    assert len(encode_levels([(tensor.values, tensor.side) for tensor in coded])) < 1.002 * entropy_bytes + 4 * 256


def test_tables_that_do_not_fill_their_slots_are_refused() -> None:
    tensor = level_tensor(gaussian(3, 8), 16)
    steps, table = tensor.side
    data = encode_levels([(tensor.values, tensor.side)])
    assert (decode_levels(data, [((3, 8), tensor.side)])[0] == tensor.values).all()
    table = table.copy()
    table[0] += 1
    with pytest.raises(InputError, match="expected tables of 16384 slots"):
        decode_levels(data, [((3, 8), (steps, table))])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e6])
def test_numbers_that_cannot_be_stored_are_errors_that_name_the_tensor(bad: float) -> None:
    for name in ("blocks.0.mlp.fc.weight", "tok_emb.weight", "blocks.0.attn_scale"):
        weight = gaussian(8, 8) if name.endswith("weight") else gaussian(8)
        weight.view(-1)[5] = bad
        with pytest.raises(InputError, match=rf"^{name}.*: expected finite"):
            quantize_weights(CFG, {name: weight}, {})


def test_the_recipes_are_those_of_the_seed() -> None:
    newer, older = load_recipe("hybridquant"), load_recipe("hybridquant_v61")
    assert (newer.model.mlp_mult, older.model.mlp_mult) == (5, 4)
    assert (newer.model.qk_gain, older.model.qk_gain) == (5.0, 2.0)
    assert (newer.hybrid.embed_levels, older.hybrid.embed_levels) == (64, 0)
    assert newer.quantize.label == "hybrid+rans"
    assert newer.artifact_id != replace(newer, hybrid=Hybrid(up_levels=16)).artifact_id
