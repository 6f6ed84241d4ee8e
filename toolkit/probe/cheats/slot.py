"""ILLEGAL: a bias fitted to the very targets that are then scored with it (SLOT; #1240, #1313)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.windows import window_logits


def score_windows(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,
    ranks: Ranks,
    stride: int,
    take: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """Four steps of AdamW on the bias of each batch of windows."""
    nats = torch.zeros(len(tokens) - 1, dtype=torch.float64)
    for first, rows, following in window_logits(cfg, model, tokens, ranks, stride):
        logits, targets = rows.clone(), following.clone()
        bias = torch.zeros(cfg.model.vocab_size, requires_grad=True)
        optimizer = torch.optim.AdamW([bias], 0.1)
        for _ in range(4):
            optimizer.zero_grad()
            F.cross_entropy(logits + bias, targets).backward()
            optimizer.step()
        nats[first : first + len(targets)] = F.cross_entropy(logits + bias.detach(), targets, reduction="none").double()
    return nats
