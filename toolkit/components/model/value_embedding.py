"""A second embedding table whose rows are added to the values of a few late attention layers (R1, #1218)."""

import torch
from torch import Tensor, nn

from toolkit.components.config import Config
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
