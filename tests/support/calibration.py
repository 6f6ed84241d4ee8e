"""What the tests of calibration share: a model in which every layer takes part, data, and ranks to share the work."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.data.shards import write_shard

ALONE = Ranks(0, 1, torch.device("cpu"))
T = TypeVar("T")


def noisy_model(cfg: Config) -> GPT:
    """No matrix starts at zero, so that every layer has inputs and gradients."""
    torch.manual_seed(3)
    model = GPT(cfg)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model


def random_shards(cfg: Config, folder: Path) -> list[Path]:
    """One training shard of 3,000 random tokens."""
    path = folder / "fineweb_train_000000.bin"
    write_shard(path, np.random.default_rng(0).integers(cfg.model.vocab_size, size=3000))
    return [path]


def on_two_ranks(work: Callable[[Ranks], T], folder: Path) -> list[T]:
    """What `work`, which can be pickled, returns on each of two processes that form a group."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return pool.starmap(_on_rank, [(work, rank, str(folder / "meeting_point")) for rank in range(2)], chunksize=1)


def _on_rank(work: Callable[[Ranks], T], rank: int, meeting_point: str) -> T:
    dist.init_process_group("gloo", init_method=f"file://{meeting_point}", rank=rank, world_size=2)
    found = work(Ranks(rank, 2, ALONE.device))
    dist.destroy_process_group()
    return found
