/* softmax(q k) v on cores with the DSP extension, four queries at a time: scores are never there for more than those.
 *
 * Scratch: four rows of scores, int8, behind four queries or, after them, four rows of weights, as tml_matmul_dsp.h has
 * them. At most 511 keys, so that a softmax's sum stays below 2^28. Sources: those of tml_attention.h.
 */
#ifndef TML_ATTENTION_DSP_H
#define TML_ATTENTION_DSP_H

#include "tml_matmul_dsp.h"
#include "tml_softmax.h"

TML_INLINE int32_t tml_largest_dsp(const int8_t *x, int count) {
    int32_t largest = x[0];
    TML_NO_UNROLL
    for (int n = 1; n < count; ++n) largest = x[n] > largest ? x[n] : largest;
    return largest;
}

TML_INLINE int32_t tml_exponential_dsp(const int32_t *exponentials, int entries, int32_t difference) {
    if (entries == 256) return exponentials[difference];
    return difference < entries ? exponentials[difference] : 0;
}

/* Softmax of `count` scores in steps of 1/256, into row `row` of four; returns the sum of the results. */
TML_INLINE int32_t tml_softmax_row_dsp(const int8_t *x, int count, const int32_t *exponentials, int entries, int row,
                                       int16_t *to) {
    const int32_t largest = tml_largest_dsp(x, count);
    int32_t sum = 0, total = 0; /* sum: Q12.19 */
    TML_NO_UNROLL
    for (int n = 0; n < count; ++n)
        sum += (int32_t)(((uint32_t)tml_exponential_dsp(exponentials, entries, largest - x[n]) + (1u << 11)) >> 12);
    const int headroom = __builtin_clz((unsigned)sum);
    const int exponent = 35 - headroom;
    const int32_t half = 1 << (exponent - 1);
    /* The reciprocal is 2^30 or more, so that twice of it wraps, which SMMLAR's addend puts right. */
    const int32_t twice = (int32_t)(
        2u * (uint32_t)tml_one_over_one_plus((int32_t)(((uint32_t)sum << headroom) - 0x80000000u)));
    to += 2 * row;
    TML_NO_UNROLL
    for (int n = 0; n < count; ++n) {
        const int32_t e = tml_exponential_dsp(exponentials, entries, largest - x[n]);
        const uint32_t weight = ((uint32_t)tml_smmlar(e, twice, e) + (uint32_t)half) >> exponent;
        const int32_t result = (int32_t)__usat((int32_t)weight, 8);
        to[tml_place_in_pairs_dsp(n)] = (int16_t)result;
        total += result;
    }
    return total;
}

TML_INLINE void tml_attention_dsp(const int8_t *queries, const int8_t *keys, const int8_t *values, int8_t *output,
                                  void *scratch, const int32_t *exponentials, const uint8_t *table, int batches,
                                  int rows, int depth, int count, int size, int keys_by_row, int has_table,
                                  int entries, int wide_bytes, int query_zero_point, int key_zero_point,
                                  int value_zero_point, int32_t score_mul, int32_t score_par, int score_rounding,
                                  int32_t score_zp, int32_t out_mul, int32_t out_par, int out_rounding,
                                  int32_t out_zp) {
    int16_t *const wide = (int16_t *)scratch;
    int8_t *const scores = (int8_t *)scratch + wide_bytes;
    TML_NO_UNROLL
    for (int batch = 0; batch < batches; ++batch, keys += depth * count, values += count * size) {
        TML_NO_UNROLL
        for (int row = 0; row < rows; row += 4) {
            const int some = rows - row < 4 ? rows - row : 4;
            int32_t start[4] = {0, 0, 0, 0}, sums[8];
            TML_NO_UNROLL
            for (int r = 0; r < some; ++r, queries += depth)
                start[r] =
                    -key_zero_point * tml_widen_row_dsp(queries, 1, query_zero_point, depth, r, keys_by_row, wide);
            TML_NO_UNROLL
            for (int n = 0; n < count; n += 2) {
                const int at = n + 2 <= count ? n : count - 2;
                int8_t *y = scores + at;
                tml_four_by_two_dsp(wide, keys + at * (keys_by_row ? depth : 1), depth, count, keys_by_row, start,
                                    sums);
                TML_UNROLL(4)
                for (int r = 0; r < 4; ++r, y += count) {
                    const int32_t s0 =
                        tml_requant_dsp(sums[2 * r], score_mul, score_par, score_rounding, score_zp, -128, 127);
                    const int32_t s1 =
                        tml_requant_dsp(sums[2 * r + 1], score_mul, score_par, score_rounding, score_zp, -128, 127);
                    y[0] = has_table ? (int8_t)table[(uint8_t)s0] : (int8_t)s0;
                    y[1] = has_table ? (int8_t)table[(uint8_t)s1] : (int8_t)s1;
                }
            }
            TML_NO_UNROLL
            for (int r = 0; r < some; ++r)
                start[r] = -value_zero_point *
                           tml_softmax_row_dsp(scores + r * count, count, exponentials, entries, r, wide);
            TML_NO_UNROLL
            for (int n = 0; n < size; n += 2) {
                const int at = n + 2 <= size ? n : size - 2;
                int8_t *y = output + at;
                tml_four_by_two_dsp(wide, values + at, count, size, 0, start, sums);
                TML_UNROLL(4)
                for (int r = 0; r < 4; ++r, y += size) {
                    if (r == some) break;
                    y[0] = (int8_t)tml_requant_dsp(sums[2 * r], out_mul, out_par, out_rounding, out_zp, -128, 127);
                    y[1] = (int8_t)tml_requant_dsp(sums[2 * r + 1], out_mul, out_par, out_rounding, out_zp, -128, 127);
                }
            }
            output += some * size;
        }
    }
}

#endif
