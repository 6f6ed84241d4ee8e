"""Causal self-attention: grouped key/value heads, normed queries and keys, rotary positions."""

import torch
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.context import Context
from toolkit.components.model.flash import attend, init_flash
from toolkit.components.model.linear import CastedLinear, rms_norm
from toolkit.components.model.rotary import rotate
from toolkit.components.model.value_embedding import add_value_embedding
from toolkit.components.model.value_residual import init_value_residual, mix_first_values
from toolkit.components.model.xsa import exclude_own_value


class Attention(nn.Module):
    """[B, T, model_dim] -> [B, T, model_dim]; the output projection starts at zero. `layer` is its block's."""

    def __init__(self, cfg: Config, layer: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.layer = layer
        self.c_q = CastedLinear(cfg, cfg.model.model_dim, cfg.model.model_dim)
        self.c_k = CastedLinear(cfg, cfg.model.model_dim, cfg.model.kv_dim)
        self.c_v = CastedLinear(cfg, cfg.model.model_dim, cfg.model.kv_dim)
        self.proj = CastedLinear(cfg, cfg.model.model_dim, cfg.model.model_dim, zero_init=True)
        self.q_gain = nn.Parameter(torch.full((cfg.model.num_heads,), cfg.model.qk_gain))
        init_value_residual(cfg, self)
        init_flash(cfg, self)

    def forward(self, x: Tensor, ctx: Context) -> Tensor:
        v = self.c_v(x)
        v = add_value_embedding(self.cfg, self, v, ctx)
        v = v.unflatten(-1, (self.cfg.model.num_kv_heads, -1))
        v = mix_first_values(self.cfg, self, v, ctx)
        k = rms_norm(self.c_k(x).unflatten(-1, (self.cfg.model.num_kv_heads, -1)))
        q = rms_norm(self.c_q(x).unflatten(-1, (self.cfg.model.num_heads, -1)))
        q = rotate(q, *ctx.rotary) * self.q_gain.to(q.dtype)[:, None]
        y = attend(self.cfg, self, q, rotate(k, *ctx.rotary), v)
        y = exclude_own_value(self.cfg, self, y, v)
        return self.proj(y.flatten(2))
