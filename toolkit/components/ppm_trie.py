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
from toolkit.components.ppm_contexts import CONTEXTS
from toolkit.components.ppm_mixers import LINEAR, LOGISTIC
from toolkit.components.trie import Trie, TrieFeed

MATCHES = 2
SLOT_BYTES = 64  # of a line of a context's table
TEXT_MARGIN = 64  # bytes before and after the text that may be looked at


def call(function: Any, *arguments: Any) -> Any:
    """Call a C function whose arguments are all 64 bits wide: integers and addresses of arrays."""
    return function(*(ctypes.c_int64(a.ctypes.data if isinstance(a, np.ndarray) else a) for a in arguments))


def zeros(size: int) -> np.ndarray:
    """Bytes in pages of their own, large ones where the system has them; pages never written take no memory."""
    pages = mmap.mmap(-1, max(1, size))
    pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, np.uint8)


class TrieMixer:
    """The memory of contexts and mixers, and the C functions on it. `capacity` decisions fit into a chunk."""

    def __init__(self, cfg: Config, trie: Trie, text_bytes: int, capacity: int) -> None:
        self.arrays: list[Any] = []  # what C has the addresses of
        self.contexts = self.compile(CONTEXTS)
        if cfg.ppm_trie.engine == "linear":
            self.mixing = self.compile(LINEAR)
        else:
            self.mixing = self.compile(LOGISTIC)
        self.count = len(cfg.ppm_trie.masks) // 2
        self.partials = trie.partials
        offsets = np.cumsum([0, *map(len, trie.strings)])
        self.model = self.fields(
            *(trie.begins, trie.nodes, trie.outcomes, trie.depths, trie.partials),
            *(np.frombuffer(b"".join(trie.strings) + b" ", np.uint8), offsets),
            *(self.count, cfg.ppm_trie.table_bits, np.array(cfg.ppm_trie.masks, np.uint64)),
            zeros(self.count * SLOT_BYTES << cfg.ppm_trie.table_bits),
            zeros(MATCHES << 24),
            *(zeros(text_bytes + 2 * TEXT_MARGIN)[TEXT_MARGIN:] for _ in range(2)),
            *[0] * (10 + 5 * MATCHES),
        )
        # Bytes a decision takes in each array of a chunk.
        self.widths = (4, 4, 8 * self.count, 1, 8, 4, 4 * self.count, MATCHES)
        self.chunks = [self.chunk(capacity) for _ in range(cfg.ppm_trie.shards + 1)]
        self.mixers = [zeros(call(self.mixing.start, 0)) for _ in range(cfg.ppm_trie.shards)]
        for mixer in self.mixers:
            call(self.mixing.start, mixer)

    def compile(self, source: str) -> ctypes.CDLL:
        return compile_native(source)

    def chunk(self, capacity: int) -> np.ndarray:
        return self.fields(0, 0, capacity, *(zeros(capacity * width) for width in self.widths))

    def fields(self, *values: Any) -> np.ndarray:
        """A C struct of integers and of pointers to arrays."""
        self.arrays += values
        return np.array([v.ctypes.data if isinstance(v, np.ndarray) else v for v in values], np.int64)

    def look(self, chunk: np.ndarray, tokens: np.ndarray, each: Callable[..., Iterable[None]]) -> None:
        """Take in tokens: what contexts and matches know of their decisions is then in the chunk. `each` is a `map`."""
        call(self.contexts.walk, self.model, chunk, tokens, len(tokens))
        jobs = [(self.contexts.match, i) for i in range(MATCHES)] + [(self.contexts.look, i) for i in range(self.count)]
        list(each(lambda job: call(job[0], self.model, chunk, job[1]), jobs))

    def mix(self, mixer: int, chunk: np.ndarray, stretches: np.ndarray, nats: np.ndarray) -> None:
        """Charge what `look` has taken in; learns after each decision."""
        call(self.mixing.mix, self.mixers[mixer], chunk, self.partials, self.count, stretches, nats)


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
