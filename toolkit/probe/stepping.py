"""The mixer of `ppm_trie` one token at a time, by the C functions that score whole streams.

Scoring a token also learns from it, decision by decision. To score all tokens that might come next, the places that one
of them has changed are put back before the next is tried.
"""

import numpy as np

from toolkit.components.config import Config
from toolkit.components.native import compile_native
from toolkit.components.ppm_engine import ENGINE
from toolkit.components.ppm_linear import LINEAR
from toolkit.components.ppm_trie import AHEAD, MIXER_BYTES, addresses, call, chunk_fields, look, model_fields, zeros
from toolkit.components.trie import Trie

MOST_TOKENS = 1 << 20  # of a stream

_JOURNAL = r"""
#include <stdlib.h>
#include <string.h>
static struct { void *place; unsigned size; char bytes[128]; } saved[1 << 17];
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

_LOOK_EACH = r"""
// A chunk for each of n tokens that may come next.
void look_each(Model *m, Chunk *c, const i64 *tokens, i64 n)
{
    for (i64 i = 0; i < n; i++) {
        Model before = *m;
        walk(m, c + i, tokens + i, 1);
        for (i64 j = 0; j <= m->contexts; j++)
            look(m, c + i, j);
        undo();
        *m = before;
    }
}
"""

_MIX_EACH = r"""
void mix_each(Model *m, Chunk *c, Mixer *mixer, const float *stretches, double *nats, i64 n)
{
    for (i64 i = 0; i < n; i++) {
        mix(m, c + i, mixer, stretches, nats + i);
        stretches += c[i].decisions;
        undo();
    }
}
"""


def keeping(source: str) -> str:
    """C that saves what is about to change."""
    return source.replace("// KEEP(", "KEEP(")


class SteppingMixer:
    """The mixture of `ppm_trie` that can say what every token would be charged next."""

    def __init__(self, cfg: Config, trie: Trie, num_tokens: int = MOST_TOKENS) -> None:
        self.cfg = cfg
        self.trie = trie
        self.seen = 0  # tokens
        self.library = self.mixing = compile_native(_JOURNAL + keeping(ENGINE) + _LOOK_EACH + _MIX_EACH)
        if cfg.ppm_trie.engine == "linear":
            self.mixing = compile_native(_JOURNAL + keeping(LINEAR) + _MIX_EACH)
        lengths = np.diff(trie.begins)
        all_paths = chunk_fields(cfg, int(trie.begins[-1]))
        self.fields = [model_fields(cfg, trie, num_tokens), chunk_fields(cfg, int(lengths.max())), all_paths]
        self.model, self.chunk = map(addresses, self.fields[:2])
        self.mixers = [zeros(MIXER_BYTES) for _ in range(cfg.ppm_trie.shards)]
        # A chunk for every token that may come next: its path's share of the arrays.
        widths = [array.size // (all_paths[1] + AHEAD) for array in all_paths[2:]]
        self.candidates = np.tile(addresses(all_paths), (len(lengths), 1))
        self.candidates[:, 1] = lengths
        self.candidates[:, 2:] += np.outer(trie.begins[:-1], widths)

    @property
    def mixer(self) -> np.ndarray:
        """Whose turn it is."""
        return self.mixers[self.seen // self.cfg.ppm_trie.chunk_tokens % len(self.mixers)]

    def score_all(self, stretches: np.ndarray) -> np.ndarray:
        """Nats of every token if it came next, float64[V], given the network's float32[V - 1] of all decisions."""
        tokens = np.arange(len(self.candidates))
        nats = np.zeros(len(tokens))
        along = stretches[self.trie.nodes].astype(np.float32)
        call(self.library.look_each, self.model, self.candidates, tokens, len(tokens))
        call(self.mixing.mix_each, self.model, self.candidates, self.mixer, along, nats, len(tokens))
        return nats

    def learn(self, token: int, stretches: np.ndarray) -> float:
        """Move on by one token, given the network's float32 along its path; its nats."""
        nats = np.zeros(1)
        look(self.library, self.model, self.chunk, np.array([token]), map)
        call(self.mixing.mix, self.model, self.chunk, self.mixer, stretches.astype(np.float32), nats)
        call(self.library.forget)
        call(self.mixing.forget)
        self.seen += 1
        return float(nats[0])
