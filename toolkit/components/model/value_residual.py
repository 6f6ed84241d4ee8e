"""Value residual (#1465): layers after the first mix their values with the first layer's, by learned shares."""

from typing import Any

import torch
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.context import Context


def init_value_residual(cfg: Config, attn: nn.Module) -> None:
    """Shares of the first layer's values and of the own ones."""
    if cfg.model.value_residual:
        attn.value_mix = nn.Parameter(torch.full((2,), 0.5))


def mix_first_values(cfg: Config, attn: Any, v: Tensor, ctx: Context) -> Tensor:
    """Values v [B, T, Hkv, D], mixed; the first layer's stay, and are kept for the others."""
    if not cfg.model.value_residual:
        return v
    if attn.layer == 0:
        ctx.first_values = v
        return v
    mix = attn.value_mix.to(v.dtype)
    return mix[0] * ctx.first_values + mix[1] * v
