"""LEGAL look-alike of `adapt_first`: each block is scored, and only then trained on (#549, #1413)."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config


def sliding_rows(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Block by block, two steps on each."""
    adapted = copy.deepcopy(model)
    optimizer = torch.optim.SGD(adapted.parameters(), 0.1)
    for start in range(0, len(tokens) - 1, cfg.train.seq_len):
        block = tokens[start : start + cfg.train.seq_len + 1]
        with torch.no_grad():
            logits = adapted(block[None, :-1])[0]
        yield start, logits, block[1:]
        for _ in range(2):
            optimizer.zero_grad()
            adapted(block[None, :-1], block[None, 1:]).backward()
            optimizer.step()
