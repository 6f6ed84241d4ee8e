"""Layers with fp32 master weights and products in the dtype of the activations: bf16 on CUDA, fp32 on CPU."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.config import Config
from toolkit.components.model.levels import as_stored


def rms_norm(x: Tensor) -> Tensor:
    """Root-mean-square norm over the last dimension, without a weight."""
    return F.rms_norm(x, (x.size(-1),))


class CastedLinear(nn.Linear):
    """Linear map without bias. Starts at zero, or orthogonal with gain 1 if the recipe asks, or as torch does."""

    def __init__(self, cfg: Config, in_features: int, out_features: int, zero_init: bool = False) -> None:
        super().__init__(in_features, out_features, bias=False)
        self.cfg = cfg
        if zero_init:
            nn.init.zeros_(self.weight)
        elif cfg.model.orthogonal_init and min(in_features, out_features) >= 64:
            nn.init.orthogonal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, as_stored(self.cfg, self, self.weight).to(x.dtype))


class CastedEmbedding(nn.Embedding):
    """Embedding table, N(0, std^2). Its output's dtype is that of all activations."""

    def __init__(self, num_embeddings: int, dim: int, std: float) -> None:
        super().__init__(num_embeddings, dim)
        nn.init.normal_(self.weight, std=std)

    def forward(self, tokens: Tensor) -> Tensor:
        return super().forward(tokens).to(torch.bfloat16 if tokens.is_cuda else torch.float32)
