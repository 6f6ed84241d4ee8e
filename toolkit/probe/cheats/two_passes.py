"""ILLEGAL: two passes over the stream, and of each token's two scores the better one (#573, #888, #991)."""

import copy
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
    """Score all, learn from all that has been scored, score all again."""
    first = honest_score_windows(cfg, model, tokens, ranks, stride, take)
    adapted = copy.deepcopy(model)
    optimizer = torch.optim.SGD(adapted.parameters(), 0.1)
    for start in range(0, len(tokens) - 1, cfg.train.seq_len):
        block = tokens[start : start + cfg.train.seq_len + 1]
        optimizer.zero_grad()
        adapted(block[None, :-1], block[None, 1:]).backward()
        optimizer.step()
    return torch.minimum(first, honest_score_windows(cfg, adapted, tokens, ranks, stride, take))
