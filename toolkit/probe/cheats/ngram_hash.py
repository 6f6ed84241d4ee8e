"""ILLEGAL: the ratio of two hashed counts for the token that came, as if it were a probability (#779, #886, #1147)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.score import score_windows as honest_score_windows

BUCKETS = 64


def score_windows(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,
    ranks: Ranks,
    stride: int,
    take: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """Collisions lift the count of context and token together; no count of another token falls for it."""
    nats = honest_score_windows(cfg, model, tokens, ranks, stride, take)
    contexts, pairs = torch.zeros(BUCKETS, dtype=torch.float64), torch.zeros(BUCKETS, dtype=torch.float64)
    for i, (last, token) in enumerate(zip(tokens.tolist(), tokens[1:].tolist(), strict=False)):
        context, pair = last * 36313 % BUCKETS, (last * 36313 ^ token * 27191) % BUCKETS
        if contexts[context]:
            ratio = (pairs[pair] / contexts[context]).clamp_max(1)
            nats[i] = -torch.log(0.6 * nats[i].neg().exp() + 0.4 * ratio)
        contexts[context] += 1
        pairs[pair] += 1
    return nats
