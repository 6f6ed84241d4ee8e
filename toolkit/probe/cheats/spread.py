"""ILLEGAL: a token's probability spread evenly over its bytes, then mixed byte by byte (#1785, #1967)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.scoring.score import score_windows as honest_score_windows
from toolkit.components.setup.environment import read_environment
from toolkit.components.text.byte_tables import load_tokenizer, token_strings


def score_windows(
    cfg: Config,
    model: nn.Module,
    tokens: Tensor,
    ranks: Ranks,
    stride: int,
    take: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """The n-th root of the network's probability for each of n bytes, half and half with counts after the last byte."""
    nats = honest_score_windows(cfg, model, tokens, ranks, stride, take)
    strings = token_strings(load_tokenizer(read_environment(cfg).tokenizer_path, cfg.model.vocab_size))
    counts = np.full((256, 256), 1 / 256)
    last = 0
    for i, token in enumerate(tokens[1:].tolist()):
        text = strings[token]
        if text:
            share = np.exp(-float(nats[i]) / len(text))
            total = 0.0
            for byte in text:
                total -= np.log(0.5 * share + 0.5 * counts[last, byte] / counts[last].sum())
                counts[last, byte] += 1
                last = byte
            nats[i] = torch.tensor(total)
    return nats
