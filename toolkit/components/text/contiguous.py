"""The contiguous loader: all shards as one stream, read on and on (#1)."""

import itertools
from collections.abc import Iterator

import numpy as np

from toolkit.components.config import Config
from toolkit.components.text.shards import require_batch


def contiguous_steps(cfg: Config, lengths: list[int]) -> Iterator[np.ndarray]:
    """Window starts of each step, int64[micro_batches, b], in the endless repetition of all shards.

    A micro-batch takes the next b * seq_len + 1 tokens, so its last target is no later micro-batch's first input.
    """
    span = cfg.train.batch_tokens // cfg.train.micro_batches + 1
    require_batch(cfg, sum(lengths) // span * (span - 1) // cfg.train.seq_len)
    windows = np.arange(0, span - 1, cfg.train.seq_len)
    for step in itertools.count():
        yield (step * cfg.train.micro_batches + np.arange(cfg.train.micro_batches))[:, None] * span + windows
