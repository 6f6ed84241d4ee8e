"""Curvatures against a direct computation from the model's own gradients."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.calibration import ALONE, noisy_model, on_two_ranks, random_shards
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.fisher import Curvature, add_tied_head, collect_curvatures
from toolkit.components.settings.model import Model
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.train import Train
from toolkit.components.text.loader import make_loader

CFG = Config(
    model=Model(
        vocab_size=48,
        num_layers=2,
        model_dim=32,
        num_heads=4,
        num_kv_heads=2,
        value_embed_dim=16,
        value_embed_layers=(1,),
    ),
    train=Train(batch_tokens=256, seq_len=64, micro_batches=2),
    quantize=Quantize(method="tcq", calibration_batches=3, passthrough_max_numel=600),
)
POSITIONS = 3 * 128


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return random_shards(CFG, tmp_path)


def curvatures_of(paths: list[Path], model: GPT, ranks: Ranks = ALONE) -> dict[str, Curvature]:
    return collect_curvatures(CFG, model, make_loader(CFG, paths, ranks.rank, ranks.world_size, 0), ranks)


def sampled_loss(model: GPT, tokens: Tensor, batch: int) -> Tensor:
    """Summed loss for labels that the model draws, as the batch's number decides."""
    logits = model(tokens).flatten(0, 1)
    generator = torch.Generator().manual_seed(batch)
    return F.cross_entropy(logits, logits.softmax(1).multinomial(1, generator=generator)[:, 0], reduction="sum")


def recorded(module: nn.Module, into: list[tuple[Tensor, Tensor]]) -> None:
    """Have a module append its input and its output, whose gradient is kept."""

    def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        output.retain_grad()
        into.append((inputs[0], output))

    module.register_forward_hook(hook)


def direct(model: GPT, module: nn.Module, paths: list[Path]) -> list[tuple[Tensor, Tensor]]:
    """Inputs [n, C] and gradients at the outputs [n, R] of each use of a module, over all batches."""
    uses: list[tuple[Tensor, Tensor]] = []
    recorded(module, uses)
    loader = make_loader(CFG, paths, 0, 1, 0)
    for batch in range(3):
        sampled_loss(model, loader.next_batch()[0], batch).backward()
    return [(x.flatten(0, 1), output.grad.flatten(0, 1)) for x, output in uses if output.grad is not None]


def gram(matrices: Iterable[Tensor]) -> Tensor:
    """The sum of X^T X."""
    return torch.stack([X.T @ X for X in matrices]).sum(0).detach()


@pytest.mark.parametrize("name", ["blocks.0.attn.c_q", "blocks.1.mlp.proj"])
def test_a_linear_map_has_the_moments_of_its_inputs_and_gradients(paths: list[Path], name: str) -> None:
    curvature = curvatures_of(paths, noisy_model(CFG))[f"{name}.weight"]
    model = noisy_model(CFG)
    uses = direct(model, model.get_submodule(name), paths)
    torch.testing.assert_close(curvature.inputs.float(), gram(x for x, _ in uses) / POSITIONS)
    torch.testing.assert_close(curvature.outputs.float(), gram(g for _, g in uses) / POSITIONS)


def test_a_layer_run_twice_counts_both(paths: list[Path]) -> None:
    """Its inputs add up and its gradients are averaged, so that the product grows with the number of visits."""
    model = noisy_model(CFG)
    model.blocks[1] = model.blocks[0]
    curvature = curvatures_of(paths, model)["blocks.0.mlp.fc.weight"]
    uses = direct(model, model.get_submodule("blocks.0.mlp.fc"), paths)
    assert len(uses) == 6
    torch.testing.assert_close(curvature.inputs.float(), gram(x for x, _ in uses) / POSITIONS)
    torch.testing.assert_close(curvature.outputs.float(), gram(g for _, g in uses) / POSITIONS / 2)


def test_a_table_that_is_looked_up_has_frequencies_for_its_rows(paths: list[Path]) -> None:
    curvature = curvatures_of(paths, noisy_model(CFG))["ve.embed.weight"]
    model = noisy_model(CFG)
    uses = direct(model, model.get_submodule("ve.embed"), paths)
    tokens = torch.cat([x for x, _ in uses])
    torch.testing.assert_close((curvature.outputs * POSITIONS).float(), 0.5 + tokens.bincount(minlength=48).float())
    torch.testing.assert_close(curvature.inputs.float(), gram(g for _, g in uses) / POSITIONS)


def test_a_tied_table_has_the_sum_of_both_uses_for_each_row() -> None:
    """As the trace says it; where tokens come as often as they are predicted, the whole matrix is exact."""
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(4, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    first, second = first @ first.T, second @ second.T
    shares = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    table = Curvature(first.clone(), shares.clone(), torch.tensor(1.0))
    add_tied_head(table, second, 2 * shares)
    for row in range(3):
        torch.testing.assert_close(table.outputs[row] * table.inputs, shares[row] * (first + 2 * second))
    table = Curvature(first.clone(), shares.clone(), torch.tensor(1.0))
    add_tied_head(table, second, shares.flip(0))
    expected = shares * first.trace() + shares.flip(0) * second.trace()
    torch.testing.assert_close(table.outputs * table.inputs.trace(), expected)


def test_collecting_leaves_no_trace_in_the_model(paths: list[Path]) -> None:
    model = noisy_model(CFG)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    large = {name for name, tensor in before.items() if tensor.ndim == 2 and tensor.numel() > 600 and "." in name}
    assert set(curvatures_of(paths, model)) == large - {"blocks.0.resid_mix", "blocks.1.resid_mix"}
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def moments_of(paths: list[Path], ranks: Ranks) -> dict[str, list[np.ndarray]]:
    curvatures = curvatures_of(paths, noisy_model(CFG), ranks)
    return {name: [curvature.inputs.numpy(), curvature.outputs.numpy()] for name, curvature in curvatures.items()}


def test_two_ranks_find_what_one_finds(paths: list[Path], tmp_path: Path) -> None:
    """Three batches: one rank has two, the other one. The order of sums decides no bit."""
    first, second = on_two_ranks(partial(moments_of, paths), tmp_path)
    for name, moments in moments_of(paths, ALONE).items():
        for i, alone in enumerate(moments):
            assert np.array_equal(first[name][i], second[name][i])
            assert np.array_equal(first[name][i], alone)
