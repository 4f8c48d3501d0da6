/* BATCH_MATMUL, portable: matrices [rows][depth] times [depth][columns], both at run time or constant.
 *
 * Three nested batches; the strides say by how many elements each operand advances (0 where it is broadcast). With
 * adj_x a lies as [depth][rows], with adj_y b lies as [columns][depth]. Two columns at a time are copied together where
 * they do not lie so, and both zero points are taken off the sums: of the rows' elements and of the columns'.
 * Scratch: 4 * rows + 2 * depth bytes, without adj_x and with adj_y 4 * rows.
 *
 * Source: TFLite kernels/internal/reference/batch_matmul.h.
 */
#ifndef TML_BATCH_MATMUL_H
#define TML_BATCH_MATMUL_H

#include "tml_common.h"

TML_INLINE int32_t tml_row_sum(const int8_t *x, int count, int stride) {
    int32_t sum = 0;
    for (int i = 0; i < count; i++) {
        sum += x[i * stride];
    }
    return sum;
}

/* Dot products of a row whose elements lie `stride` apart and two rows of bytes. */
TML_INLINE void tml_dot2_strided(const int8_t *x, int stride, const int8_t *w0, const int8_t *w1, int depth,
                                 int32_t *sum0, int32_t *sum1) {
    int32_t a = 0;
    int32_t b = 0;
    for (int i = 0; i < depth; i++) {
        a += x[i * stride] * w0[i];
        b += x[i * stride] * w1[i];
    }
    *sum0 = a;
    *sum1 = b;
}

TML_INLINE void tml_matmul(const int8_t *a, const int8_t *b, int8_t *output, void *scratch, int rows, int depth,
                           int columns, int adj_x, int adj_y, int a_zero_point, int b_zero_point, int out_zero_point,
                           int32_t multiplier, int shift) {
    const int32_t zeros = depth * a_zero_point * b_zero_point;
    const int step = adj_x ? rows : 1;
    int32_t *row_sums = (int32_t *)scratch;
    int8_t *copies = (int8_t *)(row_sums + rows);
    for (int row = 0; row < rows; row++) {
        const int8_t *x = adj_x ? a + row : a + row * depth;
        row_sums[row] = b_zero_point == 0 ? 0 : b_zero_point * tml_row_sum(x, depth, step);
    }
    for (int column = 0; column < columns; column += 2) {
        const int second = column + 1 < columns ? column + 1 : column;
        const int8_t *w0 = b + column * depth;
        const int8_t *w1 = b + second * depth;
        if (!adj_y) {
            for (int i = 0; i < depth; i++) {
                copies[i] = b[i * columns + column];
                copies[depth + i] = b[i * columns + second];
            }
            w0 = copies;
            w1 = copies + depth;
        }
        const int32_t offset0 = zeros - (a_zero_point == 0 ? 0 : a_zero_point * tml_row_sum(w0, depth, 1));
        const int32_t offset1 = zeros - (a_zero_point == 0 ? 0 : a_zero_point * tml_row_sum(w1, depth, 1));
        for (int row = 0; row < rows; row++) {
            int32_t sum0;
            int32_t sum1;
            if (adj_x) {
                tml_dot2_strided(a + row, rows, w0, w1, depth, &sum0, &sum1);
            } else {
                tml_dot2(a + row * depth, w0, w1, depth, &sum0, &sum1);
            }
            int8_t *out = output + row * columns;
            out[column] = tml_requantize(sum0 + offset0 - row_sums[row], multiplier, shift, shift, out_zero_point,
                                         INT8_MIN, INT8_MAX);
            out[second] = tml_requantize(sum1 + offset1 - row_sums[row], multiplier, shift, shift, out_zero_point,
                                         INT8_MIN, INT8_MAX);
        }
    }
}

TML_INLINE void tml_batch_matmul(const int8_t *a, const int8_t *b, int8_t *output, void *scratch,
                                 const int32_t *batches, const int32_t *strides_a, const int32_t *strides_b, int rows,
                                 int depth, int columns, int adj_x, int adj_y, int a_zero_point, int b_zero_point,
                                 int out_zero_point, int32_t multiplier, int shift) {
    for (int i0 = 0; i0 < batches[0]; i0++) {
        for (int i1 = 0; i1 < batches[1]; i1++) {
            for (int i2 = 0; i2 < batches[2]; i2++) {
                tml_matmul(a + i0 * strides_a[0] + i1 * strides_a[1] + i2 * strides_a[2],
                           b + i0 * strides_b[0] + i1 * strides_b[1] + i2 * strides_b[2], output, scratch, rows, depth,
                           columns, adj_x, adj_y, a_zero_point, b_zero_point, out_zero_point, multiplier, shift);
                output += rows * columns;
            }
        }
    }
}

#endif
