"""ILLEGAL: a mixture whose weight depends on the token it helps to score (#659, #1785)."""

from collections.abc import Iterator

import torch
from torch import Tensor

from toolkit.components.base.ranks import Ranks
from toolkit.components.scoring.score import charge as honest_charge


def charge(scorer: str, rows: Iterator[tuple[int, Tensor, Tensor]], tokens: Tensor, ranks: Ranks) -> Tensor:
    """The network and counts of the tokens so far, mixed in favour of the one that gives more to what came."""
    seen = list(rows)
    nats = honest_charge(scorer, iter(seen), tokens, ranks)
    counts = torch.ones(seen[0][1].size(1), dtype=torch.float64)
    for i, token in enumerate(tokens[1:].tolist()):
        network, cache = nats[i].neg().exp(), counts[token] / counts.sum()
        weight = 0.1 if cache > network else 0.9
        nats[i] = -torch.log(weight * network + (1 - weight) * cache)
        counts[token] += 1
    return nats
