/* softmax(q k) v, portable, query by query: scores are never there for more than one query.
 *
 * Each intermediate result is rounded as BATCH_MATMUL, a table of 256 where one is given, SOFTMAX and BATCH_MATMUL do
 * one behind the other. Scratch: 4 * max(keys, value size) + keys bytes. A table of NULL is none.
 *
 * Sources: those of tml_batch_matmul.h and tml_softmax.h.
 */
#ifndef TML_ATTENTION_H
#define TML_ATTENTION_H

#include "tml_softmax.h"

/* sums[n] = sum of (x[k] - zero_point) * m[k][n] over all k, four rows of m at a time; returns the sum of the former. */
TML_INLINE int32_t tml_row_by_matrix(const int8_t *x, int zero_point, const int8_t *m, int32_t *sums, int depth,
                                     int columns) {
    int32_t total = 0;
    int k = 0;
    memset(sums, 0, (size_t)columns * sizeof *sums);
    for (; k + 4 <= depth; k += 4) {
        const int32_t x0 = x[k] - zero_point;
        const int32_t x1 = x[k + 1] - zero_point;
        const int32_t x2 = x[k + 2] - zero_point;
        const int32_t x3 = x[k + 3] - zero_point;
        const int8_t *m0 = m + k * columns;
        const int8_t *m1 = m0 + columns;
        const int8_t *m2 = m1 + columns;
        const int8_t *m3 = m2 + columns;
        total += x0 + x1 + x2 + x3;
        for (int n = 0; n < columns; n++) {
            sums[n] += x0 * m0[n] + x1 * m1[n] + x2 * m2[n] + x3 * m3[n];
        }
    }
    for (; k < depth; k++) {
        const int32_t x0 = x[k] - zero_point;
        total += x0;
        for (int n = 0; n < columns; n++) {
            sums[n] += x0 * m[k * columns + n];
        }
    }
    return total;
}

/* The same with m[n][k], two rows of m at a time. */
TML_INLINE int32_t tml_row_by_rows(const int8_t *x, int zero_point, const int8_t *m, int32_t *sums, int depth,
                                   int columns) {
    int32_t total = -depth * zero_point;
    for (int k = 0; k < depth; k++) {
        total += x[k];
    }
    for (int n = 0; n < columns; n += 2) {
        const int second = n + 1 < columns ? n + 1 : n;
        const int8_t *m0 = m + n * depth;
        const int8_t *m1 = m + second * depth;
        int32_t sum0 = 0;
        int32_t sum1 = 0;
        for (int k = 0; k < depth; k++) {
            const int32_t value = x[k] - zero_point;
            sum0 += value * m0[k];
            sum1 += value * m1[k];
        }
        sums[n] = sum0;
        sums[second] = sum1;
    }
    return total;
}

TML_INLINE void tml_attention(const int8_t *queries, const int8_t *keys, const int8_t *values, int8_t *output,
                              void *scratch, const int32_t *exponentials, const uint8_t *table, int batches, int rows,
                              int depth, int count, int size, int keys_by_row, int has_table, int entries,
                              int query_zero_point, int key_zero_point, int value_zero_point, int score_zero_point,
                              int out_zero_point, int32_t score_multiplier, int score_shift, int32_t out_multiplier,
                              int out_shift) {
    int32_t *sums = (int32_t *)scratch;
    int8_t *scores = (int8_t *)(sums + (count > size ? count : size));
    for (int batch = 0; batch < batches; batch++) {
        for (int row = 0; row < rows; row++) {
            int32_t total = keys_by_row
                                ? tml_row_by_rows(queries, query_zero_point, keys, sums, depth, count)
                                : tml_row_by_matrix(queries, query_zero_point, keys, sums, depth, count);
            for (int n = 0; n < count; n++) {
                const int8_t score = tml_requantize(sums[n] - key_zero_point * total, score_multiplier, score_shift,
                                                    score_shift, score_zero_point, INT8_MIN, INT8_MAX);
                scores[n] = has_table ? (int8_t)table[(uint8_t)score] : score;
            }
            tml_softmax(scores, scores, exponentials, entries, 1, count);
            total = tml_row_by_matrix(scores, INT8_MIN, values, sums, count, size);
            for (int n = 0; n < size; n++) {
                output[n] = tml_requantize(sums[n] - value_zero_point * total, out_multiplier, out_shift, out_shift,
                                           out_zero_point, INT8_MIN, INT8_MAX);
            }
            queries += depth;
            output += size;
        }
        keys += depth * count;
        values += count * size;
    }
}

#endif
