"""Muon against the same maths written out in float64 with a singular value decomposition."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.settings.optimizer import Optimizer
from toolkit.components.training.muon import NEWTON_SCHULZ, Muon, zeropower_via_newtonschulz5

ALONE = Ranks(0, 1, torch.device("cpu"))
SHAPES = [(8, 8), (6, 15), (20, 5), (1, 7)]


def quintic(s: Tensor, steps: int = 5) -> Tensor:
    """What the iteration does to a singular value."""
    a, b, c = NEWTON_SCHULZ
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return s


def zeropower_by_svd(G: Tensor, steps: int) -> Tensor:
    U, S, Vh = torch.linalg.svd(G.double(), full_matrices=False)
    return U @ torch.diag(quintic(S / S.norm(), steps)) @ Vh


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [1, 5, 7])
def test_iteration_acts_on_the_singular_values_alone(shape: tuple[int, int], steps: int) -> None:
    G = torch.randn(shape, generator=torch.Generator().manual_seed(steps))
    for scale in (1e-3, 1.0, 1e4):
        torch.testing.assert_close(
            zeropower_via_newtonschulz5(scale * G, steps).double(), zeropower_by_svd(G, steps), atol=1e-3, rtol=0
        )


def test_singular_values_from_a_hundredth_to_one_come_to_lie_around_one() -> None:
    s = quintic(torch.linspace(0.01, 1, 100_001, dtype=torch.float64))
    assert (round(s.min().item(), 3), round(s.max().item(), 3)) == (0.682, 1.134)


def test_a_zero_gradient_stays_zero() -> None:
    assert not zeropower_via_newtonschulz5(torch.zeros(3, 5), 5).any()


def reference_steps(cfg: Config, params: list[Tensor], gradients: list[list[Tensor]], momentum: float) -> list[Tensor]:
    """Weights after one step for each list of gradients, in float64."""
    o = cfg.optimizer
    weights = [param.double() for param in params]
    buffers = [torch.zeros_like(weight) for weight in weights]
    for step in gradients:
        for i, g in enumerate(step):
            buffers[i] = momentum * buffers[i] + g.double()
            update = g.double() + momentum * buffers[i]
            if o.muon_row_normalize:
                update = update / update.norm(dim=1, keepdim=True)
            update = zeropower_by_svd(update, o.newton_schulz_steps)
            scale = math.sqrt(max(1, g.size(0) / g.size(1)))
            weights[i] = weights[i] * (1 - o.matrix_lr * o.matrix_weight_decay) - o.matrix_lr * scale * update
    return weights


@pytest.mark.parametrize("row_normalize", [False, True])
def test_steps_equal_the_formula(row_normalize: bool) -> None:
    optimizer = Optimizer(matrix_lr=0.05, matrix_weight_decay=0.3, muon_row_normalize=row_normalize)
    cfg = replace(Config(), optimizer=optimizer)
    rng = torch.Generator().manual_seed(1)
    params = [torch.randn(shape, generator=rng) for shape in SHAPES]
    gradients = [[torch.randn(shape, generator=rng) for shape in SHAPES] for _ in range(4)]
    expected = reference_steps(cfg, params, gradients, momentum=0.9)
    muon = Muon(cfg, params, ALONE)
    muon.param_groups[0]["momentum"] = 0.9
    for step in gradients:
        for param, g in zip(params, step, strict=True):
            param.grad = g.clone()
        muon.step()
    for param, weight in zip(params, expected, strict=True):
        torch.testing.assert_close(param.double(), weight, atol=1e-4, rtol=0)


def test_row_normalisation_makes_the_scale_of_a_row_irrelevant() -> None:
    cfg = replace(Config(), optimizer=Optimizer(muon_row_normalize=True))
    g = torch.randn(6, 9, generator=torch.Generator().manual_seed(2))
    after = []
    for scales in (torch.ones(6, 1), torch.tensor([[1e-3], [1.0], [5.0], [1e2], [0.1], [2.0]])):
        param = torch.zeros(6, 9)
        param.grad = scales * g
        Muon(cfg, [param], ALONE).step()
        after.append(param)
    torch.testing.assert_close(after[0], after[1])
