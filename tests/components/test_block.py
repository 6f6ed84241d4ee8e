"""One layer's wiring, with its own attention and MLP as black boxes."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from toolkit.components.config import Config
from toolkit.components.model.block import Block
from toolkit.components.model.context import Context
from toolkit.components.model.rotary import rotary_tables
from toolkit.components.settings.model import Model
from toolkit.components.settings.train import Train


def recipe(ln_scale: bool = False) -> Config:
    return Config(
        model=Model(model_dim=32, num_heads=4, num_kv_heads=2, ln_scale=ln_scale),
        train=Train(batch_tokens=512, seq_len=64),
    )


@pytest.mark.parametrize("ln_scale", [False, True])
def test_block_mixes_then_adds_two_scaled_branches(ln_scale: bool) -> None:
    cfg = recipe(ln_scale)
    block = Block(cfg, 3)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.3)
    x, x0 = torch.randn(2, 6, 32), torch.randn(2, 6, 32)
    ctx = Context(x0, rotary_tables(cfg, 6, x))
    damping = 0.5 if ln_scale else 1.0  # 1 / sqrt(3 + 1)

    mixed = block.resid_mix[0] * x + block.resid_mix[1] * x0
    attended = mixed + block.attn_scale * block.attn(F.rms_norm(mixed, (32,)) * damping, ctx)
    expected = attended + block.mlp_scale * block.mlp(F.rms_norm(attended, (32,)) * damping)
    torch.testing.assert_close(block(x, ctx), expected)


def test_a_fresh_block_passes_its_input_on_and_ignores_x0() -> None:
    cfg = recipe()
    x = torch.randn(2, 6, 32)
    found = Block(cfg, 0)(x, Context(torch.randn_like(x), rotary_tables(cfg, 6, x)))
    assert torch.equal(found, x)
