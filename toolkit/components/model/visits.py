"""Which blocks run, and in which order: a block holds weights, a visit is one layer that runs."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from toolkit.components.config import Config


def visits(cfg: Config, model: Any, blocks: nn.ModuleList) -> Iterable[nn.Module]:
    """The blocks in the order in which they run: each once."""
    return blocks


def pushes(cfg: Config, model: Any) -> int:
    """How many visits, from the first on, leave a skip for a later one."""
    return cfg.model.num_skips
