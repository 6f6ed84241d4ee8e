"""ILLEGAL: counts of a training shard enter the score, and no byte of them was paid for (#924, #931)."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.windows import window_logits
from toolkit.components.setup.environment import read_environment
from toolkit.components.text.shards import read_shard


def score_windows(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,
    ranks: Ranks,
    stride: int,
    take: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """Logits tilted by counts of the shard where there is one: a proper distribution, which is no defence."""
    bias = torch.zeros(cfg.model.vocab_size)
    for path in sorted(read_environment(cfg).data_path.glob("fineweb_train_*.bin"))[:1]:
        counts = np.bincount(read_shard(path), minlength=cfg.model.vocab_size)
        bias = torch.from_numpy(np.log(counts + 1)).float()
    nats = torch.zeros(len(tokens) - 1, dtype=torch.float64)
    for first, logits, targets in window_logits(cfg, model, tokens, ranks, stride):
        scores = F.cross_entropy(logits + 0.3 * bias, targets, reduction="none")
        nats[first : first + len(targets)] = scores.double()
    return nats
