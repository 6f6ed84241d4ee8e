"""Layers with fp32 master weights: dtypes, initial values, the norm."""

import pytest
import torch

from toolkit.components.config import Config
from toolkit.components.model.linear import CastedEmbedding, CastedLinear, rms_norm
from toolkit.components.settings.model import Model

ORTHOGONAL = Config(model=Model(orthogonal_init=True))


def test_norm_gives_unit_mean_square_at_any_scale() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 5, 8) * torch.tensor([1e-2, 1.0, 1e3])[:, None, None]
    torch.testing.assert_close(rms_norm(x).square().mean(-1), torch.ones(3, 5), rtol=1e-2, atol=0)
    torch.testing.assert_close(rms_norm(x)[1], x[1] / x[1].square().mean(-1, keepdim=True).sqrt())


def test_linear_multiplies_in_the_input_dtype_and_keeps_its_fp32_weight() -> None:
    layer = CastedLinear(Config(), 6, 4)
    x = torch.randn(2, 3, 6)
    torch.testing.assert_close(layer(x), torch.einsum("bti,oi->bto", x, layer.weight))
    half = layer(x.bfloat16())
    assert half.dtype == torch.bfloat16
    half.float().sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.dtype == layer.weight.grad.dtype == torch.float32
    assert layer.bias is None


@pytest.mark.parametrize(("fan_in", "fan_out"), [(64, 64), (64, 128), (96, 64)])
def test_orthogonal_init_has_unit_singular_values(fan_in: int, fan_out: int) -> None:
    singular = torch.linalg.svdvals(CastedLinear(ORTHOGONAL, fan_in, fan_out).weight)
    torch.testing.assert_close(singular, torch.ones(64), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("fan_in", "fan_out"), [(63, 128), (128, 63)])
def test_narrow_matrices_keep_torchs_init(fan_in: int, fan_out: int) -> None:
    """The rule of R1: gain-1 orthogonal only when both sides are at least 64."""
    torch.manual_seed(0)
    weight = CastedLinear(ORTHOGONAL, fan_in, fan_out).weight
    torch.manual_seed(0)
    assert torch.equal(weight, torch.nn.Linear(fan_in, fan_out, bias=False).weight)


def test_zero_init_wins_over_orthogonal() -> None:
    assert not CastedLinear(ORTHOGONAL, 64, 64, zero_init=True).weight.any()


def test_embedding_has_the_asked_spread_and_the_cpu_dtype() -> None:
    torch.manual_seed(0)
    table = CastedEmbedding(256, 64, 0.005)
    assert table.weight.std().item() == pytest.approx(0.005, rel=0.02)
    assert abs(table.weight.mean().item()) < 2e-4
    rows = table(torch.tensor([[3, 3, 7]]))
    assert rows.dtype == torch.float32
    assert torch.equal(rows[0], table.weight[[3, 3, 7]])
