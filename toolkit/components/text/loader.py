"""Training batches from shards: one contiguous stream, or blocks in coprime-stride order.

Both orders are planned for the whole step and number its micro-batches 0, 1, ... `micro_batches` - 1. Rank r of w takes
numbers r, r + w, r + 2w, ... so a step trains on the same sequences whatever the number of ranks.
"""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from toolkit.components.base.failure import InputError
from toolkit.components.config import Config
from toolkit.components.text.shards import check_token_ids, read_shard

COPRIME_RAMP_STEPS = 1800  # steps over which a batch comes to draw on more shards


def contiguous_steps(cfg: Config, lengths: list[int]) -> Iterator[np.ndarray]:
    """Window starts of each step, int64[micro_batches, b], in the endless repetition of all shards (B0, #1).

    A micro-batch takes the next b * seq_len + 1 tokens, so its last target is no later micro-batch's first input.
    """
    span = cfg.train.batch_tokens // cfg.train.micro_batches + 1
    require_batch(cfg, sum(lengths) // span * (span - 1) // cfg.train.seq_len)
    windows = np.arange(0, span - 1, cfg.train.seq_len)
    for step in itertools.count():
        yield (step * cfg.train.micro_batches + np.arange(cfg.train.micro_batches))[:, None] * span + windows


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
    """Window starts of each step, int64[micro_batches, b], in the stream of all shards (#726, as #1218 has it).

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


def require_batch(cfg: Config, num_windows: int) -> None:
    """`InputError` unless the shards hold the sequences of one step."""
    needed = cfg.train.batch_tokens // cfg.train.seq_len
    if num_windows < needed:
        raise InputError(
            f"training shards: expected at least one batch, {needed} sequences of train.seq_len = {cfg.train.seq_len} "
            f"tokens, found {num_windows}; add shards or lower train.batch_tokens"
        )


class TokenLoader:
    """One rank's micro-batches. `steps` plans windows; the tokens are read from memory-mapped shards."""

    def __init__(
        self,
        cfg: Config,
        paths: list[Path],
        shards: list[np.ndarray],
        steps: Iterator[np.ndarray],
        rank: int,
        world_size: int,
    ) -> None:
        self.cfg = cfg
        self.paths = paths
        self.shards = shards
        self.ends = np.cumsum([len(shard) for shard in shards])
        self.steps = steps
        self.starts = next(steps)
        self.micro_batch = rank
        self.world_size = world_size

    def read_window(self, start: int) -> np.ndarray:
        """uint16[seq_len + 1] from a position of the endless stream; runs on into the next shard."""
        start %= int(self.ends[-1])
        i = int(np.searchsorted(self.ends, start, side="right"))
        window = self.shards[i][start - self.ends[i] :][: self.cfg.train.seq_len + 1]
        while len(window) <= self.cfg.train.seq_len:
            i = (i + 1) % len(self.shards)
            window = np.concatenate([window, self.shards[i][: self.cfg.train.seq_len + 1 - len(window)]])
        check_token_ids(window, self.cfg.model.vocab_size, self.paths[i])
        return window

    def next_batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of this rank's next micro-batch, int64[b, seq_len] on the CPU; y is x one token on."""
        while self.micro_batch >= self.cfg.train.micro_batches:
            self.starts = next(self.steps)
            self.micro_batch -= self.cfg.train.micro_batches
        windows = np.stack([self.read_window(start) for start in self.starts[self.micro_batch].tolist()])
        self.micro_batch += self.world_size
        tokens = torch.from_numpy(windows.astype(np.int64))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


def make_loader(cfg: Config, paths: list[Path], rank: int, world_size: int, seed: int) -> TokenLoader:
    """The recipe's loader from its beginning. The contiguous stream is the same for every seed, as in B0.

    Raises `InputError` for files that are no shards, and for shards that hold less than one batch.
    """
    shards = [read_shard(path) for path in paths]
    lengths = [len(shard) for shard in shards]
    steps = coprime_steps(cfg, lengths, seed) if cfg.data.loader == "coprime" else contiguous_steps(cfg, lengths)
    return TokenLoader(cfg, paths, shards, steps, rank, world_size)
