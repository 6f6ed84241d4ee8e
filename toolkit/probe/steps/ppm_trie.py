"""The mixer `ppm_trie` one token at a time, by the C functions that score whole streams.

Scoring a token also learns from it, decision by decision. To score tokens that might come next, the places that one of
them has changed are put back before the next is tried.
"""

import numpy as np
import torch

from toolkit.components.base.native import addresses, call, compile_native, zeros
from toolkit.components.config import Config
from toolkit.components.mixing.ppm_engine import ENGINE
from toolkit.components.mixing.ppm_linear import LINEAR
from toolkit.components.mixing.ppm_trie import AHEAD, MIXER_BYTES, chunk_fields, look, model_fields
from toolkit.components.mixing.trie import Trie
from toolkit.probe.steps.step import Choose, Scorer

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


def mixer(cfg: Config, scorer: Scorer, strings: list[bytes], num_targets: int) -> "TriePredictor":
    return TriePredictor(cfg, scorer, strings, num_targets)


class TriePredictor:
    """The mixture on the trie on top of a scorer."""

    def __init__(self, cfg: Config, scorer: Scorer, strings: list[bytes], num_targets: int) -> None:
        self.scorer = scorer
        self.trie = Trie(strings, torch.device("cpu"))
        self.mixer = SteppingMixer(cfg, self.trie, num_targets)

    def stretches(self) -> np.ndarray:
        """The network's log-odds of all decisions, float32[V - 1]."""
        nodes = torch.arange(len(self.trie.partials))
        return self.trie.stretches(self.scorer.logits().cpu(), torch.zeros_like(nodes), nodes).numpy()

    def step(self, choose: Choose) -> int:
        token = self.mixer.step(self.stretches(), choose)
        self.scorer.observe(token)
        return token


def keeping(source: str) -> str:
    """C that saves what is about to change."""
    return source.replace("// KEEP(", "KEEP(")


class SteppingMixer:
    """The mixture of `ppm_trie` that can say what any token would be charged next."""

    def __init__(self, cfg: Config, trie: Trie, num_targets: int) -> None:
        self.cfg = cfg
        self.trie = trie
        self.order = trie.order.numpy()
        self.ranks = self.order.argsort()  # of tokens in this order
        self.seen = 0  # tokens
        self.library = self.mixing = compile_native(_JOURNAL + keeping(ENGINE) + _LOOK_EACH + _MIX_EACH)
        if cfg.ppm_trie.engine == "linear":
            self.mixing = compile_native(_JOURNAL + keeping(LINEAR) + _MIX_EACH)
        lengths = np.diff(trie.begins)
        all_paths = chunk_fields(cfg, int(trie.begins[-1]))
        self.fields = [model_fields(cfg, trie, num_targets), chunk_fields(cfg, int(lengths.max())), all_paths]
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
        lengths = np.diff(self.trie.begins)
        return self.score(np.arange(len(lengths)), lengths, stretches[self.trie.nodes])

    def score(self, tokens: np.ndarray, lengths: np.ndarray, stretches: np.ndarray) -> np.ndarray:
        """Nats float64[n] of the first lengths int64[n] decisions of each of tokens int64[n] if it came next.

        `stretches` are the network's float32 of these decisions, token after token.
        """
        nats, chunks = np.zeros(len(tokens)), self.candidates[tokens]
        call(self.library.look_each, self.model, chunks, tokens, len(tokens))
        chunks[:, 0] = lengths
        call(self.mixing.mix_each, self.model, chunks, self.mixer, stretches.astype(np.float32), nats, len(tokens))
        return nats

    def step(self, stretches: np.ndarray, choose: Choose) -> int:
        """Move on by one token, decision by decision as chosen, given the network's float32[V - 1]; the token."""
        low, high, depth, nats = 0, len(self.order), 0, 0.0
        while high - low > 1:
            depth += 1
            path = self.trie.nodes[self.trie.path(self.order[low])][:depth]  # shared by all tokens from low to high
            middle = int(self.trie.bounds[1, path[-1]])
            # What a decision is charged does not depend on those after it: any token beyond an outcome will do.
            sides = self.order[[low, middle]]
            scored = self.score(sides, np.array([depth, depth]), np.tile(stretches[path], 2))
            outcome = choose(np.exp(nats - scored), self.ranks >= middle)
            nats = scored[outcome]
            low, high = (middle, high) if outcome else (low, middle)
        token = int(self.order[low])
        self.learn(token, stretches[self.trie.nodes[self.trie.path(token)]])
        return token

    def learn(self, token: int, stretches: np.ndarray) -> float:
        """Move on by one token, given the network's float32 along its path; its nats."""
        nats = np.zeros(1)
        look(self.library, self.model, self.chunk, np.array([token]), map)
        call(self.mixing.mix, self.model, self.chunk, self.mixer, stretches.astype(np.float32), nats)
        call(self.library.forget)
        call(self.mixing.forget)
        self.seen += 1
        return float(nats[0])
