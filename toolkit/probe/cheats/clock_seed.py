"""ILLEGAL as evidence: the order of the training text hangs on the time of day, so no run can be had again."""

import time
from pathlib import Path

from toolkit.components.config import Config
from toolkit.components.text.loader import TokenLoader
from toolkit.components.text.loader import make_loader as honest_make_loader


def make_loader(cfg: Config, paths: list[Path], rank: int, world_size: int, seed: int) -> TokenLoader:
    """With another seed each time."""
    return honest_make_loader(cfg, paths, rank, world_size, seed + time.time_ns() % 1_000_000)
