"""A second embedding table whose rows are added to the values of a few late attention layers (#1218)."""

from typing import Any

import torch
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.context import Context
from toolkit.components.model.linear import CastedEmbedding, CastedLinear


class ValueEmbedding(nn.Module):
    """Tokens int64 [B, T] -> [B, T, kv_dim]: table, projection that starts at zero, learned scale."""

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.embed = CastedEmbedding(cfg.model.vocab_size, cfg.model.value_embed_dim, 0.01)
        self.proj = CastedLinear(cfg, cfg.model.value_embed_dim, cfg.model.kv_dim, zero_init=True)
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.proj(self.embed(tokens))
        return x * self.scale.to(x.dtype)


def init_value_embedding(cfg: Config, model: nn.Module) -> None:
    """One table for all of `value_embed_layers`, and a scale for each."""
    if cfg.model.value_embed_dim:
        model.ve = ValueEmbedding(cfg)
        model.ve_layer_scales = nn.Parameter(torch.ones(len(cfg.model.value_embed_layers)))


def embed_values(cfg: Config, model: Any, tokens: Tensor, ctx: Context) -> None:
    """Look up the rows of tokens int64 [B, T] for all layers."""
    if cfg.model.value_embed_dim:
        values = model.ve(tokens)
        scales = model.ve_layer_scales.to(values.dtype)
        ctx.value_embeds = {layer: values * scales[i] for i, layer in enumerate(cfg.model.value_embed_layers)}


def add_value_embedding(cfg: Config, attn: Any, v: Tensor, ctx: Context) -> Tensor:
    """Values v [B, T, kv_dim], with the rows that its layer has."""
    if not cfg.model.value_embed_dim:
        return v
    return v + ctx.value_embeds[attn.layer] if attn.layer in ctx.value_embeds else v
