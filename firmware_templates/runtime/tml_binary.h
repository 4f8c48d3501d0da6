/* ADD, SUB and MUL with broadcasting, portable.
 *
 * Five nested loops, outermost first: sizes says how often each runs, the strides by how many elements each operand
 * advances (0 where it is broadcast). Each element of the output is written after the operands' elements of the same
 * place have been read, so that the output may lie over an operand of its own shape; what the innermost loop writes begins
 * out_pitch elements apart.
 *
 * Sources: TFLite kernels/internal/reference/integer_ops/add.h and mul.h, reference/sub.h.
 */
#ifndef TML_BINARY_H
#define TML_BINARY_H

#include "tml_common.h"

/* An operand of a sum, scaled to half of the larger scale and by 2^20. */
TML_INLINE int32_t tml_sum_operand(int32_t value, int32_t multiplier, int shift) {
    return tml_rounding_shift(tml_high_mul(value * (1 << 20), multiplier), -shift);
}

TML_INLINE void tml_sum(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                        const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                        int b_zero_point, int out_zero_point, int out_min, int out_max, int32_t a_multiplier, int a_shift,
                        int32_t b_multiplier, int b_shift, int32_t out_multiplier, int out_shift, int sign) {
    TML_FOR_ROWS(sizes) {
        const int8_t *pa = TML_ROW(a, strides_a);
        const int8_t *pb = TML_ROW(b, strides_b);
        for (int i4 = 0; i4 < sizes[4]; i4++) {
            const int32_t scaled_a = tml_sum_operand(*pa - a_zero_point, a_multiplier, a_shift);
            const int32_t scaled_b = tml_sum_operand(*pb - b_zero_point, b_multiplier, b_shift);
            *output++ = tml_requantize(scaled_a + sign * scaled_b, out_multiplier, out_shift, 0,
                                       out_zero_point, out_min, out_max);
            pa += strides_a[4];
            pb += strides_b[4];
        }
        output += out_pitch - sizes[4];
    }
}

TML_INLINE void tml_add(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                        const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                        int b_zero_point, int out_zero_point, int out_min, int out_max, int32_t a_multiplier, int a_shift,
                        int32_t b_multiplier, int b_shift, int32_t out_multiplier, int out_shift) {
    tml_sum(a, b, output, sizes, strides_a, strides_b, out_pitch, a_zero_point, b_zero_point, out_zero_point, out_min,
            out_max, a_multiplier, a_shift, b_multiplier, b_shift, out_multiplier, out_shift, 1);
}

TML_INLINE void tml_sub(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                        const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                        int b_zero_point, int out_zero_point, int out_min, int out_max, int32_t a_multiplier, int a_shift,
                        int32_t b_multiplier, int b_shift, int32_t out_multiplier, int out_shift) {
    tml_sum(a, b, output, sizes, strides_a, strides_b, out_pitch, a_zero_point, b_zero_point, out_zero_point, out_min,
            out_max, a_multiplier, a_shift, b_multiplier, b_shift, out_multiplier, out_shift, -1);
}

TML_INLINE void tml_mul(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                        const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                        int b_zero_point, int out_zero_point, int out_min, int out_max, int32_t out_multiplier, int out_shift) {
    TML_FOR_ROWS(sizes) {
        const int8_t *pa = TML_ROW(a, strides_a);
        const int8_t *pb = TML_ROW(b, strides_b);
        for (int i4 = 0; i4 < sizes[4]; i4++) {
            const int32_t product = (*pa - a_zero_point) * (*pb - b_zero_point);
            *output++ = tml_requantize(product, out_multiplier, out_shift, out_shift, out_zero_point,
                                       out_min, out_max);
            pa += strides_a[4];
            pb += strides_b[4];
        }
        output += out_pitch - sizes[4];
    }
}

#endif
