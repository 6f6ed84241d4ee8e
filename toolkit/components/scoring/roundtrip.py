"""The scorer `roundtrip`: windows that do not overlap, blocks in short. Quick, so that training validates with it."""

from collections.abc import Iterator

from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.score import charge
from toolkit.components.scoring.windows import window_rows


def roundtrip_rows(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """`window_rows` at a stride of `seq_len`: the first target of a block has one token before it."""
    return window_rows(cfg, model, tokens, ranks, cfg.train.seq_len)


def score_blocks(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Tensor:
    """Nats of every target by blocks, as `charge` returns them."""
    return charge("roundtrip", roundtrip_rows(cfg, model, tokens, ranks), tokens, ranks)
