"""A context model of the text scored so far, mixed into the network's decisions on the vocabulary's trie.

Every open decision of a token's path gets its probability from the past alone: the network's log-odds enter a logistic
mixture beside what was seen at the same decision in other contexts. Each decision is charged before anything learns
from it, so that the charges are a probability distribution over the vocabulary, whatever the mixture makes of them.

The work goes in chunks of tokens: the contexts of one chunk are looked up, in threads, while the chunks before it are
mixed. Chunk j belongs to mixer j modulo `shards`; contexts are common to all. Results do not depend on threads.
"""

import ctypes
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.components.base.native import addresses, call, compile_native, zeros
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_engine import ENGINE
from toolkit.components.mixing.ppm_linear import LINEAR
from toolkit.components.mixing.trie import Trie, TrieFeed

LINE_BYTES = 32  # of a context's table
LASTS_BYTES = 1 << 24
MIXER_BYTES = 1 << 27
TEXT_MARGIN = 64  # bytes before and after the text that may be looked at
AHEAD = 16  # decisions behind the last


def compile_engine(cfg: Config) -> tuple[ctypes.CDLL, ctypes.CDLL]:
    """The library that walks and looks, and the one that mixes."""
    if cfg.ppm_trie.engine == "linear":
        return compile_native(ENGINE), compile_native(LINEAR)
    return compile_native(ENGINE), compile_native(ENGINE)


def model_fields(cfg: Config, trie: Trie, num_tokens: int) -> list[Any]:
    """Fields of the C struct Model: the vocabulary, the contexts' memory, and room for `num_tokens` tokens of text."""
    strings, text_bytes = trie.strings, num_tokens * (1 + max(map(len, trie.strings)))
    return [
        *(trie.begins, trie.nodes, trie.outcomes, trie.depths, trie.partials),
        *(np.array([*b"".join(strings), 0], np.uint8), np.cumsum([0, *map(len, strings)])),
        *(np.array(cfg.ppm_trie.masks, np.uint64), len(cfg.ppm_trie.masks) // 2, cfg.ppm_trie.table_bits),
        int(1e9 * cfg.ppm_trie.learning_rate),
        *(zeros(len(cfg.ppm_trie.masks) * LINE_BYTES // 2 << cfg.ppm_trie.table_bits), zeros(LASTS_BYTES)),
        *(zeros(text_bytes + 2 * TEXT_MARGIN), TEXT_MARGIN, *[0] * 12),
    ]


def chunk_fields(cfg: Config, capacity: int) -> list[Any]:
    """Fields of the C struct Chunk, with room for `capacity` decisions."""
    widths = (4, 4, 8, 8, 4 * len(cfg.ppm_trie.masks), len(cfg.ppm_trie.masks) // 2 + 1)
    return [0, capacity, *(zeros((capacity + AHEAD) * width) for width in widths)]


def look(
    library: ctypes.CDLL,
    model: np.ndarray,
    chunk: np.ndarray,
    tokens: np.ndarray,  # int64[n]
    each: Callable[..., Iterable[None]],  # a `map`
) -> None:
    """Take in tokens: what contexts and the match know of their decisions is then in the chunk."""
    call(library.walk, model, chunk, tokens, len(tokens))
    list(each(lambda context: call(library.look, model, chunk, context), range(model[8] + 1)))


def mix_ppm_trie(
    cfg: Config,
    targets: np.ndarray,  # int64[n]
    feed: TrieFeed,  # the network's decisions along them
    progress: Callable[[np.ndarray], None] | None = None,
) -> Tensor:
    """Nats of the mixture for all targets, float64[n]; `progress` gets those of the first ones again and again."""
    library, mixing = compile_engine(cfg)
    firsts = range(0, len(targets), cfg.ppm_trie.chunk_tokens)
    capacity = cfg.ppm_trie.chunk_tokens * int(np.diff(feed.trie.begins).max())  # what is not needed takes no memory
    fields = model_fields(cfg, feed.trie, len(targets))
    chunks = [chunk_fields(cfg, capacity) for _ in range(cfg.ppm_trie.shards + 1)]
    mixers = [zeros(MIXER_BYTES) for _ in range(cfg.ppm_trie.shards)]
    model, nats = addresses(fields), np.zeros(len(targets))
    mixed: list[Future[None]] = []
    with ThreadPoolExecutor() as pool:
        for i, first in enumerate(firsts):
            chunk = addresses(chunks[i % len(chunks)])
            look(library, model, chunk, targets[first : first + cfg.ppm_trie.chunk_tokens], pool.map)
            before = i - cfg.ppm_trie.shards  # the last chunk of the same mixer; its memory is taken next
            if before >= 0:
                mixed[before].result()
                if progress:
                    progress(nats[: firsts[before + 1]])
            stretches = feed.stretches.numpy()[feed.starts[first] :]
            mixed.append(pool.submit(call, mixing.mix, model, chunk, mixers[i % len(mixers)], stretches, nats[first:]))
        for future in mixed:
            future.result()
    return torch.from_numpy(nats)
