/* Products of two matrices both computed at run time, on cores with the DSP extension: four rows by two columns.
 *
 * Four rows of the first are widened to int16 once, their zero point taken off, and lie word by word beside each other:
 * pairs of neighbours where the second matrix is [depth][columns], and of those two apart where it is
 * [columns][depth], which is how SXTB16 unpacks four bytes. A block takes 18 instructions for 16 products and 32 for 32.
 */
#ifndef TML_MATMUL_DSP_H
#define TML_MATMUL_DSP_H

#include "tml_common_dsp.h"

/* Where element k of a row lies, in halfwords. */
TML_INLINE int tml_place_in_pairs_dsp(int k) { return k / 2 * 8 + k % 2; }
TML_INLINE int tml_place_in_fours_dsp(int k) { return k / 4 * 16 + k % 2 * 8 + k / 2 % 2; }

/* Row `row` of four of `depth` elements that lie `stride` apart; returns their sum. The last of the fours overlap those
 * before where the depth is no multiple of four; what was there already is 0. */
TML_INLINE int32_t tml_widen_row_dsp(const int8_t *x, int stride, int zero_point, int depth, int row, int in_fours,
                                     int16_t *to) {
    const int whole = in_fours ? depth / 4 * 4 : depth;
    int32_t total = 0;
    to += 2 * row;
    TML_NO_UNROLL
    for (int k = 0; k < whole; ++k) {
        const int32_t value = x[k * stride] - zero_point;
        to[in_fours ? tml_place_in_fours_dsp(k) : tml_place_in_pairs_dsp(k)] = (int16_t)value;
        total += value;
    }
    if (in_fours && depth % 4 != 0) {
        TML_UNROLL(4)
        for (int j = 0; j < 4; ++j) {
            const int k = depth - 4 + j;
            const int32_t value = k < whole ? 0 : x[k * stride] - zero_point;
            to[whole * 4 + tml_place_in_fours_dsp(j)] = (int16_t)value;
            total += value;
        }
    }
    return total;
}

/* Thirteen registers, one less than there are, so that compilers always find them. */
#define TML_MATMUL_ROW(A, B)                                                                                     \
    "ldr %[x0], [%[x]], #4\n\tsmlad " A ", %[m0], %[x0], " A "\n\tsmlad " B ", %[m1], %[x0], " B "\n\t"
#define TML_MATMUL_STEP(LOAD, STEP)                                                                              \
    do {                                                                                                         \
        int32_t m0_, m1_, x0_;                                                                                   \
        __asm__ volatile(LOAD TML_MATMUL_ROW("%[s0]", "%[s1]") TML_MATMUL_ROW("%[s2]", "%[s3]")                  \
                             TML_MATMUL_ROW("%[s4]", "%[s5]") TML_MATMUL_ROW("%[s6]", "%[s7]")                   \
                         : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [s4] "+r"(s4),            \
                           [s5] "+r"(s5), [s6] "+r"(s6), [s7] "+r"(s7), [m] "+r"(m), [x] "+r"(x),                \
                           [m0] "=&r"(m0_), [m1] "=&r"(m1_), [x0] "=&r"(x0_)                                     \
                         : [step] "i"(STEP));                                                                    \
    } while (0)
/* GCC 12 finds no registers for the block where it knows of two operands that they are equal, or what they are. */
#define TML_MATMUL_HIDE()                                                                                        \
    __asm__ volatile("" : "+r"(s0), "+r"(s1), "+r"(s2), "+r"(s3), "+r"(s4), "+r"(s5), "+r"(s6), "+r"(s7),       \
                     "+r"(m), "+r"(x))

/* Two columns of two rows of [depth][columns]. */
#define TML_MATMUL_PAIR                                                                                          \
    "ldrh %[m0], [%[m]]\n\tldrh %[m1], [%[m], %[step]]\n\tadd %[m], %[m], %[step] * 2\n\t"                       \
    "pkhbt %[m0], %[m0], %[m1], lsl #16\n\tsxtb16 %[m1], %[m0], ror #8\n\tsxtb16 %[m0], %[m0]\n\t"
/* Four columns of two rows of [columns][depth]: the even ones, then the odd ones. */
#define TML_MATMUL_EVEN                                                                                          \
    "ldr %[m0], [%[m]]\n\tldr %[m1], [%[m], %[step]]\n\tsxtb16 %[m0], %[m0]\n\tsxtb16 %[m1], %[m1]\n\t"
#define TML_MATMUL_ODD                                                                                           \
    "ldr %[m1], [%[m], %[step]]\n\tldr %[m0], [%[m]], #4\n\t"                                                    \
    "sxtb16 %[m0], %[m0], ror #8\n\tsxtb16 %[m1], %[m1], ror #8\n\t"

/* sums[row][column] of four widened rows by two columns of m, from start[row] on: m is [depth][columns], of at most
 * 2047 columns, or with in_fours [columns][depth], the depth from 4 to 4092. */
TML_INLINE void tml_four_by_two_dsp(const int16_t *x, const int8_t *m, int depth, int columns, int in_fours,
                                    const int32_t *start, int32_t *sums) {
    int32_t s0 = start[0], s1 = s0, s2 = start[1], s3 = s2, s4 = start[2], s5 = s4, s6 = start[3], s7 = s6;
    TML_PUBLISH(x);
    TML_MATMUL_HIDE();
    if (in_fours) {
        const int16_t *const end = x + depth / 4 * 16;
        TML_NO_UNROLL
        do {
            TML_MATMUL_STEP(TML_MATMUL_EVEN, depth);
            TML_MATMUL_STEP(TML_MATMUL_ODD, depth);
        } while (x != end);
        if (depth % 4 != 0) {
            m += depth % 4 - 4;
            TML_MATMUL_HIDE();
            TML_MATMUL_STEP(TML_MATMUL_EVEN, depth);
            TML_MATMUL_STEP(TML_MATMUL_ODD, depth);
        }
    } else {
        const int16_t *const end = x + depth / 4 * 16;
        if (depth >= 4) {
            TML_NO_UNROLL
            do {
                TML_MATMUL_STEP(TML_MATMUL_PAIR, columns);
                TML_MATMUL_STEP(TML_MATMUL_PAIR, columns);
            } while (x != end);
        }
        TML_UNROLL(3)
        for (int k = 0; k < depth % 4; ++k, m += columns) {
            const int32_t m0 = m[0], m1 = m[1];
            const int16_t *const at = x + tml_place_in_pairs_dsp(k);
            s0 += m0 * at[0], s1 += m1 * at[0], s2 += m0 * at[2], s3 += m1 * at[2];
            s4 += m0 * at[4], s5 += m1 * at[4], s6 += m0 * at[6], s7 += m1 * at[6];
        }
    }
    sums[0] = s0, sums[1] = s1, sums[2] = s2, sums[3] = s3;
    sums[4] = s4, sums[5] = s5, sums[6] = s6, sums[7] = s7;
}

/* Three nested batches as in tml_batch_matmul. Scratch: four rows widened, 32 bytes for each four elements begun. */
TML_INLINE void tml_batch_matmul_dsp(const int8_t *a, const int8_t *b, int8_t *output, void *scratch,
                                     const int32_t *batches, const int32_t *strides_a, const int32_t *strides_b,
                                     int rows, int depth, int columns, int adj_x, int adj_y, int a_zero_point,
                                     int b_zero_point, int32_t mul, int32_t par, int rounding, int32_t zp, int32_t lo,
                                     int32_t hi) {
    int16_t *const wide = (int16_t *)scratch;
    const int step = adj_x ? rows : 1, next = adj_x ? 1 : depth;
    TML_NO_UNROLL
    for (int batch = 0; batch < batches[0] * batches[1] * batches[2]; ++batch) {
        const int i2 = batch % batches[2], i1 = batch / batches[2] % batches[1], i0 = batch / batches[2] / batches[1];
        const int8_t *x = a + i0 * strides_a[0] + i1 * strides_a[1] + i2 * strides_a[2];
        const int8_t *m = b + i0 * strides_b[0] + i1 * strides_b[1] + i2 * strides_b[2];
        TML_NO_UNROLL
        for (int row = 0; row < rows; row += 4) {
            const int count = rows - row < 4 ? rows - row : 4;
            int32_t start[4] = {0, 0, 0, 0};
            TML_NO_UNROLL
            for (int r = 0; r < count; ++r, x += next)
                start[r] = -b_zero_point * tml_widen_row_dsp(x, step, a_zero_point, depth, r, adj_y, wide);
            TML_NO_UNROLL
            for (int n = 0; n < columns; n += 2) {
                const int at = n + 2 <= columns ? n : columns - 2;
                int32_t sums[8];
                int8_t *y = output + at;
                tml_four_by_two_dsp(wide, m + at * (adj_y ? depth : 1), depth, columns, adj_y, start, sums);
                TML_UNROLL(4)
                for (int r = 0; r < 4; ++r, y += columns) {
                    if (r == count) break;
                    y[0] = (int8_t)tml_requant_dsp(sums[2 * r], mul, par, rounding, zp, lo, hi);
                    y[1] = (int8_t)tml_requant_dsp(sums[2 * r + 1], mul, par, rounding, zp, lo, hi);
                }
            }
            output += count * columns;
        }
    }
}

#endif
