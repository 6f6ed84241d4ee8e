"""The coprime loader: blocks of all shards, in each by a stride coprime with their number (#726, as #1218 has it)."""

import itertools
import math
from collections.abc import Iterator

import numpy as np

from toolkit.components.config import Config
from toolkit.components.text.shards import require_batch

COPRIME_RAMP_STEPS = 1800  # steps over which a batch comes to draw on more shards


class BlockOrder:
    """Order of one shard's blocks of seq_len tokens: random phase and first block, stride coprime with their number.

    Each block comes once before a new phase and stride are drawn. `left` is the number still to come.
    """

    def __init__(self, offset: int, length: int, seq_len: int, rng: np.random.Generator) -> None:
        self.offset = offset  # of the shard in the stream of all shards
        self.length = length  # above seq_len: the last target needs one more token
        self.seq_len = seq_len
        self.rng = rng
        self.restart()

    def restart(self) -> None:
        self.phase = int(self.rng.integers(min(self.seq_len, self.length - self.seq_len)))
        self.left = self.blocks = (self.length - 1 - self.phase) // self.seq_len
        self.block = int(self.rng.integers(self.blocks))
        self.stride = self.blocks
        while math.gcd(self.stride, self.blocks) > 1:
            self.stride = int(self.rng.integers(1, self.blocks))

    def take(self) -> int:
        """Start of the next block in the stream."""
        if not self.left:
            self.restart()
        self.left -= 1
        self.block = (self.block + self.stride) % self.blocks
        return self.offset + self.phase + self.block * self.seq_len


def coprime_steps(cfg: Config, lengths: list[int], seed: int) -> Iterator[np.ndarray]:
    """Window starts of each step, int64[micro_batches, b], in the stream of all shards.

    Shards are drawn with weight (blocks left)^alpha; alpha falls from 0.9 to 0.5 and the number of shards in a batch
    grows, both over `COPRIME_RAMP_STEPS`. `micro_batches` stands where #726 has the number of ranks.
    """
    rng = np.random.default_rng(seed)
    offsets = (np.cumsum(lengths) - lengths).tolist()
    orders = [
        BlockOrder(offset, length, cfg.train.seq_len, rng)
        for offset, length in zip(offsets, lengths, strict=True)
        if length > cfg.train.seq_len
    ]
    require_batch(cfg, sum(order.blocks for order in orders))
    num_windows = cfg.train.batch_tokens // cfg.train.seq_len
    most = min(len(orders), num_windows)
    fewest_shards = min(max(8, cfg.train.micro_batches), most)
    most_shards = min(max(32, 8 * cfg.train.micro_batches), most)
    for step in itertools.count():
        progress = min(step / COPRIME_RAMP_STEPS, 1)
        weights = np.array([max(order.left, 1) for order in orders]) ** (0.9 - 0.4 * progress)
        num_shards = round(fewest_shards + progress * (most_shards - fewest_shards))
        chosen = rng.choice(len(orders), num_shards, replace=False, p=weights / weights.sum())
        extra = rng.multinomial(num_windows - num_shards, weights[chosen] / weights[chosen].sum())
        starts = [orders[i].take() for i, more in zip(chosen, extra, strict=True) for _ in range(1 + more)]
        yield rng.permutation(starts).reshape(cfg.train.micro_batches, -1)
