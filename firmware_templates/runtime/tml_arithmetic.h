/* SQUARED_DIFFERENCE and PRELU with broadcasting, portable; loops and out_pitch are those of tml_binary.h.
 *
 * Sources: TFLite kernels/squared_difference.cc, kernels/internal/reference/prelu.h.
 */
#ifndef TML_ARITHMETIC_H
#define TML_ARITHMETIC_H

#include "tml_common.h"

/* A centred operand scaled to half of the larger scale and by 2^7. */
TML_INLINE int32_t tml_difference_operand(int32_t value, int32_t multiplier, int shift) {
    return tml_rounding_shift(tml_high_mul(value * (1 << 7), multiplier), -shift);
}

TML_INLINE void tml_squared_difference(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                                       const int32_t *strides_a, const int32_t *strides_b, int out_pitch,
                                       int a_zero_point, int b_zero_point, int out_zero_point, int32_t a_multiplier, int a_shift,
                                       int32_t b_multiplier, int b_shift, int32_t out_multiplier, int out_shift) {
    TML_FOR_ROWS(sizes) {
        const int8_t *pa = TML_ROW(a, strides_a);
        const int8_t *pb = TML_ROW(b, strides_b);
        for (int i4 = 0; i4 < sizes[4]; i4++) {
            const int32_t scaled_a = tml_difference_operand(*pa - a_zero_point, a_multiplier, a_shift);
            const int32_t scaled_b = tml_difference_operand(*pb - b_zero_point, b_multiplier, b_shift);
            const int32_t difference = scaled_a - scaled_b;
            *output++ = tml_requantize(difference * difference, out_multiplier, out_shift, 0,
                                       out_zero_point, INT8_MIN, INT8_MAX);
            pa += strides_a[4];
            pb += strides_b[4];
        }
        output += out_pitch - sizes[4];
    }
}

TML_INLINE void tml_prelu(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                          const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                          int b_zero_point, int out_zero_point, int32_t positive_multiplier, int positive_shift,
                          int32_t negative_multiplier, int negative_shift) {
    TML_FOR_ROWS(sizes) {
        const int8_t *pa = TML_ROW(a, strides_a);
        const int8_t *pb = TML_ROW(b, strides_b);
        for (int i4 = 0; i4 < sizes[4]; i4++) {
            const int32_t value = *pa - a_zero_point;
            *output++ = value >= 0 ? tml_requantize(value, positive_multiplier, positive_shift,
                                                    positive_shift, out_zero_point, INT8_MIN, INT8_MAX)
                                   : tml_requantize(value * (*pb - b_zero_point), negative_multiplier,
                                                    negative_shift, negative_shift, out_zero_point,
                                                    INT8_MIN, INT8_MAX);
            pa += strides_a[4];
            pb += strides_b[4];
        }
        output += out_pitch - sizes[4];
    }
}

#endif
