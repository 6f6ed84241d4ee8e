"""ILLEGAL: a bias fitted to the very targets that are then scored with it (SLOT; #1240, #1313)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.sliding import sliding_rows as honest_sliding_rows


def sliding_rows(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Four steps of AdamW on the bias of each batch of windows."""
    for first, rows, following in honest_sliding_rows(cfg, model, tokens, ranks):
        logits, targets = rows.clone(), following.clone()
        bias = torch.zeros(cfg.model.vocab_size, requires_grad=True)
        optimizer = torch.optim.AdamW([bias], 0.1)
        for _ in range(4):
            optimizer.zero_grad()
            F.cross_entropy(logits + bias, targets).backward()
            optimizer.step()
        yield first, logits + bias.detach(), targets
