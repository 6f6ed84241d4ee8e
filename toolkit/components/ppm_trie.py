"""A context model of the text scored so far, mixed into the network's decisions on the vocabulary's trie.

Every open decision of a token's path gets its probability from the past alone: the network's log-odds enter a logistic
mixture beside what was seen at the same decision in other contexts. Each decision is charged before anything learns
from it, so that the charges are a probability distribution over the vocabulary, whatever the mixture makes of them.

The work goes in chunks of tokens: the contexts of one chunk are looked up, in threads, while the chunks before it are
mixed. Chunk j belongs to mixer j modulo `shards`; contexts are common to all. Results do not depend on threads.
"""

import ctypes
import mmap
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.components.config import Config
from toolkit.components.native import compile_native
from toolkit.components.ppm_engine import ENGINE
from toolkit.components.ppm_linear import LINEAR
from toolkit.components.trie import Trie, TrieFeed

LINE_BYTES = 64  # of a context's table
LASTS_BYTES = 1 << 24
MIXER_BYTES = 1 << 26
STATE_FIELDS = 15  # of the C struct Model, after the pointers
TEXT_MARGIN = 64  # bytes before and after the text that may be looked at


def call(function: Any, *arguments: Any) -> Any:
    """Call a C function whose arguments are all 64 bits wide: integers and addresses of arrays."""
    return function(*(ctypes.c_int64(a.ctypes.data if isinstance(a, np.ndarray) else a) for a in arguments))


def zeros(size: int) -> np.ndarray:
    """Bytes in pages of their own, large ones where the system has them; pages never written take no memory."""
    pages = mmap.mmap(-1, max(1, size))
    pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


def compile_engine(cfg: Config) -> tuple[ctypes.CDLL, ctypes.CDLL]:
    """The libraries with the contexts and with the mixing, which can be one."""
    if cfg.ppm_trie.engine == "linear":
        return compile_native(ENGINE), compile_native(LINEAR)
    return compile_native(ENGINE), compile_native(ENGINE)


class TrieMixer:
    """The memory of contexts and mixers, and the C functions on it. `capacity` decisions fit into a chunk."""

    def __init__(self, cfg: Config, trie: Trie, text_bytes: int, capacity: int) -> None:
        self.arrays: list[Any] = []  # what C has the addresses of
        self.contexts, self.mixing = self.compile(cfg)
        self.count = len(cfg.ppm_trie.masks) // 2
        self.model = self.fields(
            *(trie.begins, trie.nodes, trie.outcomes, trie.depths, trie.partials),
            *(np.frombuffer(b"".join(trie.strings) + b" ", np.uint8), np.cumsum([0, *map(len, trie.strings)])),
            *(np.array(cfg.ppm_trie.masks, np.uint64), self.count, cfg.ppm_trie.table_bits),
            *(zeros(self.count * LINE_BYTES << cfg.ppm_trie.table_bits), zeros(LASTS_BYTES)),
            *(zeros(text_bytes + 2 * TEXT_MARGIN)[TEXT_MARGIN:] for _ in range(2)),
            *[0] * STATE_FIELDS,
        )
        self.chunks = [self.chunk(capacity) for _ in range(cfg.ppm_trie.shards + 1)]
        self.mixers = [zeros(MIXER_BYTES) for _ in range(cfg.ppm_trie.shards)]

    def compile(self, cfg: Config) -> tuple[ctypes.CDLL, ctypes.CDLL]:
        return compile_engine(cfg)

    def chunk(self, capacity: int) -> np.ndarray:
        widths = (4, 4, 8, 8 * self.count, 4 * self.count + 4)
        return self.fields(0, 0, capacity, *(zeros(capacity * width) for width in widths))

    def fields(self, *values: Any) -> np.ndarray:
        """A C struct of integers and of pointers to arrays."""
        self.arrays += values
        return np.array([v.ctypes.data if isinstance(v, np.ndarray) else v for v in values], np.int64)

    def look(self, chunk: np.ndarray, tokens: np.ndarray, each: Callable[..., Iterable[None]]) -> None:
        """Take in tokens: what contexts and matches know of their decisions is then in the chunk. `each` is a `map`."""
        call(self.contexts.walk, self.model, chunk, tokens, len(tokens))
        list(each(lambda context: call(self.contexts.look, self.model, chunk, context), range(self.count + 1)))

    def mix(self, mixer: int, chunk: np.ndarray, stretches: np.ndarray, nats: np.ndarray) -> None:
        """Charge what `look` has taken in; learns after each decision."""
        call(self.mixing.mix, self.model, chunk, self.mixers[mixer], stretches, nats)


def mix_ppm_trie(
    cfg: Config,
    targets: np.ndarray,  # int64[n]
    feed: TrieFeed,  # the network's decisions along them
    progress: Callable[[np.ndarray], None] | None = None,
) -> Tensor:
    """Nats of the mixture for all targets, float64[n]; `progress` gets those of the first ones again and again."""
    firsts = range(0, len(targets), cfg.ppm_trie.chunk_tokens)
    capacity = int(np.diff(feed.starts[[*firsts, len(targets)]]).max(initial=0))
    lengths = np.array([len(text) or 1 for text in feed.trie.strings])  # a token without bytes stands as a zero byte
    mixer = TrieMixer(cfg, feed.trie, int(lengths[targets].sum()), capacity)
    stretches, nats = feed.stretches.numpy(), np.zeros(len(targets))
    mixed: list[Future[None]] = []
    with ThreadPoolExecutor() as pool:
        for i, first in enumerate(firsts):
            chunk = mixer.chunks[i % len(mixer.chunks)]
            mixer.look(chunk, targets[first : first + cfg.ppm_trie.chunk_tokens], pool.map)
            before = i - cfg.ppm_trie.shards  # the last chunk of the same mixer; its memory is taken next
            if before >= 0:
                mixed[before].result()
                if progress:
                    progress(nats[: firsts[before + 1]])
            begin = feed.starts[first]
            mixed.append(pool.submit(mixer.mix, i % cfg.ppm_trie.shards, chunk, stretches[begin:], nats[first:]))
        for future in mixed:
            future.result()
    return torch.from_numpy(nats)
