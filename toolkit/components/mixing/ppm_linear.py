"""C source of `engine = "linear"` in `ppm_trie`: shares of probabilities in place of the mixing of log-odds.

From the network's own probability on, each context that has seen a decision is mixed in by a share that depends on the
context's state and is learned online, as the share that would have been right.
"""

LINEAR = r"""
#include <math.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;

enum { CLOSED = -1 };

typedef struct {
    void *vocabulary[8];
    i64 contexts;
} Model;

typedef struct {
    i64 decisions, capacity;
    u32 *nodes;
    int *places;
    u64 *tails;
    i64 *matches;
    u64 *hashes;
    u8 *states;
} Chunk;

typedef struct {
    double shares[16][256]; // by context and state: of what was mixed before, above the initial 0.98
} Mixer;

void mix(Model *m, Chunk *c, Mixer *mixer, const float *log_odds, double *nats)
{
    for (i64 d = 0; d < c->decisions; d++) {
        int outcome = c->nodes[d] & 1;
        double p[] = {1 / (1 + exp(log_odds[d])), 1 / (1 + exp(-log_odds[d]))};
        for (int i = 0; i < m->contexts && c->places[d] != CLOSED; i++) {
            int state = c->states[i * c->capacity + d], n0 = state >> 4, n1 = state & 15;
            if (state) {
                double *learned = &mixer->shares[i][state], share = .98 + *learned, before = p[outcome];
                double p1 = (n1 + .4) / (n0 + n1 + .8);
                p[0] = share * p[0] + (1 - share) * (1 - p1);
                p[1] = share * p[1] + (1 - share) * p1;
                // KEEP(*learned);
                *learned += .02 * (share * before / p[outcome] - share);
            }
        }
        *nats -= log(p[outcome]);
        nats += c->nodes[d] >> 1 & 1;
    }
}
"""
