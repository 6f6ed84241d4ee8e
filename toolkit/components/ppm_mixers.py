"""C source of the mixers of `ppm_trie`: a decision's probability from the network's own and the contexts' states.

Every decision is charged before anything learns from it. `LINEAR` averages probabilities: from the network's own on,
each context that has seen the decision is mixed in by a share that depends on its state and is learned online.
`LOGISTIC` is gated logistic mixing as in the PAQ family (Mahoney, 2005; Mattern, "Linear and Geometric Mixtures", 2013).
"""

LOGISTIC = r"""
#include <math.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;
typedef float floats __attribute__((vector_size(64)));
typedef int ints __attribute__((vector_size(64)));

#ifndef KEEP
#define KEEP(place)
#endif

enum { CLOSED = -1, CONTEXTS = 14, SETS = 4, BLOCK = 64, COUNT = 1000, HASH_BITS = 16 };

typedef struct {
    i64 decisions, units, capacity;
    u32 *nodes;
    int *places;
    u64 *hashes;
    u8 *highs;
    i64 *positions;
    u32 *tails, *slots;
    u8 *expected;
} Chunk;

// What a mixer learns. All but the maps are departures from the network's own probability: 0 at the start.
typedef struct {
    floats weights[SETS][1 << 16][2];
    floats finals[9 * 32];
    float by_node[1 << 16][34], by_tail[1 << HASH_BITS][34];
    u32 maps[16][256]; // by input and state: probability in 22 bits, and how often it was met in 10
    float decisions;
} Mixer;

static floats power(floats x) // e^x
{
    floats t = x * 1.44269504f, r = t + 12582912.f, y;
    ints exponent = (ints)r << 23;
    t -= r - 12582912.f;
    y = .001333355815f + t * .000154035304f;
    y = .05550410866f + t * (.009618129108f + t * y);
    y = 1.f + t * (.6931471806f + t * (.2402265070f + t * y));
    return (floats)((ints)y + exponent);
}

static floats logarithm(floats x)
{
    ints bits = (ints)x - 0x3f3504f3;
    floats t = (floats)((bits & 0x7fffff) + 0x3f3504f3) - 1.f, y;
    y = (.070376836292f * t - .11514610310f) * t + .11676998740f;
    y = ((y * t - .12420140846f) * t + .14249322787f) * t - .16668057665f;
    y = ((y * t + .20000714765f) * t - .24999993993f) * t + .33333331174f;
    return t + (y * t - .5f) * t * t + __builtin_convertvector(bits >> 23, floats) * .69314718f;
}

static float sum(floats v)
{
    typedef float Half __attribute__((vector_size(32)));
    typedef float Quarter __attribute__((vector_size(16)));
    union { floats whole; Half halves[2]; } a = {v};
    union { Half half; Quarter quarters[2]; } b = {a.halves[0] + a.halves[1]};
    Quarter q = b.quarters[0] + b.quarters[1];
    return (q[0] + q[2]) + (q[1] + q[3]);
}

static float clip(float x, float limit) { return x > limit ? limit : x < -limit ? -limit : x; }

i64 start(Mixer *m)
{
    for (int i = 0; m && i < 16; i++)
        for (int state = 0; state < 256; state++) {
            int n0 = state >> 4, n1 = state & 15, length = state >> 2;
            float p = (n1 + .4f) / (n0 + n1 + .8f);
            if (i >= CONTEXTS) {
                p = 1 / ((length < 25 ? length : 8) + 2.f);
                p = !length ? .5f : state & 1 ? 1 - p : p;
            }
            m->maps[i][state] = (u32)(p * 4194304) << 10 | (i < CONTEXTS ? 0 : 8);
        }
    return sizeof *m;
}

// Nats of the tokens of a chunk, given the network's log-odds of outcome 1 in all its decisions.
void mix(Mixer *m, const Chunk *c, const int *partials, i64 contexts, const float *stretches, double *nats)
{
    union { u32 x[16]; ints v; } states[BLOCK] = {0};
    union { float x[16]; floats v; } direct[BLOCK];
    double token = 1, total = 0;
    for (int j = 0; j < BLOCK; j++)
        direct[j].v = (floats){0} + .5f;
    for (i64 d = 0; d < c->decisions; d++) {
        int j = d % BLOCK, n = c->decisions - d < BLOCK ? c->decisions - d : BLOCK;
        for (int i = 0; !j && i < contexts; i++) {
            u32 *slots = c->slots + i * c->capacity + d;
            for (int k = 0; k < n; k++) {
                states[k].x[i] = slots[k] >> 16;
                direct[k].x[i] = ((slots[k] & 65535) + .5f) / 65536;
            }
        }
        for (int i = 0; !j && i < 2; i++)
            for (int k = 0; k < n; k++)
                states[k].x[CONTEXTS + i] = c->expected[i * c->capacity + d + k];

        int place = c->places[d], outcome = c->nodes[d] >> 31, node = c->nodes[d] & 0x3fffffff;
        float network = clip(stretches[d], 60), log_odds = network;
        floats p, z = {0}, error;
        if (place == CLOSED) {
            z[SETS + 2] = -fabsf(log_odds);
            p = 1.f / (1.f + power(-z));
        } else {
            int bits = partials[node], position = bits ? 31 - __builtin_clz(bits) : 8, hits = 0;
            u32 *state = states[j].x, tail = c->tails[place >> 5], entries[16];
            u32 match = state[15] ? state[15] : state[14];
            for (int i = 0; i < 16; i++)
                entries[i] = m->maps[i][state[i]];
            for (int i = 1; i < 7; i++)
                hits = state[i] ? i : hits;
            ints e; for (int i=0;i<16;i++) e[i]=entries[i];
            ints count = e & 1023;
            floats mapped = (__builtin_convertvector(e >> 10 & 0x3fffff, floats) + .5f) / 4194304.f;
            floats a = logarithm(mapped / (1.f - mapped)), b = logarithm(direct[j].v / (1.f - direct[j].v));
            network = clip(network, 14);
            b[14] = network;
            b[15] = .3f;
            int bucket = network < -8 ? 0 : network < 7 ? network + 8 : 15;
            floats *weights[] = {
                m->weights[0][position * 128 + match],
                m->weights[1][(hits * 16 + bucket) * 2 + !bits],
                m->weights[2][node],
                m->weights[3][position * 256 + (tail & 255)],
            };
            float mean = 0;
            for (int i = 0; i < SETS; i++) {
                z[i] = clip(network + sum(weights[i][0] * a + weights[i][1] * b), 20);
                mean += z[i] / SETS;
            }
            floats *final = &m->finals[position * 32 + match / 4];
            mean = clip(mean + sum(*final * z), 15.9f);
            float knot = clip(mean, 7.99f) * 2 + 16, part = knot - (int)knot;
            float *by_node = &m->by_node[node][(int)knot];
            float *by_tail = &m->by_tail[(node << 16 | tail) * 0x9E3779B1u >> 32 - HASH_BITS][(int)knot];
            log_odds = clip(mean + (by_node[0] + by_tail[0]) * (1 - part) + (by_node[1] + by_tail[1]) * part, 16);
            z[SETS] = mean;
            z[SETS + 1] = log_odds;
            z[SETS + 2] = -fabsf(log_odds);
            p = 1.f / (1.f + power(-z));

            error = (float)outcome - p;
            float refine = error[SETS + 1] * .02f;
            for (int i = 0; i < 2; i++) {
                KEEP(by_node[i]);
                KEEP(by_tail[i]);
            }
            by_node[0] += refine * (1 - part);
            by_node[1] += refine * part;
            by_tail[0] += 2 * refine * (1 - part);
            by_tail[1] += 2 * refine * part;
            KEEP(*final);
            KEEP(m->decisions);
            *final += error[SETS] * .0005f * z;
            error *= .002f + .008f / (1 + m->decisions * 1e-5f);
            m->decisions += 1;
            for (int i = 0; i < SETS; i++) {
                KEEP(weights[i][0]);
                KEEP(weights[i][1]);
                weights[i][0] += error[i] * a;
                weights[i][1] += error[i] * b;
            }
            mapped += ((float)outcome - mapped) / (__builtin_convertvector(count, floats) + 1.5f);
            e = __builtin_convertvector(mapped * 4194304.f, ints) << 10 | (count - (count < COUNT));
            for (int i = 0; i < 16; i++) {
                KEEP(m->maps[i][state[i]]);
                m->maps[i][state[i]] = e[i];
            }
        }
        double likely = 1. - p[SETS + 2];
        token *= outcome == log_odds > 0 ? likely : p[SETS + 2];
        if (token < 1e-200 || c->nodes[d] >> 30 & 1) {
            total -= log(token);
            token = 1;
            if (c->nodes[d] >> 30 & 1) {
                *nats++ = total;
                total = 0;
            }
        }
    }
}
"""

LINEAR = r"""
#include <math.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;

#ifndef KEEP
#define KEEP(place)
#endif

enum { CLOSED = -1 };

typedef struct {
    i64 decisions, units, capacity;
    u32 *nodes;
    int *places;
    u64 *hashes;
    u8 *highs;
    i64 *positions;
    u32 *tails, *slots;
    u8 *expected;
} Chunk;

typedef struct {
    double shares[16][256]; // by context and state: of what was mixed before, above the initial 0.8
} Mixer;

i64 start(Mixer *m) { return sizeof *m; }

void mix(Mixer *m, const Chunk *c, const int *partials, i64 contexts, const float *stretches, double *nats)
{
    double total = 0;
    for (i64 d = 0; d < c->decisions; d++) {
        int outcome = c->nodes[d] >> 31;
        double p[] = {1 / (1 + exp(stretches[d])), 1 / (1 + exp(-stretches[d]))};
        for (int i = 0; i < contexts && c->places[d] != CLOSED; i++) {
            u32 slot = c->slots[i * c->capacity + d];
            if (slot >> 16) {
                double *learned = &m->shares[i][slot >> 16], share = .8 + *learned, before = p[outcome];
                double p1 = ((slot & 65535) + .5) / 65536;
                p[0] = share * p[0] + (1 - share) * (1 - p1);
                p[1] = share * p[1] + (1 - share) * p1;
                KEEP(*learned);
                *learned += .005 * (share * before / p[outcome] - share);
            }
        }
        total -= log(p[outcome]);
        if (c->nodes[d] >> 30 & 1) {
            *nats++ = total;
            total = 0;
        }
    }
}
"""
