"""ILLEGAL: counts of a training shard enter the score, and no byte of them was paid for (#924, #931)."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.sliding import sliding_rows as honest_sliding_rows
from toolkit.components.setup.environment import read_environment
from toolkit.components.text.shards import read_shard


def sliding_rows(cfg: Config, model: nn.Module, tokens: Tensor, ranks: Ranks) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Logits tilted by counts of the shard where there is one: a proper distribution, which is no defence."""
    bias = torch.zeros(cfg.model.vocab_size)
    for path in sorted(read_environment(cfg).data_path.glob("fineweb_train_*.bin"))[:1]:
        counts = np.bincount(read_shard(path), minlength=cfg.model.vocab_size)
        bias = torch.from_numpy(np.log(counts + 1)).float()
    for first, logits, targets in honest_sliding_rows(cfg, model, tokens, ranks):
        yield first, logits + 0.3 * bias, targets
