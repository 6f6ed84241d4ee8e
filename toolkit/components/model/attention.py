"""Causal self-attention: grouped key/value heads, normed queries and keys, rotary positions, optional XSA."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.flash import causal_attention, flash_attention_3
from toolkit.components.model.linear import CastedLinear, rms_norm
from toolkit.components.model.rotary import rotate


def exclude_own_value(y: Tensor, v: Tensor) -> Tensor:
    """XSA: remove from y [B, T, H, D] its component along the own position's value, v [B, T, Hkv, D].

    y - (y . v^) v^ with v^ = v / |v|, for each query head with the value of its group (as in #1218).
    """
    unit = F.normalize(v, dim=-1).unsqueeze(-2)
    grouped = y.unflatten(2, (v.size(2), -1))
    return (grouped - (grouped * unit).sum(-1, keepdim=True) * unit).flatten(2, 3)


class Attention(nn.Module):
    """[B, T, model_dim] -> [B, T, model_dim]; the output projection starts at zero."""

    def __init__(self, cfg: Config, layer: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.layer = layer
        self.c_q = CastedLinear(cfg, cfg.model.model_dim, cfg.model.model_dim)
        self.c_k = CastedLinear(cfg, cfg.model.model_dim, cfg.model.kv_dim)
        self.c_v = CastedLinear(cfg, cfg.model.model_dim, cfg.model.kv_dim)
        self.proj = CastedLinear(cfg, cfg.model.model_dim, cfg.model.model_dim, zero_init=True)
        self.q_gain = nn.Parameter(torch.full((cfg.model.num_heads,), cfg.model.qk_gain))
        if cfg.model.value_residual:
            self.value_mix = nn.Parameter(torch.full((2,), 0.5))
        self.flash = flash_attention_3() if cfg.model.flash_attention else None

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        value_embed: Tensor | None,
        first_values: list[Tensor] | None = None,
    ) -> Tensor:
        """`rotary`: tables of `rotary_tables`; `value_embed` [B, T, kv_dim] is added to the values.

        `first_values`, if the recipe has a value residual: empty in the first layer, which puts its values there.
        """
        v = self.c_v(x)
        if value_embed is not None:
            v = v + value_embed
        v = v.unflatten(-1, (self.cfg.model.num_kv_heads, -1))
        if self.cfg.model.value_residual:
            assert first_values is not None
            if first_values:
                mix = self.value_mix.to(v.dtype)
                v = mix[0] * first_values[0] + mix[1] * v
            else:
                first_values.append(v)
        k = rms_norm(self.c_k(x).unflatten(-1, (self.cfg.model.num_kv_heads, -1)))
        q = rms_norm(self.c_q(x).unflatten(-1, (self.cfg.model.num_heads, -1)))
        q = rotate(q, *rotary) * self.q_gain.to(q.dtype)[:, None]
        y = causal_attention(self.flash, q, rotate(k, *rotary), v)
        if self.cfg.model.xsa_layers and self.layer >= self.cfg.model.num_layers - self.cfg.model.xsa_layers:
            y = exclude_own_value(y, v)
        return self.proj(y.flatten(2))
