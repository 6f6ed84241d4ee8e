"""GPTQ against a slow reference that follows the derivation, and Hessians against a direct computation."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.calibration import ALONE, noisy_model, on_two_ranks, random_shards
from toolkit.components.base.failure import InputError
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.linear import rms_norm
from toolkit.components.quantizing.gptq import collect_hessians, gptq_symbols, inverse_factor
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.train import Train
from toolkit.components.text.loader import make_loader

Q_MAX = 7
CALIBRATED = Config(
    model=Model(vocab_size=48, model_dim=32, num_heads=4, num_kv_heads=2, num_layers=2),
    train=Train(batch_tokens=256, seq_len=64, micro_batches=2),
    quantize=Quantize(calibration_batches=3, passthrough_max_numel=600),
)


def problem(rows: int, columns: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """A weight, a Hessian of correlated inputs of unequal size, and row steps; float64, so that ties decide nothing."""
    generator = torch.Generator().manual_seed(seed)
    weight, mix = (torch.randn(n, columns, dtype=torch.float64, generator=generator) for n in (rows, columns))
    x = torch.randn(4 * columns, columns, dtype=torch.float64, generator=generator) @ mix
    return weight, x.T @ x, weight.abs().mean(1, keepdim=True) / 2


def obq_symbols(weight: Tensor, hessian: Tensor, scale: Tensor, damping: float) -> Tensor:
    """Optimal brain quantization, one column after another: round it, spread its error, take it out of the inverse."""
    w, step = weight.clone(), scale[:, 0]
    diagonal = hessian.diagonal()
    inverse = torch.linalg.inv(hessian + damping * diagonal.mean() * torch.eye(len(hessian)))
    symbols = torch.zeros_like(w)
    for i in sorted(range(len(hessian)), key=lambda i: -diagonal[i].item()):
        symbols[:, i] = (w[:, i] / step).round().clamp(-Q_MAX, Q_MAX)
        error = w[:, i] - step * symbols[:, i]
        w -= error[:, None] * inverse[i] / inverse[i, i]
        inverse = inverse - inverse[:, [i]] * inverse[[i], :] / inverse[i, i]
    return symbols


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (5, 1), (1, 6), (4, 9), (12, 30)])
def test_symbols_are_those_of_the_slow_reference(rows: int, columns: int) -> None:
    for seed in range(3):
        weight, hessian, scale = problem(rows, columns, seed)
        symbols = gptq_symbols(weight, hessian, scale, Q_MAX, 0.01, 4)
        assert torch.equal(symbols, obq_symbols(weight, hessian, scale, 0.01))


def test_block_size_changes_nothing() -> None:
    weight, hessian, scale = problem(6, 50)
    one, *others = (gptq_symbols(weight, hessian, scale, Q_MAX, 0.01, size) for size in (1, 7, 25, 50, 128))
    for other in others:
        assert torch.equal(one, other)


def test_symbols_stay_in_range_where_the_clip_is_tight() -> None:
    weight, hessian, scale = problem(8, 40)
    symbols = gptq_symbols(weight, hessian, scale / 4, Q_MAX, 0.01, 16)
    assert symbols.abs().max() == Q_MAX
    assert torch.equal(symbols, symbols.round())


def test_outputs_come_closer_than_with_rounding_to_nearest() -> None:
    weight, hessian, scale = problem(32, 64)

    def output_error(symbols: Tensor) -> float:
        error = weight - scale * symbols
        return ((error @ hessian) * error).sum().item()

    nearest = (weight / scale).round().clamp(-Q_MAX, Q_MAX)
    assert output_error(gptq_symbols(weight, hessian, scale, Q_MAX, 0.01, 16)) < 0.5 * output_error(nearest)


def test_independent_inputs_are_rounded_to_nearest() -> None:
    weight, hessian, scale = problem(8, 20)
    symbols = gptq_symbols(weight, hessian.diagonal().diag(), scale, Q_MAX, 0.01, 16)
    assert torch.equal(symbols, (weight / scale).round().clamp(-Q_MAX, Q_MAX))


def test_symbols_follow_their_columns_when_the_inputs_are_renumbered() -> None:
    weight, hessian, scale = problem(8, 20)
    shuffled = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    symbols = gptq_symbols(weight, hessian, scale, Q_MAX, 0.01, 16)
    moved = gptq_symbols(weight[:, shuffled], hessian[shuffled][:, shuffled], scale, Q_MAX, 0.01, 16)
    assert torch.equal(moved, symbols[:, shuffled])


def test_a_dead_input_gets_zeros_and_leaves_the_others_alone() -> None:
    weight, hessian, scale = problem(8, 20)
    live = torch.arange(20) % 6 != 2
    hessian[~live] = hessian[:, ~live] = 0
    symbols = gptq_symbols(weight, hessian, scale, Q_MAX, 0.01, 4)
    assert not symbols[:, ~live].any()
    assert torch.equal(symbols[:, live], gptq_symbols(weight[:, live], hessian[live][:, live], scale, Q_MAX, 0.01, 4))
    assert not gptq_symbols(weight, torch.zeros_like(hessian), scale, Q_MAX, 0.01, 4).any()


def test_factor_is_the_upper_cholesky_factor_of_the_damped_inverse() -> None:
    _, hessian, _ = problem(1, 12)
    factor = inverse_factor(hessian, 0.01)
    damped = hessian + 0.01 * hessian.diagonal().mean() * torch.eye(12)
    torch.testing.assert_close(factor, torch.linalg.cholesky(torch.linalg.inv(damped), upper=True))


def test_damping_is_raised_until_the_hessian_is_positive_definite() -> None:
    indefinite = torch.tensor([[1.0, 1.5], [1.5, 1.0]])  # eigenvalues -0.5 and 2.5: 0.01 and 0.1 are not enough
    factor = inverse_factor(indefinite, 0.01)
    torch.testing.assert_close(factor.T @ factor, torch.linalg.inv(indefinite.double() + torch.eye(2)))


def test_a_hopeless_hessian_is_an_error_that_names_the_limit() -> None:
    hopeless = torch.tensor([[1.0, 1e6], [1e6, 1.0]])
    with pytest.raises(InputError, match=r"positive definite matrix, found none with damping up to 100;"):
        inverse_factor(hopeless, 0.01)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return random_shards(CALIBRATED, tmp_path)


def hessians_of(paths: list[Path], ranks: Ranks = ALONE) -> dict[str, np.ndarray]:
    loader = make_loader(CALIBRATED, paths, ranks.rank, ranks.world_size, 0)
    hessians = collect_hessians(CALIBRATED, noisy_model(CALIBRATED), loader, ranks)
    return {name: hessian.numpy() for name, hessian in hessians.items()}


@torch.no_grad()
def test_hessians_are_the_second_moments_of_each_layers_inputs(paths: list[Path]) -> None:
    model, hessians = noisy_model(CALIBRATED), hessians_of(paths)
    large = ("c_q.weight", "attn.proj.weight", "fc.weight", "mlp.proj.weight", "tok_emb.weight")  # above 600
    assert set(hessians) == {name for name, _ in model.named_parameters() if name.endswith(large)}
    loader, block = make_loader(CALIBRATED, paths, 0, 1, 0), model.get_submodule("blocks.0")
    expected: dict[str, Tensor | float] = dict.fromkeys(hessians, 0.0)
    for _ in range(3):
        tokens, _ = loader.next_batch()
        embedded = rms_norm(model.tok_emb(tokens))
        first, second = block.get_parameter("resid_mix")
        mixed = first * embedded + second * embedded
        hidden: list[Tensor] = []
        hook = block.get_submodule("mlp.fc").register_forward_hook(
            lambda module, args, out, hidden=hidden: hidden.append(out)
        )
        final = model.final_hidden(tokens)
        hook.remove()
        inputs = {
            "blocks.0.attn.c_q.weight": rms_norm(mixed),
            "blocks.0.mlp.proj.weight": F.relu(hidden[0]).square(),
            "tok_emb.weight": final,
        }
        for name, x in inputs.items():
            expected[name] += torch.einsum("bti,btj->ij", x, x) / 3
    for name in inputs:
        torch.testing.assert_close(torch.from_numpy(hessians[name]), expected[name])


def test_collecting_leaves_no_trace_in_the_model(paths: list[Path]) -> None:
    model = noisy_model(CALIBRATED)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    collect_hessians(CALIBRATED, model, make_loader(CALIBRATED, paths, 0, 1, 0), ALONE)
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_two_ranks_find_what_one_finds(paths: list[Path], tmp_path: Path) -> None:
    """Three batches: one rank has two, the other one. The order of sums decides no bit."""
    first, second = on_two_ranks(partial(hessians_of, paths), tmp_path)
    for name, hessian in hessians_of(paths).items():
        assert np.array_equal(first[name], second[name])
        assert np.array_equal(first[name], hessian)
