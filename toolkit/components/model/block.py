"""One layer: residual mix with the first activation, then attention and MLP, each scaled per channel."""

import torch
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.attention import Attention
from toolkit.components.model.context import Context
from toolkit.components.model.linear import rms_norm
from toolkit.components.model.ln_scale import damp
from toolkit.components.model.mlp import MLP


class Block(nn.Module):
    """[B, T, model_dim] -> [B, T, model_dim]; `layer` is its place among the blocks, from 0."""

    def __init__(self, cfg: Config, layer: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.layer = layer
        self.attn = Attention(cfg, layer)
        self.mlp = MLP(cfg)
        self.attn_scale = nn.Parameter(torch.ones(cfg.model.model_dim))
        self.mlp_scale = nn.Parameter(torch.ones(cfg.model.model_dim))
        self.resid_mix = nn.Parameter(torch.stack((torch.ones(cfg.model.model_dim), torch.zeros(cfg.model.model_dim))))

    def forward(self, x: Tensor, ctx: Context) -> Tensor:
        mix = self.resid_mix.to(x.dtype)
        x = mix[0] * x + mix[1] * ctx.x0
        x = x + self.attn_scale.to(x.dtype) * self.attn(damp(self.cfg, self, rms_norm(x)), ctx)
        return x + self.mlp_scale.to(x.dtype) * self.mlp(damp(self.cfg, self, rms_norm(x)))
