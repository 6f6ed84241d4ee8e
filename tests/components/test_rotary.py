"""Rotary tables and rotation against complex multiplication, and what relative positions promise."""

import math

import pytest
import torch

from toolkit.components.config import Config
from toolkit.components.model.rotary import rotary_tables, rotate
from toolkit.components.settings.model import Model
from toolkit.components.settings.train import Train


def recipe(rope_dims: int) -> Config:
    return Config(
        model=Model(model_dim=32, num_heads=2, num_kv_heads=1, rope_dims=rope_dims),
        train=Train(batch_tokens=512, seq_len=64),
    )


@pytest.mark.parametrize("rope_dims", [0, 2, 8, 16])
def test_rotation_is_complex_multiplication_of_half_split_pairs(rope_dims: int) -> None:
    """Element i pairs with i + n; position t turns pair i by -t * base^(-i / n); later dimensions stay."""
    cfg = recipe(rope_dims)
    x = torch.randn(2, 11, 3, 16)
    n = (rope_dims or 16) // 2
    pairs = torch.complex(x[..., :n].double(), x[..., n : 2 * n].double())
    for t in range(11):
        for i in range(n):
            angle = t * 10_000.0 ** (-i / n)
            pairs[:, t, :, i] *= complex(math.cos(angle), -math.sin(angle))
    expected = torch.cat((pairs.real.float(), pairs.imag.float(), x[..., 2 * n :]), dim=-1)
    torch.testing.assert_close(rotate(x, *rotary_tables(cfg, 11, x)), expected, rtol=1e-5, atol=1e-5)


def test_scores_depend_on_the_distance_alone() -> None:
    q, k = torch.randn(16), torch.randn(16)
    tables = rotary_tables(recipe(8), 12, q)
    rows_q = rotate(q.expand(1, 12, 1, 16), *tables)[0, :, 0]
    rows_k = rotate(k.expand(1, 12, 1, 16), *tables)[0, :, 0]
    scores = rows_q @ rows_k.T
    for distance in range(12):
        diagonal = scores.diagonal(-distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-4)


def slowest_angle(cfg: Config, length: int) -> float:
    """Angle of the slowest pair at position `length`, from the tables at position 1."""
    cos, sin = rotary_tables(cfg, length, torch.zeros(1))
    return length * math.atan2(sin[1, 0, -1].item(), cos[1, 0, -1].item())


def test_partial_rope_stretches_beyond_the_training_length() -> None:
    """For s times the training length the slowest pair ends at the same angle, and the fastest does not change."""
    cfg = recipe(8)
    assert slowest_angle(cfg, 256) == pytest.approx(slowest_angle(cfg, 64), rel=1e-4)
    cos_long, cos_short = (rotary_tables(cfg, length, torch.zeros(1))[0] for length in (256, 64))
    assert torch.equal(cos_long[:64, :, 0], cos_short[:, :, 0])
    assert slowest_angle(cfg, 32) == pytest.approx(slowest_angle(cfg, 64) / 2, rel=1e-4)


def test_full_rope_and_a_single_pair_do_not_stretch() -> None:
    for cfg in (recipe(0), recipe(2)):
        for long, short in zip(*(rotary_tables(cfg, length, torch.zeros(1)) for length in (256, 64)), strict=True):
            assert torch.equal(long[:64], short)


def test_tables_take_dtype_and_device_of_the_activations() -> None:
    like = torch.zeros(1, dtype=torch.bfloat16, device="meta")
    cos, sin = rotary_tables(recipe(8), 5, like)
    assert cos.shape == sin.shape == (5, 1, 4)
    assert cos.dtype == sin.dtype == torch.bfloat16
    assert cos.device == sin.device == like.device
