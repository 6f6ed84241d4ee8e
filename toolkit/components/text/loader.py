"""Training batches from shards, in the order of the recipe's loader.

A loader plans windows for the whole step and numbers its micro-batches 0, 1, ... `micro_batches` - 1. Rank r of w takes
numbers r, r + w, r + 2w, ... so a step trains on the same sequences whatever the number of ranks.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from toolkit.components.config import Config
from toolkit.components.text.contiguous import contiguous_steps
from toolkit.components.text.coprime import coprime_steps
from toolkit.components.text.shards import check_token_ids, read_shard


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
    """The recipe's loader from its beginning. The contiguous stream is the same for every seed, as in #1.

    Raises `InputError` for files that are no shards, and for shards that hold less than one batch.
    """
    shards = [read_shard(path) for path in paths]
    lengths = [len(shard) for shard in shards]
    return TokenLoader(cfg, paths, shards, plan_steps(cfg, lengths, seed), rank, world_size)


def plan_steps(cfg: Config, lengths: list[int], seed: int) -> Iterator[np.ndarray]:
    """Window starts of each step, int64[micro_batches, b], in the stream of shards of these lengths."""
    if cfg.data.loader == "coprime":
        return coprime_steps(cfg, lengths, seed)
    return contiguous_steps(cfg, lengths)
