"""The mixer of `ppm_trie` one token at a time, by the C functions that score whole streams.

Scoring a token also learns from it, decision by decision. To score all tokens that might come next, the places that one
of them has changed are put back before the next is tried.
"""

import ctypes

import numpy as np

from toolkit.components.config import Config
from toolkit.components.native import compile_native
from toolkit.components.ppm_contexts import CONTEXTS
from toolkit.components.ppm_trie import TrieMixer, call
from toolkit.components.trie import Trie

TEXT_BYTES = 1 << 24  # of the longest stream

_JOURNAL = r"""
#include <stdlib.h>
#include <string.h>
static struct { void *place; unsigned size; char bytes[64]; } saved[1 << 17];
static long steps;
static void keep(void *place, unsigned size)
{
    if (steps == 1 << 17)
        abort();
    saved[steps].place = place;
    saved[steps].size = size;
    memcpy(saved[steps++].bytes, place, size);
}
#define KEEP(place) keep(&(place), sizeof(place))
void forget(void) { steps = 0; }
static void undo(void)
{
    while (steps--)
        memcpy(saved[steps].place, saved[steps].bytes, saved[steps].size);
    steps = 0;
}
"""

_CONTEXTS_EACH = r"""
// A chunk for each of n tokens that may come next.
void each(Model *m, Chunk *c, const i64 *tokens, i64 n)
{
    for (i64 i = 0; i < n; i++) {
        Model before = *m;
        walk(m, c + i, tokens + i, 1);
        for (i64 j = 0; j < MATCHES; j++)
            match(m, c + i, j);
        for (i64 j = 0; j < m->contexts; j++)
            look(m, c + i, j);
        undo();
        *m = before;
    }
}
"""

_MIX_EACH = r"""
void each(Mixer *m, const Chunk *c, const int *partials, i64 contexts, const float *stretches, double *nats, i64 n)
{
    for (i64 i = 0; i < n; i++) {
        mix(m, c + i, partials, contexts, stretches, nats + i);
        stretches += c[i].decisions;
        undo();
    }
}
"""


class SteppingMixer(TrieMixer):
    """A `TrieMixer` that can say what every token would be charged next."""

    def __init__(self, cfg: Config, trie: Trie, text_bytes: int = TEXT_BYTES) -> None:
        lengths = np.diff(trie.begins)
        super().__init__(cfg, trie, text_bytes, int(lengths.max()))
        self.cfg = cfg
        self.trie = trie
        self.seen = 0  # tokens
        # A chunk for every token that may come next: its path's share of the arrays.
        shares = np.outer(trie.begins[:-1], [0, 0, 0, *self.widths])
        self.candidates = self.chunk(int(trie.begins[-1])) + shares
        self.candidates[:, 2] = lengths

    def compile(self, source: str) -> ctypes.CDLL:
        return compile_native(_JOURNAL + source + (_CONTEXTS_EACH if source == CONTEXTS else _MIX_EACH))

    @property
    def mixer(self) -> int:
        """Whose turn it is."""
        return self.seen // self.cfg.ppm_trie.chunk_tokens % self.cfg.ppm_trie.shards

    def score_all(self, stretches: np.ndarray) -> np.ndarray:
        """Nats of every token if it came next, float64[V], given the network's float32[V - 1] of all decisions."""
        tokens = np.arange(len(self.candidates))
        nats = np.zeros(len(tokens))
        along = stretches[self.trie.nodes].astype(np.float32)
        call(self.contexts.each, self.model, self.candidates, tokens, len(tokens))
        memory = (self.mixers[self.mixer], self.candidates, self.partials, self.count)
        call(self.mixing.each, *memory, along, nats, len(tokens))
        return nats

    def learn(self, token: int, stretches: np.ndarray) -> float:
        """Move on by one token, given the network's float32 along its path; its nats."""
        nats = np.zeros(1)
        self.look(self.chunks[0], np.array([token]), map)
        self.mix(self.mixer, self.chunks[0], stretches.astype(np.float32), nats)
        self.seen += 1
        call(self.contexts.forget)
        call(self.mixing.forget)
        return float(nats[0])
