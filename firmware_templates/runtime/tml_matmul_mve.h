/* Products of two matrices both computed at run time, and attention, on cores with MVE: a row at a time.
 *
 * Sums of a row go to the scratch as int32, columns filled up to a multiple of four, and are requantised four at a time
 * (tml_common_mve.h has why that is exact). A softmax reads its exponentials by gathers; their last one is 0, for all
 * differences beyond the others.
 */
#ifndef TML_MATMUL_MVE_H
#define TML_MATMUL_MVE_H

#include "tml_common_mve.h"
#include "tml_softmax.h"

/* Four accumulators as outputs, not narrowed: shifts of -1 to -31. */
TML_INLINE int32x4_t tml_requant_mve(int32x4_t sums, int32_t multiplier, int shift, int zero_point) {
    int32x4_t y = vqrdmulhq_n_s32(sums, multiplier);
    y = vaddq_s32(y, vshrq_n_s32(y, 31));
    y = vaddq_n_s32(vrshlq_s32(y, vdupq_n_s32(shift)), zero_point);
    return vminq_s32(vmaxq_s32(y, vdupq_n_s32(INT8_MIN)), vdupq_n_s32(INT8_MAX));
}

/* A whole row of them as int8. */
TML_INLINE void tml_requant_row_mve(const int32_t *sums, int32_t offset, int8_t *out, int columns, int32_t multiplier,
                                    int shift, int zero_point) {
    int n = 0;
    TML_MVE_NO_UNROLL
    for (; n + 4 <= columns; n += 4) {
        const int32x4_t sum = vaddq_n_s32(vldrwq_s32(sums + n), offset);
        vstrbq_s32(out + n, tml_requant_mve(sum, multiplier, shift, zero_point));
    }
    for (; n < columns; n++) {
        out[n] = tml_requantize(sums[n] + offset, multiplier, shift, 0, zero_point, INT8_MIN, INT8_MAX);
    }
}

/* sums[n] = sum of (x[k] - zero_point) * m[k][n], x being `step` apart; returns the sum of the former. */
TML_INLINE int32_t tml_row_by_matrix_mve(const int8_t *x, int step, int zero_point, const int8_t *m, int32_t *sums,
                                         int depth, int columns) {
    int32_t total = 0;
    int n = 0;
    TML_MVE_NO_UNROLL
    for (int k = 0; k < depth; k++) {
        total += x[k * step] - zero_point;
    }
    TML_MVE_NO_UNROLL
    for (; n + 16 <= columns; n += 16) {
        const int8_t *from = m + n;
        int32x4_t s0 = vdupq_n_s32(0), s1 = s0, s2 = s0, s3 = s0;
        TML_MVE_NO_UNROLL
        for (int k = 0; k < depth; k++, from += columns) {
            const int32_t value = x[k * step] - zero_point;
            s0 = vmlaq_n_s32(s0, vldrbq_s32(from), value);
            s1 = vmlaq_n_s32(s1, vldrbq_s32(from + 4), value);
            s2 = vmlaq_n_s32(s2, vldrbq_s32(from + 8), value);
            s3 = vmlaq_n_s32(s3, vldrbq_s32(from + 12), value);
        }
        vstrwq_s32(sums + n, s0);
        vstrwq_s32(sums + n + 4, s1);
        vstrwq_s32(sums + n + 8, s2);
        vstrwq_s32(sums + n + 12, s3);
    }
    TML_MVE_NO_UNROLL
    for (; n < columns; n += 4) {
        const int at = n + 4 <= columns ? n : columns - 4;
        const int8_t *from = m + at;
        int32x4_t s0 = vdupq_n_s32(0);
        TML_MVE_NO_UNROLL
        for (int k = 0; k < depth; k++, from += columns) {
            s0 = vmlaq_n_s32(s0, vldrbq_s32(from), x[k * step] - zero_point);
        }
        vstrwq_s32(sums + at, s0);
    }
    return total;
}

/* The same with m[n][k] and neighbours in x. */
TML_INLINE int32_t tml_row_by_rows_mve(const int8_t *x, int zero_point, const int8_t *m, int32_t *sums, int depth,
                                       int columns) {
    int32_t total = -depth * zero_point;
    TML_MVE_NO_UNROLL
    for (int k = 0; k < depth; k++) {
        total += x[k];
    }
    TML_MVE_NO_UNROLL
    for (int n = 0; n < columns; n++, m += depth) {
        int32_t sum = 0, of_m = 0;
        int k = 0;
        TML_MVE_NO_UNROLL
        for (; k + 16 <= depth; k += 16) {
            const int8x16_t row = vldrbq_s8(m + k);
            sum = vmladavaq_s8(sum, row, vldrbq_s8(x + k));
            of_m = vaddvaq_s8(of_m, row);
        }
        if (depth % 16 != 0) {
            const int8x16_t row = tml_load_lanes_mve(m + k, depth - k);
            sum = vmladavaq_s8(sum, row, tml_load_lanes_mve(x + k, depth - k));
            of_m = vaddvaq_s8(of_m, row);
        }
        sums[n] = sum - zero_point * of_m;
    }
    return total;
}

/* Three nested batches as in tml_batch_matmul. Scratch: 4 * columns bytes, and the depth's where adj_x and adj_y. */
TML_INLINE void tml_batch_matmul_mve(const int8_t *a, const int8_t *b, int8_t *output, void *scratch,
                                     const int32_t *batches, const int32_t *strides_a, const int32_t *strides_b,
                                     int rows, int depth, int columns, int adj_x, int adj_y, int a_zero_point,
                                     int b_zero_point, int out_zero_point, int32_t multiplier, int shift) {
    int32_t *const sums = (int32_t *)scratch;
    int8_t *const copy = (int8_t *)(sums + columns);
    TML_MVE_NO_UNROLL
    for (int batch = 0; batch < batches[0] * batches[1] * batches[2]; batch++) {
        const int i2 = batch % batches[2], i1 = batch / batches[2] % batches[1], i0 = batch / batches[2] / batches[1];
        const int8_t *x = a + i0 * strides_a[0] + i1 * strides_a[1] + i2 * strides_a[2];
        const int8_t *m = b + i0 * strides_b[0] + i1 * strides_b[1] + i2 * strides_b[2];
        TML_MVE_NO_UNROLL
        for (int row = 0; row < rows; row++, x += adj_x ? 1 : depth, output += columns) {
            int32_t total;
            if (!adj_y) {
                total = tml_row_by_matrix_mve(x, adj_x ? rows : 1, a_zero_point, m, sums, depth, columns);
            } else if (adj_x) {
                TML_MVE_NO_UNROLL
                for (int k = 0; k < depth; k++) {
                    copy[k] = x[k * rows];
                }
                total = tml_row_by_rows_mve(copy, a_zero_point, m, sums, depth, columns);
            } else {
                total = tml_row_by_rows_mve(x, a_zero_point, m, sums, depth, columns);
            }
            tml_requant_row_mve(sums, -b_zero_point * total, output, columns, multiplier, shift, out_zero_point);
        }
    }
}

/* Softmax of `count` scores, at most 511; `exponentials` has `entries` and a 0. */
TML_INLINE void tml_softmax_row_mve(int8_t *x, const int32_t *exponentials, int entries, int count) {
    const int32x4_t last = vdupq_n_s32(entries);
    int32_t largest = INT8_MIN, sum = 0; /* sum: Q12.19 */
    int n;
    TML_MVE_NO_UNROLL
    for (n = 0; n < count; n++) {
        largest = x[n] > largest ? x[n] : largest;
    }
    TML_MVE_NO_UNROLL
    for (n = 0; n + 4 <= count; n += 4) {
        const int32x4_t difference = vminq_s32(vsubq_s32(vdupq_n_s32(largest), vldrbq_s32(x + n)), last);
        const int32x4_t e = vldrwq_gather_shifted_offset_s32(exponentials, vreinterpretq_u32_s32(difference));
        sum = vaddvaq_s32(sum, vrshrq_n_s32(e, 12));
    }
    for (; n < count; n++) {
        const int32_t difference = largest - x[n];
        sum += tml_rounding_shift(exponentials[difference < entries ? difference : entries], 12);
    }
    const int headroom = __builtin_clz((unsigned)sum);
    const int32_t reciprocal = tml_one_over_one_plus((int32_t)(((uint32_t)sum << headroom) - 0x80000000u));
    const int32x4_t right = vdupq_n_s32(headroom - 35);
    TML_MVE_NO_UNROLL
    for (n = 0; n + 4 <= count; n += 4) {
        const int32x4_t difference = vminq_s32(vsubq_s32(vdupq_n_s32(largest), vldrbq_s32(x + n)), last);
        const int32x4_t e = vldrwq_gather_shifted_offset_s32(exponentials, vreinterpretq_u32_s32(difference));
        const int32x4_t y = vaddq_n_s32(vrshlq_s32(vqrdmulhq_n_s32(e, reciprocal), right), INT8_MIN);
        vstrbq_s32(x + n, vminq_s32(y, vdupq_n_s32(INT8_MAX)));
    }
    for (; n < count; n++) {
        const int32_t difference = largest - x[n];
        const int32_t e = exponentials[difference < entries ? difference : entries];
        const int32_t y = tml_rounding_shift(tml_high_mul(reciprocal, e), 35 - headroom) + INT8_MIN;
        x[n] = (int8_t)(y > INT8_MAX ? INT8_MAX : y);
    }
}

/* Query by query, as tml_attention. Scratch: 4 * max(count, size) + count bytes. */
TML_INLINE void tml_attention_mve(const int8_t *queries, const int8_t *keys, const int8_t *values, int8_t *output,
                                  void *scratch, const int32_t *exponentials, const uint8_t *table, int batches,
                                  int rows, int depth, int count, int size, int keys_by_row, int has_table,
                                  int entries, int query_zero_point, int key_zero_point, int value_zero_point,
                                  int score_zero_point, int out_zero_point, int32_t score_multiplier, int score_shift,
                                  int32_t out_multiplier, int out_shift) {
    int32_t *const sums = (int32_t *)scratch;
    int8_t *const scores = (int8_t *)(sums + (count > size ? count : size));
    TML_MVE_NO_UNROLL
    for (int batch = 0; batch < batches; batch++, keys += depth * count, values += count * size) {
        TML_MVE_NO_UNROLL
        for (int row = 0; row < rows; row++, queries += depth, output += size) {
            int32_t total = keys_by_row
                                ? tml_row_by_rows_mve(queries, query_zero_point, keys, sums, depth, count)
                                : tml_row_by_matrix_mve(queries, 1, query_zero_point, keys, sums, depth, count);
            tml_requant_row_mve(sums, -key_zero_point * total, scores, count, score_multiplier, score_shift,
                                score_zero_point);
            if (has_table) {
                TML_MVE_NO_UNROLL
                for (int n = 0; n < count; n++) {
                    scores[n] = (int8_t)table[(uint8_t)scores[n]];
                }
            }
            tml_softmax_row_mve(scores, exponentials, entries, count);
            total = tml_row_by_matrix_mve(scores, 1, INT8_MIN, values, sums, count, size);
            tml_requant_row_mve(sums, -value_zero_point * total, output, size, out_multiplier, out_shift,
                                out_zero_point);
        }
    }
}

#endif
