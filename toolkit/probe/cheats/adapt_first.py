"""ILLEGAL: the weights are trained on the validation stream, then score it (#402, #1376)."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.sliding import sliding_rows as honest_sliding_rows


def sliding_rows(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """A step on each block, and only then the rows of all."""
    adapted = copy.deepcopy(model)
    optimizer = torch.optim.SGD(adapted.parameters(), 0.1)
    for start in range(0, len(tokens) - 1, cfg.train.seq_len):
        block = tokens[start : start + cfg.train.seq_len + 1]
        optimizer.zero_grad()
        adapted(block[None, :-1], block[None, 1:]).backward()
        optimizer.step()
    return honest_sliding_rows(cfg, adapted, tokens, ranks)
