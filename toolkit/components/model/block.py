"""One layer: residual mix with the first activation, then attention and MLP, each scaled per channel."""

import torch
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.attention import Attention
from toolkit.components.model.linear import rms_norm
from toolkit.components.model.mlp import MLP


class Block(nn.Module):
    """[B, T, model_dim] -> [B, T, model_dim]; `layer` counts from 0."""

    def __init__(self, cfg: Config, layer: int) -> None:
        super().__init__()
        self.cfg = cfg
        self.layer = layer
        self.attn = Attention(cfg, layer)
        self.mlp = MLP(cfg)
        self.attn_scale = nn.Parameter(torch.ones(cfg.model.model_dim))
        self.mlp_scale = nn.Parameter(torch.ones(cfg.model.model_dim))
        self.resid_mix = nn.Parameter(torch.stack((torch.ones(cfg.model.model_dim), torch.zeros(cfg.model.model_dim))))

    def branch_input(self, x: Tensor) -> Tensor:
        """What a branch reads: the normed residual, damped with depth if the recipe asks (LN scale)."""
        x = rms_norm(x)
        if self.cfg.model.ln_scale:
            x = x * (self.layer + 1) ** -0.5
        return x

    def forward(
        self,
        x: Tensor,
        x0: Tensor,
        rotary: tuple[Tensor, Tensor],
        value_embed: Tensor | None,
        first_values: list[Tensor] | None = None,
    ) -> Tensor:
        """x0: the stack's first activation; the rest as in `Attention.forward`."""
        mix = self.resid_mix.to(x.dtype)
        x = mix[0] * x + mix[1] * x0
        x = x + self.attn_scale.to(x.dtype) * self.attn(self.branch_input(x), rotary, value_embed, first_values)
        return x + self.mlp_scale.to(x.dtype) * self.mlp(self.branch_input(x))
