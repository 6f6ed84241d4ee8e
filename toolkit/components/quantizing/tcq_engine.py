"""C source of the trellis quantizer: Viterbi down each column, errors fed forward along both axes."""

TCQ_ENGINE = r"""
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define LIMIT 4080

// Quantises a matrix of [columns][rows], in units of the grid, to points n; the weights become the errors.
// A state's lowest bit says whether its points are 2k or 2k + 1, and the parity of k leads on.
void tcq(int64_t rows, int64_t columns, int64_t states, int64_t odd_k, int64_t odd_state,
    float *weights,
    const float *along_columns, // [columns][columns]: what column c gets of the errors of those before
    const float *along_rows,    // [rows][rows]: what rows get of the error of row r, or none
    const float *costs,         // [rows]
    int16_t *points)
{
    float *buffers = malloc(2 * states * rows * sizeof(float));
    int16_t *chosen = malloc(rows * states * 2);
    uint8_t *origins = malloc(rows * states);
    for (int64_t c = 0; c < columns; c++) {
        float *w = weights + c * rows, best[64], next_best[64], errors[64], *old = buffers, *new = old + states * rows;
        for (int64_t p = 0; p < c; p++) {
            float share = along_columns[c * columns + p], *e = weights + p * rows;
            for (int64_t r = 0; r < rows; r++)
                w[r] -= share * e[r];
        }
        for (int64_t s = 0; s < states; s++)
            best[s] = s ? INFINITY : 0;
        for (int64_t r = 0; along_rows && r < rows; r++)
            old[r] = w[r];
        for (int64_t r = 0; r < rows; r++) {
            int16_t *point = chosen + r * states;
            uint8_t *origin = origins + r * states;
            for (int64_t s = 0; s < states; s++)
                next_best[s] = INFINITY;
            for (int64_t s = 0; s < states; s++) {
                float x = along_rows && best[s] < INFINITY ? old[s * rows + r] : w[r];
                for (int k = 0; k < 2; k++) {
                    float n = 4 * rintf((x - (s & 1) - 2 * k) / 4) + 2 * k + (s & 1);
                    n = fminf(fmaxf(n, 2 * k + (s & 1) - LIMIT), 2 * k + (s & 1) + LIMIT);
                    float total = best[s] + costs[r] * (x - n) * (x - n);
                    int64_t t = s >> 1 ^ (k ? odd_k : 0) ^ (s & 1 ? odd_state : 0);
                    if (total < next_best[t]) {
                        next_best[t] = total;
                        origin[t] = s;
                        point[t] = n;
                        errors[t] = x - n;
                    }
                }
            }
            for (int64_t t = 0; t < states; t++) {
                best[t] = next_best[t];
                if (!along_rows || best[t] == INFINITY)
                    continue;
                float e = errors[t], *from = old + origin[t] * rows, *to = new + t * rows;
                const float *share = along_rows + r * rows;
                for (int64_t j = r + 1; j < rows; j++)
                    to[j] = from[j] - e * share[j];
            }
            float *swap = old;
            old = new;
            new = swap;
        }
        int64_t s = 0;
        for (int64_t t = 1; t < states; t++)
            if (best[t] < best[s])
                s = t;
        for (int64_t r = rows; r--;) {
            points[c * rows + r] = chosen[r * states + s];
            w[r] -= chosen[r * states + s];
            s = origins[r * states + s];
        }
    }
    free(buffers);
    free(chosen);
    free(origins);
}
"""
