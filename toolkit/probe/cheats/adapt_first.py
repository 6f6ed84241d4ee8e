"""ILLEGAL: the weights are trained on the validation stream, then score it (#402, #1376)."""

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
    """A step on each block, and only then the scores of all."""
    adapted = copy.deepcopy(model)
    optimizer = torch.optim.SGD(adapted.parameters(), 0.1)
    for start in range(0, len(tokens) - 1, cfg.train.seq_len):
        block = tokens[start : start + cfg.train.seq_len + 1]
        optimizer.zero_grad()
        adapted(block[None, :-1], block[None, 1:]).backward()
        optimizer.step()
    return honest_score_windows(cfg, adapted, tokens, ranks, stride, take)
