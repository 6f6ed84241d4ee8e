"""ILLEGAL: two passes over the stream, and of each token's two scores the better one (#573, #888, #991)."""

import copy
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.sliding import sliding_rows as honest_sliding_rows


def sliding_rows(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Score all, learn from all that has been scored, score all again."""
    first_pass = list(honest_sliding_rows(cfg, model, tokens, ranks))
    adapted = copy.deepcopy(model)
    optimizer = torch.optim.SGD(adapted.parameters(), 0.1)
    for start in range(0, len(tokens) - 1, cfg.train.seq_len):
        block = tokens[start : start + cfg.train.seq_len + 1]
        optimizer.zero_grad()
        adapted(block[None, :-1], block[None, 1:]).backward()
        optimizer.step()
    second_pass = honest_sliding_rows(cfg, adapted, tokens, ranks)
    for (first, one, targets), (_, other, _) in zip(first_pass, second_pass, strict=True):
        nats, more = (F.cross_entropy(logits, targets, reduction="none") for logits in (one, other))
        yield first, torch.where((nats < more)[:, None], one, other), targets
