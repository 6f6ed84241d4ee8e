"""Coding 5 million Gaussian symbols by rANS: bytes over the entropy, and symbols per second of this process's own time.

constriction's ANS coder, compiled and with one lane, codes the same symbols under the same tables beside it.
"""

import time
from collections.abc import Callable
from typing import Any

import constriction
import numpy as np
import torch

from toolkit.components.artifact.level_coder import LANES
from toolkit.components.artifact.rans import TABLE_SLOTS, normalize_frequencies, rans_decode, rans_encode
from toolkit.components.model.levels import quantize_levels

ROWS, COLUMNS = 10_000, 500
HEADING = ("levels", "bits", "bytes", "over H + table", "encode M/s", "decode M/s", "constriction", "encode", "decode")


def timed(call: Callable[[], Any]) -> tuple[Any, str]:
    """The best of three, in millions of symbols per second."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        result = call()
        seconds.append(time.process_time() - started)
    return result, f"{ROWS * COLUMNS / min(seconds) / 1e6:.1f}"


def measure(symbols: np.ndarray, levels: int) -> tuple[str, ...]:
    """The cells of a row."""
    counts = np.bincount(symbols, minlength=levels)
    (table,) = normalize_frequencies(counts[None])
    seen = counts[counts > 0]
    entropy_bytes = -(seen * np.log2(seen / symbols.size)).sum() / 8
    data, *encode_rate = timed(lambda: rans_encode([symbols], [table], LANES))
    (decoded,), *decode_rate = timed(lambda: list(rans_decode(data, [symbols.size], [table], LANES)))
    assert (decoded == symbols).all()
    model = constriction.stream.model.Categorical(table / TABLE_SLOTS, perfect=False)

    def encode() -> Any:
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(symbols.astype(np.int32), model)
        return coder.get_compressed()

    words, *oracle_rates = timed(encode)
    oracle_rates.append(timed(lambda: constriction.stream.stack.AnsCoder(words).decode(model, symbols.size))[1])
    over = f"{len(data) / (entropy_bytes + 2 * levels) - 1:.3%}"
    bits = f"{8 * entropy_bytes / symbols.size:.4f}"
    sizes = f"{len(data):,}", over
    return str(levels), bits, *sizes, *encode_rate, *decode_rate, f"{4 * len(words):,}", *oracle_rates


def main() -> None:
    torch.set_num_threads(1)
    weight = torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(0))
    print(f"{LANES} lanes; M/s are millions of symbols per second")
    print(*(f"{title:>14}" for title in HEADING))
    for levels in (5, 16, 64):
        symbols = (quantize_levels(weight, levels)[0] + levels // 2).byte().numpy().ravel()
        print(*(f"{cell:>14}" for cell in measure(symbols, levels)))
