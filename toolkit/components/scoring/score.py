"""From a scorer's rows to nats, and from nats to bits per byte.

A scorer is a generator of rows `(first, logits, targets)`: float32 logits [n, V] of the n consecutive targets from
`first` on, and these int64[n]. Target i is token i + 1. The order of the stream is the order of scoring: rows come in
it, each target once, ranks share them out, and a scorer may learn from a target only after it has yielded its row.

Bits per byte is the metric because it does not depend on the tokenizer: total nats over ln 2 times the bytes of text,
where a control token costs nats and brings no byte.
"""

import math
import time
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.components.base.ranks import Ranks


def charge(
    scorer: str,
    rows: Iterator[tuple[int, Tensor, Tensor]],
    tokens: Tensor,  # int64[N]
    ranks: Ranks,
) -> Tensor:
    """Nats of every target by a scorer's rows, float64[N-1] on the CPU, bit-identical on all ranks."""
    if __debug__:
        rows = each_once(scorer, rows, len(tokens) - 1, ranks)
    nats = torch.zeros(len(tokens) - 1, dtype=torch.float64, device=ranks.device)
    for first, logits, targets in rows:
        nats[first : first + len(targets)] = F.cross_entropy(logits, targets, reduction="none").double()
    return ranks.sum_(nats).cpu()


def each_once(
    scorer: str, rows: Iterator[tuple[int, Tensor, Tensor]], num_targets: int, ranks: Ranks
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """The same rows; `AssertionError` unless all ranks' together charge every target once, each rank's in order.

    Scripts do without it, since a scorer that breaks this rule does so wherever it runs.
    """
    charges = torch.zeros(num_targets, dtype=torch.int32)
    end = 0
    for first, logits, targets in rows:
        assert first >= end, f"scorer {scorer}: expected targets in order, from {end} on, found {first} next"
        end = first + len(targets)
        charges[first:end] += 1
        yield first, logits, targets
    charges = ranks.sum_(charges.to(ranks.device)).cpu()
    wrong = (charges != 1).nonzero().flatten().tolist()
    assert not wrong, f"scorer {scorer}: expected target {wrong[0]} charged once, found {charges[wrong[0]]} charges"


def bits_per_byte(nats: Tensor | np.ndarray, target_bytes: np.ndarray) -> float:
    """The metric: all nats over all bytes."""
    return nats.sum().item() / (math.log(2) * float(target_bytes.sum()))


def score_line(label: str, nats: Tensor, target_bytes: np.ndarray, started: float) -> str:
    """The log line of a score; `started` is the `time.perf_counter()` at which its work began."""
    val_bpb = bits_per_byte(nats, target_bytes)
    milliseconds = 1000 * (time.perf_counter() - started)
    return f"{label} val_loss:{nats.mean().item():.8f} val_bpb:{val_bpb:.8f} eval_time:{milliseconds:.0f}ms"
