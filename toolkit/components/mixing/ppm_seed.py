"""The byte mixture of #1785, as it was, to reproduce it and to learn from it: its scores are no code length.

PPM-D over the bytes scored so far; the network's log-probability of a token is spread evenly over its bytes; each byte
is charged by a mixture of the two, where the weight of the network is small if PPM is confident. In a context with
total T and u distinct bytes, a byte of count c has (2c - 1) / 2T and the escape to the next shorter context u / 2T;
below order 0 all bytes have 1/256. The search starts at the longest context known. "Confident" had four meanings:

    v1          largest count over T in the context where the byte was found (the first code of #1785)
    v2          PPM's probability of the byte (its second code)
    strict      largest count over T in the longest context known (#1795, there at order 4)
    documented  highest probability in the longest context known (the text of #1785)

The "probabilities" of all tokens sum to more than one, for two reasons: v1 and v2 have seen the outcome, and the even
spread belongs to no distribution over the next byte. `golf check` refuses it for a record.

Memory: 16 bytes for each distinct string of up to `order` + 1 bytes, in a table that is a third to two thirds full.
"""

import numpy as np
import sentencepiece as spm
from torch import Tensor

from toolkit.components.base.failure import InputError
from toolkit.components.base.native import compile_native
from toolkit.components.config import Config
from toolkit.components.text.byte_tables import WORD_MARKER, token_strings

SEED_SOURCE = """
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Of a string of up to 6 bytes. Each time that it came a byte followed, but for the last time, where it is a suffix of
// the history. So the total of a context is count - 1, and the count of a byte after it is that of the longer string.
typedef struct {
    uint64_t key : 49;      // the bytes behind a 1
    uint64_t distinct : 15; // bytes seen after it
    uint32_t count;         // how often it came
    uint32_t largest;       // count of the most frequent byte after it
} Entry;

typedef struct {
    Entry *entries; // open addressing with linear probing; a key of 0 is a free place
    int shift;      // 64 - log2 of the number of places
    uint64_t used;
    uint64_t history; // the last bytes, the most recent one lowest
    int length;       // of the history, up to the order
} Model;

static uint64_t place(const Model *model, uint64_t key) { return key * 0x9E3779B97F4A7C15 >> model->shift; }

static uint64_t context(const Model *model, int length) {
    uint64_t one = 1ull << 8 * length;
    return one | model->history & one - 1;
}

static Entry *find(const Model *model, uint64_t key) {
    uint64_t i = place(model, key);
    while (model->entries[i].key && model->entries[i].key != key) i = i + 1 & -1ull >> model->shift;
    return model->entries + i;
}

// Make place for more strings; 0 where memory is short.
static int reserve(Model *model, uint64_t more) {
    while (3 * (model->used + more) >> 65 - model->shift) {
        Entry *old = model->entries, *end = old + (1ull << 64 - model->shift--);
        if (!(model->entries = calloc(1ull << 64 - model->shift, sizeof *old))) {
            free(old);
            return 0;
        }
        for (Entry *entry = old; entry < end; entry++)
            if (entry->key) *find(model, entry->key) = *entry;
        free(old);
    }
    return 1;
}

// Replace the network's nats of n tokens by those of the mixture; 0 where memory is short. `text` has the bytes of one
// token after the other and a zero at the end. A token that is not to be learned from leaves no trace.
int mix_seed(int order, const char *gate, const double *settings, int n, const uint8_t *text, const int64_t *lengths,
             const uint8_t *learned, double *nats) {
    Model model = {calloc(4096, sizeof(Entry)), 52};
    if (!model.entries) return 0;
    *find(&model, 1) = (Entry){.key = 1, .count = 1};
    for (int token = 0; token < n; token++) {
        int64_t length = lengths[token];
        if (!length) continue;
        if (!reserve(&model, length * (order + 1))) return 0;
        struct { Entry *entry, before; } changes[2 * length * (order + 1)], *change = changes;
        Model before = model;
        double network = exp(-nats[token] / length);
        nats[token] = 0;
        for (; length--; text++) {
            Entry *contexts[6], *strings[6], *longest = 0, *found = 0;
            double p = 1;
            for (int k = model.length; k >= 0; k--) {
                uint64_t key = context(&model, k), longer = key << 8 | *text;
                Entry *seen = contexts[k] = find(&model, key), *string = strings[k] = find(&model, longer);
                change->entry = seen, change++->before = *seen;
                change->entry = string, change++->before = *string;
                model.used += !string->key;
                string->key = longer;
                if (found || seen->count == 1) continue;
                if (!longest) longest = seen;
                if (string->count) found = seen;
                p *= (string->count ? string->count - .5 : seen->distinct / 2.) / (seen->count - 1);
            }
            p = fmax(found ? p : p / 256, 1e-20);
            Entry *judge = strcmp(gate, "v1") ? longest : found;
            double confidence = 1 / 256.;
            if (judge) confidence = (judge->largest - !strcmp(gate, "documented") / 2.) / (judge->count - 1);
            if (!strcmp(gate, "v2")) confidence = p;
            double weight = settings[confidence > *settings ? 1 : 2];
            nats[token] -= log(weight * network + (1 - weight) * p);

            contexts[0]->count++;
            for (int k = 0; k <= model.length; k++) {
                uint32_t count = ++strings[k]->count;
                contexts[k]->distinct += count == 1;
                if (contexts[k]->largest < count) contexts[k]->largest = count;
            }
            model.history = model.history << 8 | *text;
            model.length += model.length < order;
            for (int k = 0; k <= model.length; k++)
                __builtin_prefetch(model.entries + place(&model, context(&model, k) << 8 | text[1]));
        }
        if (!learned[token]) {
            while (change-- > changes) *change->entry = change->before;
            model = before;
        }
    }
    free(model.entries);
    return 1;
}
"""


def seed_strings(cfg: Config, tokenizer: spm.SentencePieceProcessor) -> list[bytes]:
    """Bytes of each piece: those of the text, or its name as #1785 had it, where `<0x0A>` counts as six bytes."""
    if cfg.ppm_seed.spelling == "text":
        return token_strings(tokenizer)
    pieces = [tokenizer.id_to_piece(token) for token in range(len(tokenizer))]
    return [(" " + piece[1:] if piece.startswith(WORD_MARKER) else piece).encode() for piece in pieces]


def seed_bytes(cfg: Config, strings: list[bytes], targets: np.ndarray, target_bytes: np.ndarray) -> np.ndarray:
    """What the score is divided by, int64[n]: `target_bytes`, or what `strings` have where they are names of pieces."""
    if cfg.ppm_seed.spelling == "text":
        return target_bytes
    return np.array([len(text) for text in strings])[targets]


def mix_ppm_seed(
    cfg: Config,
    strings: list[bytes],  # bytes of each token of the vocabulary
    targets: np.ndarray,  # int64[n]
    network_nats: Tensor,  # float64[n]
    learned: np.ndarray | None = None,  # bool[n]: False charges a target and then forgets it; all are learned from
) -> Tensor:
    """Nats that #1785 would charge for the targets, float64[n]. One without bytes costs the network's nats."""
    nats = network_nats.clone()
    settings = (cfg.ppm_seed.confidence, cfg.ppm_seed.lambda_confident, cfg.ppm_seed.lambda_default)
    is_done = compile_native(SEED_SOURCE).mix_seed(
        cfg.ppm_seed.order,
        cfg.ppm_seed.gate.encode(),
        np.array(settings).ctypes,
        len(targets),
        b"".join(strings[token] for token in targets),
        np.array([len(text) for text in strings])[targets].ctypes,
        (np.ones(len(targets), bool) if learned is None else learned).ctypes,
        nats.numpy().ctypes,
    )
    if not is_done:
        raise InputError("ppm_seed: expected memory for all contexts, found too little; lower ppm_seed.order")
    return nats
