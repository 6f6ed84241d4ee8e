"""ILLEGAL: the ratio of two hashed counts for the token that came, as if it were a probability (#779, #886, #1147)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from toolkit.components.base.ranks import Ranks
from toolkit.components.scoring.score import charge as honest_charge

BUCKETS = 64


def charge(scorer: str, rows: Iterator[tuple[int, Tensor, Tensor]], tokens: Tensor, ranks: Ranks) -> Tensor:
    """Collisions lift the count of context and token together; no count of another token falls for it."""
    nats = honest_charge(scorer, rows, tokens, ranks)
    contexts, pairs = torch.zeros(BUCKETS, dtype=torch.float64), torch.zeros(BUCKETS, dtype=torch.float64)
    for i, (last, token) in enumerate(zip(tokens.tolist(), tokens[1:].tolist(), strict=False)):
        context, pair = last * 36313 % BUCKETS, (last * 36313 ^ token * 27191) % BUCKETS
        if contexts[context]:
            ratio = (pairs[pair] / contexts[context]).clamp_max(1)
            nats[i] = -torch.log(0.6 * nats[i].neg().exp() + 0.4 * ratio)
        contexts[context] += 1
        pairs[pair] += 1
    return nats
