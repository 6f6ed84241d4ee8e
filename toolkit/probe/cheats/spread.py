"""ILLEGAL: a token's probability spread evenly over its bytes, then mixed byte by byte (#1785, #1967)."""

import os
from collections.abc import Iterator

import numpy as np
import sentencepiece as spm
import torch
from torch import Tensor

from toolkit.components.base.ranks import Ranks
from toolkit.components.scoring.score import charge as honest_charge
from toolkit.components.text.byte_tables import token_strings


def charge(scorer: str, rows: Iterator[tuple[int, Tensor, Tensor]], tokens: Tensor, ranks: Ranks) -> Tensor:
    """The n-th root of the network's probability for each of n bytes, half and half with counts after the last byte."""
    nats = honest_charge(scorer, rows, tokens, ranks)
    strings = token_strings(spm.SentencePieceProcessor(model_file=os.environ["TOKENIZER_PATH"]))
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
