"""C source of the context model of `ppm_trie`: what the text so far says of each decision, in whatever contexts.

It depends on the text alone, so that it can run beside the network and beside the mixer, each context in a thread of
its own. Bit histories in hashed lines of a cache line's size are the PAQ family's (Mahoney, 2005).
"""

CONTEXTS = r"""
#include <stdint.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef int64_t i64;
typedef uint64_t u64;

// Who wants to take steps back (toolkit/probe) puts a definition before this file that saves what is about to change.
#ifndef KEEP
#define KEEP(place)
#endif

enum { CLOSED = -1, PARTS = 8, MATCHES = 2, MATCH_BITS = 22, AHEAD = 16 };

typedef struct {
    i64 pointer;  // into the text: what is expected next, or 0
    i64 length;   // bytes that have come true since the last that did not
    i64 misses;
    i64 position; // bytes of the text taken in
    u64 hash;     // of the last bytes
} Match;

typedef struct {
    // The vocabulary, as in trie.py.
    const i64 *begins;
    const int *nodes;
    const u8 *outcomes;
    const int *depths, *partials;
    const u8 *bytes;
    const i64 *offsets;
    // Contexts: which of the last eight bytes and which of the parts each goes by.
    i64 contexts, bits;
    const u64 *masks; // [contexts][2]
    u32 *tables;      // [contexts][2^bits][16]
    u32 *lasts;       // [MATCHES][2^MATCH_BITS], where in the text the same bytes stood last
    // The text so far.
    u8 *text, *starts; // `starts`: whether a token begins here
    i64 length;
    u64 recent;       // its last eight bytes
    u64 parts[PARTS]; // hashes of: this token, the three tokens before; this word, the three words before
    Match matches[MATCHES];
} Model;

// Decisions of some tokens. A unit is a byte of a token or its end, as far as anything is to be decided there.
typedef struct {
    i64 decisions, units, capacity;
    u32 *nodes;     // [decisions] trie node; bit 31 is the outcome, bit 30 says that the token is complete
    int *places;    // [decisions] 32 * unit + slot, or CLOSED
    u64 *hashes;    // [units][contexts]
    u8 *highs;      // [units] upper half of the byte
    i64 *positions; // [units] in the text
    u32 *tails;     // [units] the two bytes before
    u32 *slots;     // [contexts][capacity]
    u8 *expected;   // [MATCHES][capacity]
} Chunk;

static u64 hash(u64 x)
{
    x *= 0x9E3779B97F4A7C15;
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93;
    return x ^ x >> 29;
}

static void append(Model *m, u8 byte, int start)
{
    u64 *words = m->parts + 4;
    m->text[m->length] = byte;
    m->starts[m->length++] = start;
    m->recent = m->recent << 8 | byte;
    m->parts[0] = hash(m->parts[0] + byte + 1);
    if (byte > 127 || (byte | 32) - 97u < 26)
        words[0] = hash(words[0] + (byte | 32));
    else if (words[0])
        for (int i = 3; i >= 0; i--)
            words[i] = i ? words[i - 1] : 0;
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
            u32 node = m->nodes[k], bits = m->partials[node];
            c->nodes[d] = node | (u32)m->outcomes[k] << 31 | (u32)(k + 1 == end) << 30;
            c->places[d] = CLOSED;
            if (m->partials[node] == CLOSED)
                continue;
            if (depth != m->depths[node]) {
                depth = m->depths[node];
                for (; known < depth; known++)
                    append(m, bytes[known], !known);
                c->highs[u] = known < length ? bytes[known] >> 4 : 0;
                c->positions[u] = m->length;
                c->tails[u] = m->recent & 65535;
                for (i64 j = 0; j < m->contexts; j++) {
                    u64 x = hash((m->recent & m->masks[2 * j]) + known * 97 + j);
                    for (int part = 0; part < PARTS; part++)
                        x += m->parts[part] * (2 * part + 3) & -(m->masks[2 * j + 1] >> part & 1);
                    c->hashes[u * m->contexts + j] = hash(x);
                }
                u++;
            }
            int low = bits > 15 ? 27 - __builtin_clz(bits) : 0; // known bits of the lower half
            c->places[d] = u - 1 << 5 | (bits > 15 ? 16 | 1 << low | bits & (1 << low) - 1 : bits);
        }
        for (; known < length; known++)
            append(m, bytes[known], !known);
        if (!length)
            append(m, 0, 1);
        for (int part = 3; part > 1; part--)
            m->parts[part] = m->parts[part - 1];
        m->parts[1] = hash(token + 1);
        m->parts[0] = 0;
    }
    c->decisions = d;
    c->units = u;
}

// The lines of a unit in a table, one for each half of its byte, and the checks of their slots.
static void locate(Model *m, Chunk *c, i64 context, i64 unit, u32 **lines, u32 *checks)
{
    u64 x = c->hashes[unit * m->contexts + context];
    for (int half = 0; half < 2; half++) {
        lines[half] = m->tables + ((context << m->bits) + (x >> 64 - m->bits)) * 16;
        checks[half] = x << 24;
        __builtin_prefetch(lines[half]);
        x = hash(x + c->highs[unit]);
    }
}

// What one context has seen at each decision, before it sees this one. A slot holds a check of 8 bits, how often
// outcomes 0 and 1 came (4 bits each; the other one fades) and a probability of 16 bits.
void look(Model *m, Chunk *c, i64 context)
{
    u32 *lines[2], checks[2], *slots = c->slots + context * c->capacity;
    int rates[32], unit = -1;
    for (int n = 0; n < 32; n++)
        rates[n] = 65536 / (n + 1.5);
    for (i64 d = 0; d < c->decisions; d++) {
        int place = c->places[d], half = place >> 4 & 1, outcome = c->nodes[d] >> 31;
        slots[d] = 32768;
        if (place == CLOSED)
            continue;
        if (unit != place >> 5) {
            unit = place >> 5;
            if (unit + AHEAD < c->units)
                locate(m, c, context, unit + AHEAD, lines, checks);
            locate(m, c, context, unit, lines, checks);
        }
        u32 *slot = lines[half] + (place & 15), value = *slot;
        if ((value ^ checks[half]) >> 24 || !(value >> 16 & 255))
            value = 32768;
        slots[d] = value &= 0xffffff;
        int n[] = {value >> 20, value >> 16 & 15}, p = value & 65535;
        p += ((outcome ? 65535 : 0) - p) * (i64)rates[n[0] + n[1]] >> 16;
        n[outcome] += n[outcome] < 15;
        n[!outcome] = "\0\1\2\2\3\3\4\4\4\5\5\5\6\6\6\7"[n[!outcome]];
        KEEP(*slot);
        *slot = checks[half] | n[0] << 20 | n[1] << 16 | p;
    }
}

// Takes in the text up to a position: follows what stood after the same bytes earlier, or finds it.
static void follow(Model *m, i64 which, i64 position)
{
    int least = which ? 20 : 6, spare = which ? 8 : 1; // bytes that must agree; wrong ones until it gives up
    Match *at = m->matches + which;
    for (; at->position < position; at->position++) {
        u8 *here = m->text + at->position;
        if (at->pointer) {
            if (m->text[at->pointer++] == *here) {
                at->length++;
                if (at->length > 15)
                    at->misses = 0;
            } else {
                at->length = 0;
                if (++at->misses >= spare)
                    at->pointer = at->misses = 0;
            }
        }
        at->hash = (at->hash + *here + 1) * (0x9E3779B97F4A7C15 << (63 + least) / least);
        u32 *last = m->lasts + (which << MATCH_BITS) + (at->hash >> 64 - MATCH_BITS);
        if (!at->pointer || at->length < least) {
            i64 length = 0;
            while (length < 32 && length < *last && m->text[*last - 1 - length] == here[-length])
                length++;
            if (length >= least) {
                at->pointer = *last;
                at->length = length;
                at->misses = 0;
            }
        }
        KEEP(*last);
        *last = at->position + 1;
    }
}

// What a match expects of each decision: 0 for nothing, or 4 * its rank + 2 in a byte + the outcome.
void match(Model *m, Chunk *c, i64 which)
{
    Match *at = m->matches + which;
    u8 *expected = c->expected + which * c->capacity;
    int unit = -1, rank = 0;
    for (i64 d = 0; d < c->decisions; d++) {
        int place = c->places[d], bits = m->partials[c->nodes[d] & 0x3fffffff];
        expected[d] = 0;
        if (place == CLOSED)
            continue;
        if (unit != place >> 5) {
            unit = place >> 5;
            follow(m, which, c->positions[unit]);
            i64 n = at->length;
            rank = !at->pointer ? 0
                : at->misses    ? 24 + (n > 7) + 2 * (at->misses < 4 ? at->misses - 1 : 3)
                : n < 16        ? n + 1
                : n < 32        ? 13 + n / 4
                : n < 400       ? 20 + n / 128
                                : 23;
        }
        if (!rank)
            continue;
        if (!bits)
            expected[d] = rank << 2 | !m->starts[at->pointer];
        else {
            int rest = __builtin_clz(bits) - 23, byte = m->text[at->pointer] | 256;
            if (byte >> rest == bits)
                expected[d] = rank << 2 | 2 | byte >> rest - 1 & 1;
        }
    }
}
"""
