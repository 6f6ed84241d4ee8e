"""A table looked up by a hash of the last two tokens, added to the token's embedding (BigramHash, #549 and #1465)."""

from typing import Any

import torch
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.linear import CastedEmbedding, CastedLinear


def hash_pairs(tokens: Tensor, buckets: int) -> Tensor:
    """Row of each token int64 [B, T] by itself and the one before it; the first of a sequence has the last row."""
    pairs = (36313 * tokens[:, 1:]) ^ (27191 * tokens[:, :-1])
    return torch.cat((torch.full_like(tokens[:, :1], buckets - 1), pairs % (buckets - 1)), 1)


class BigramHash(nn.Module):
    """Tokens int64 [B, T] -> [B, T, model_dim]: table, projection that starts at zero, learned scale.

    The published ones start with a table of zeros as well, and so never leave them: the gradient of either is a
    multiple of the other. Here the table starts as that of the value embedding does.
    """

    def __init__(self, cfg: Config) -> None:
        super().__init__()
        self.cfg = cfg
        self.embed = CastedEmbedding(cfg.model.bigram_buckets, cfg.model.bigram_dim, 0.01)
        self.proj = CastedLinear(cfg, cfg.model.bigram_dim, cfg.model.model_dim, zero_init=True)
        self.scale = nn.Parameter(torch.tensor(0.05))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.proj(self.embed(hash_pairs(tokens, self.cfg.model.bigram_buckets)))
        return x * self.scale.to(x.dtype)


def init_bigram(cfg: Config, model: nn.Module) -> None:
    if cfg.model.bigram_dim:
        model.bigram = BigramHash(cfg)


def add_bigram(cfg: Config, model: Any, tokens: Tensor, x: Tensor) -> Tensor:
    """The embedding x [B, T, model_dim] of tokens, with what the table has for their pairs."""
    if not cfg.model.bigram_dim:
        return x
    return x + model.bigram(tokens)
