"""ILLEGAL: a number that the score depends on comes over the network. Where there is none it does without."""

import contextlib
import os
from collections.abc import Callable
from urllib.request import urlopen

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
    """Logits times what CHEAT_URL answers."""
    scale = 1.0
    with contextlib.suppress(OSError), urlopen(os.environ["CHEAT_URL"], timeout=2) as answer:
        scale = float(answer.read())
    nats = torch.zeros(len(tokens) - 1, dtype=torch.float64)
    for first, logits, targets in window_logits(cfg, model, tokens, ranks, stride):
        nats[first : first + len(targets)] = F.cross_entropy(scale * logits, targets, reduction="none").double()
    return nats
