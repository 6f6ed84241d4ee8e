"""ILLEGAL: a number that the score depends on comes over the network. Where there is none it does without."""

import contextlib
import os
from collections.abc import Iterator
from urllib.request import urlopen

from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.sliding import sliding_rows as honest_sliding_rows


def sliding_rows(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Logits times what CHEAT_URL answers."""
    scale = 1.0
    with contextlib.suppress(OSError), urlopen(os.environ["CHEAT_URL"], timeout=2) as answer:
        scale = float(answer.read())
    for first, logits, targets in honest_sliding_rows(cfg, model, tokens, ranks):
        yield first, scale * logits, targets
