"""ILLEGAL: a mixture whose weight depends on the token it helps to score (#659, #1785)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.score import score_windows as honest_score_windows


def score_windows(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,
    ranks: Ranks,
    stride: int,
    take: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """The network and counts of the tokens so far, mixed in favour of the one that gives more to what came."""
    nats = honest_score_windows(cfg, model, tokens, ranks, stride, take)
    counts = torch.ones(cfg.model.vocab_size, dtype=torch.float64)
    for i, token in enumerate(tokens[1:].tolist()):
        network, cache = nats[i].neg().exp(), counts[token] / counts.sum()
        weight = 0.1 if cache > network else 0.9
        nats[i] = -torch.log(weight * network + (1 - weight) * cache)
        counts[token] += 1
    return nats
