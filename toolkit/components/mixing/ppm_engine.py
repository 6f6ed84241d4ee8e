"""C source of `ppm_trie`: contexts of the text so far, and the mixing of what they know with the network's own odds.

What contexts know depends on the text alone, so that each runs in a thread of its own, beside the network and beside
the mixing. Bit histories in lines of the cache and gated logistic mixing are the PAQ family's (Mahoney, "Adaptive
Weighing of Context Models", 2005).
"""

ENGINE = r"""
#include <math.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;
typedef float floats __attribute__((vector_size(64)));
typedef int ints __attribute__((vector_size(64)));
typedef union { // lanes: each context's, behind them the match's, and the network's as the last
    float x[16];
    u32 n[16];
    floats f;
    ints i;
} Lanes;

// Where it says KEEP, something is about to change; who wants to take steps back (toolkit/probe) makes code of it.
#define CLOSED -1
#define SETS 7    // of weights
#define LEAST 12  // bytes that a match begins with
#define AHEAD 16  // units that are fetched ahead; they may lie behind the last

typedef struct {
    // The vocabulary, as in trie.py.
    const i64 *begins;
    const int *nodes;
    const u8 *outcomes;
    const int *depths, *partials;
    const u8 *bytes;
    const i64 *offsets;
    // Contexts: which of the last eight bytes and which of the parts each goes by.
    const u64 *masks; // [contexts][2]
    i64 contexts, bits;
    i64 rate; // of learning, in billionths
    u16 *tables; // [contexts][2^bits][16]
    u32 *lasts;  // [2^22]: where the text went on after the same eight bytes, by their hash
    u8 *text; // so far
    i64 length;
    u64 recent;   // its last eight bytes
    u64 parts[8]; // hashes of: this token, the three tokens before; this word, the three words before
    // The match: where in the text the next byte is expected (0 for nowhere), and how many have come true.
    i64 pointer, run;
} Model;

// Decisions of some tokens. A unit is a byte of a token or its end, as far as anything is to be decided there.
typedef struct {
    i64 decisions, capacity;
    u32 *nodes;     // [decisions] 4 * trie node + 2 at the end of a token + the outcome
    int *places;    // [decisions] 32 * unit + slot, or CLOSED
    u64 *tails;     // [units] the seven bytes before, and this one
    i64 *matches;   // [units] where the match expects it, times 64, plus how well it has done
    u64 *hashes;    // [units][contexts]
    u8 *states;     // [contexts + 1][capacity]
} Chunk;

// What a mixer has learned, 0 at first.
typedef struct {
    floats weights[SETS][1 << 16];
    int maps[16][256]; // by lane and state: probability of outcome 1 less a half in 22 bits, times it was met in 10
} Mixer;

static u64 hash(u64 x)
{
    x *= 0x9E3779B97F4A7C15; // 2^64 over the golden ratio
    return x ^ x >> 32;
}

// Opens a new part: what was open becomes the last one, and so on.
static void shift(u64 *parts)
{
    parts[3] = parts[2];
    parts[2] = parts[1];
    parts[1] = *parts;
    *parts = 0;
}

static void append(Model *m, u8 byte)
{
    u64 *word = m->parts + 4;
    m->text[m->length++] = byte;
    m->recent = m->recent << 8 | byte;
    *m->parts = hash(*m->parts + byte + 1);
    if (byte > 127 || (byte | 32) - 97u < 26)
        *word = hash(*word + (byte | 32));
    else if (*word)
        shift(word);

    u32 *last = m->lasts + (hash(m->recent) >> 42);
    m->run++;
    if (!m->pointer || m->text[m->pointer++] != byte) {
        m->run = m->pointer = 0;
        while (m->run < LEAST && m->run < *last && m->text[*last - m->run - 1] == m->text[m->length - m->run - 1])
            m->run++;
        if (m->run == LEAST)
            m->pointer = *last;
    }
    // KEEP(*last);
    *last = m->length;
}

// Lists the decisions of n tokens and hashes the contexts in which they are made.
void walk(Model *m, Chunk *c, const i64 *tokens, i64 n)
{
    i64 d = 0, u = 0;
    for (i64 i = 0; i < n; i++) {
        i64 token = tokens[i], end = m->begins[token + 1];
        const u8 *bytes = m->bytes + m->offsets[token];
        int length = m->offsets[token + 1] - m->offsets[token], known = 0, depth = -1;
        for (i64 k = m->begins[token]; k < end; k++, d++) {
            int node = m->nodes[k], bits = m->partials[node];
            c->nodes[d] = node * 4 + (k + 1 == end) * 2 + m->outcomes[k];
            c->places[d] = CLOSED;
            for (; known < m->depths[node]; known++)
                append(m, bytes[known]);
            if (bits == CLOSED)
                continue;
            if (depth != known) {
                depth = known;
                c->tails[u] = m->recent << 8 | bytes[known];
                c->matches[u] = m->pointer * 64 + (m->run < 252 ? m->run / 4 : 63);
                for (i64 j = 0; j < m->contexts; j++) {
                    u64 x = hash((m->recent & m->masks[2 * j]) + known * 97 + j);
                    for (int part = 0; part < 8; part++)
                        if (m->masks[2 * j + 1] >> part & 1)
                            x = hash(x + m->parts[part]);
                    c->hashes[u * m->contexts + j] = x;
                }
                u++;
            }
            int low = bits > 15 ? 27 - __builtin_clz(bits) : 0; // known bits of the lower half
            c->places[d] = u - 1 << 5 | (bits > 15 ? 16 | 1 << low | bits & (1 << low) - 1 : bits);
        }
        for (; known < length; known++)
            append(m, bytes[known]);
        if (!length)
            append(m, 0);
        shift(m->parts);
    }
    c->decisions = d;
}

// The lines of a unit in a table, one for each half of its byte, and the checks of their slots.
static void locate(Model *m, Chunk *c, i64 context, i64 unit, u16 **lines, u16 *checks)
{
    u64 x = c->hashes[unit * m->contexts + context];
    for (int half = 0; half < 2; half++) {
        lines[half] = m->tables + ((context << m->bits) + (x >> 64 - m->bits)) * 16;
        checks[half] = x << 8;
        __builtin_prefetch(lines[half]);
        x = hash(x + (c->tails[unit] >> 4 & 15));
    }
}

// The state of one context at each decision, before it sees this one: how often outcomes 0 and 1 came, 4 bits each,
// where the other one fades. A slot holds it below a check of 8 bits. After the last context comes the match, whose
// state is how long it has been right and the outcome expected, or 0 for none.
void look(Model *m, Chunk *c, i64 context)
{
    u16 *lines[2], checks[2];
    u8 next[2][256];
    int unit = -1;
    for (int i = 0; i < 512; i++) {
        int outcome = i >> 8, n[] = {i >> 4 & 15, i & 15};
        n[outcome] += n[outcome] < 15;
        n[!outcome] = "\0\1\2\2\3\3\4\4\4\5\5\5\6\6\6\7"[n[!outcome]];
        next[outcome][i & 255] = n[0] << 4 | n[1];
    }
    for (i64 d = 0; d < c->decisions; d++) {
        int place = c->places[d], half = place >> 4 & 1, outcome = c->nodes[d] & 1, before = unit;
        u8 *state = c->states + context * c->capacity + d;
        if (place == CLOSED)
            continue;
        unit = place >> 5;
        if (context == m->contexts) {
            int bits = m->partials[c->nodes[d] >> 2], rest = __builtin_clz(bits | 1) - 23;
            i64 match = c->matches[unit], byte = m->text[match >> 6] | 256;
            *state = match > 63 && byte >> rest == bits ? match * 4 | 2 | byte >> rest - 1 & 1 : 0;
            continue;
        }
        if (unit != before) {
            locate(m, c, context, unit + AHEAD, lines, checks);
            locate(m, c, context, unit, lines, checks);
        }
        u16 *slot = lines[half] + (place & 15);
        *state = (*slot ^ checks[half]) >> 8 ? 0 : *slot;
        // KEEP(*slot);
        *slot = checks[half] | next[outcome][*state];
    }
}

static float clip(float x) { return x > 20 ? 20 : x < -20 ? -20 : x; }

// Nats of the tokens of a chunk, given the network's log-odds of outcome 1 in all its decisions.
void mix(Model *m, Chunk *c, Mixer *mixer, const float *log_odds, double *nats)
{
    Lanes input = {0}, entries = {0};
    float stretch[4096];
    for (int i = 0; i < 4096; i++)
        stretch[i] = logf((i + .5f) / (4095.5f - i));
    for (i64 d = 0; d < c->decisions; d++) {
        u32 node = c->nodes[d] >> 2, outcome = c->nodes[d] & 1, state[16] = {0}, seen = 0;
        int place = c->places[d], bits = m->partials[node];
        float z = clip(log_odds[d]), less = 1 / (1 + expf(fabsf(z)));
        if (place != CLOSED) {
            for (int i = 0; i <= m->contexts; i++) {
                state[i] = c->states[i * c->capacity + d];
                seen |= (state[i] > 0) << i;
                entries.n[i] = mixer->maps[i][state[i]];
                input.x[i] = stretch[entries.n[i] >> 20 ^ 2048];
            }
            input.x[15] = z;
            u64 tail = c->tails[place >> 5];
            u32 keys[] = {node, seen, tail >> 8, tail >> 16, tail & 65280 | bits, *state, 0};
            floats *weights[SETS], all = {0};
            for (int i = 0; i < SETS; i++) {
                weights[i] = mixer->weights[i] + (keys[i] & 65535);
                all += *weights[i];
            }
            Lanes sum = {.f = all * input.f};
            for (int k = 8; k; k /= 2)
                for (int i = 0; i < k; i++)
                    sum.x[i] += sum.x[i + k];
            z = clip(z + *sum.x);
            less = 1 / (1 + expf(fabsf(z)));
            float step = m->rate * 1e-9f * (outcome - (z > 0 ? 1 - less : less));
            for (int i = 0; i < SETS; i++) {
                // KEEP(*weights[i]);
                *weights[i] += input.f * step;
            }
            ints count = entries.i & 1023;
            floats p = (__builtin_convertvector(entries.i >> 10, floats) + .5f) / 4194304;
            p += (outcome - .5f - p) / (__builtin_convertvector(count, floats) + 1.5f);
            entries.i = __builtin_convertvector(p * 4194304, ints) << 10 | (count - (count < 255));
            for (int i = 0; i < 16; i++) {
                // KEEP(mixer->maps[i][state[i]]);
                mixer->maps[i][state[i]] = entries.n[i];
            }
        }
        *nats -= log(outcome == z > 0 ? 1. - less : less);
        nats += c->nodes[d] >> 1 & 1;
    }
}
"""
