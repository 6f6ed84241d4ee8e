"""The scorer `sliding`: windows that overlap, so that a target has at least `seq_len - stride` tokens before it."""

from collections.abc import Iterator

from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.windows import window_rows


def sliding_rows(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """`window_rows` at the recipe's stride."""
    return window_rows(cfg, model, tokens, ranks, cfg.evaluate.stride)
