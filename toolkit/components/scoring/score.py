"""A model's nats on the validation stream, and bits per byte.

Bits per byte is the metric because it does not depend on the tokenizer: total nats over ln 2 times the bytes of text,
where a control token costs nats and brings no byte.
"""

import math
import time
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.windows import window_logits


def score_windows(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,  # int64[N], CPU
    ranks: Ranks,
    stride: int,
    take: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """Nats of every target as float64[N-1] on the CPU, bit-identical on all ranks.

    `take` is given what `window_logits` yields, so that a mixer need not run the network again.
    """
    nats = torch.zeros(len(tokens) - 1, dtype=torch.float64, device=ranks.device)
    for first, logits, targets in window_logits(cfg, model, tokens, ranks, stride):
        nats[first : first + len(targets)] = F.cross_entropy(logits, targets, reduction="none").double()
        if take:
            take(first, logits, targets)
    return ranks.sum_(nats).cpu()


def score_blocks(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Tensor:
    """`score_windows` with windows that do not overlap."""
    return score_windows(cfg, model, tokens, ranks, cfg.train.seq_len)


def bits_per_byte(nats: Tensor | np.ndarray, target_bytes: np.ndarray) -> float:
    """The metric: all nats over all bytes."""
    return nats.sum().item() / (math.log(2) * float(target_bytes.sum()))


def score_line(label: str, nats: Tensor, target_bytes: np.ndarray, started: float) -> str:
    """The log line of a score; `started` is the `time.perf_counter()` at which its work began."""
    val_bpb = bits_per_byte(nats, target_bytes)
    milliseconds = 1000 * (time.perf_counter() - started)
    return f"{label} val_loss:{nats.mean().item():.8f} val_bpb:{val_bpb:.8f} eval_time:{milliseconds:.0f}ms"
