/* SOFTMAX over the last dimension, portable, in fixed point.
 *
 * exponentials[d] is exp(-d * scale * beta) as Q0.31; differences of `entries` or more count as zero.
 *
 * Sources: TFLite kernels/internal/reference/softmax.h, kernels/internal/common.h (GetReciprocal); gemmlowp
 * fixedpoint/fixedpoint.h (one_over_one_plus_x_for_x_in_0_1).
 */
#ifndef TML_SOFTMAX_H
#define TML_SOFTMAX_H

#include "tml_common.h"

/* value * 2^exponent, saturated. */
TML_INLINE int32_t tml_saturating_shift_left(int32_t value, int exponent) {
    const int64_t shifted = (int64_t)value * ((int64_t)1 << exponent);
    return shifted > INT32_MAX ? INT32_MAX : (shifted < INT32_MIN ? INT32_MIN : (int32_t)shifted);
}

/* 1 / (1 + x) of a Q0.31 number in [0, 1], as Q0.31, by three steps of Newton and Raphson in Q2.29. */
TML_INLINE int32_t tml_one_over_one_plus(int32_t x) {
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    int32_t y = 1515870810 + tml_high_mul(half_denominator, -1010580540);
    for (int i = 0; i < 3; i++) {
        const int32_t remainder = (1 << 29) - tml_high_mul(half_denominator, y);
        y += tml_saturating_shift_left(tml_high_mul(y, remainder), 2);
    }
    return tml_saturating_shift_left(y, 1);
}

TML_INLINE void tml_softmax(const int8_t *input, int8_t *output, const int32_t *exponentials, int entries, int rows,
                            int depth) {
    for (int row = 0; row < rows; row++) {
        int32_t largest = INT8_MIN;
        for (int c = 0; c < depth; c++) {
            largest = input[c] > largest ? input[c] : largest;
        }
        int32_t sum = 0; /* Q12.19 */
        for (int c = 0; c < depth; c++) {
            const int32_t difference = largest - input[c];
            if (difference < entries) {
                sum = tml_wrap_add(sum, tml_rounding_shift(exponentials[difference], 12));
            }
        }
        const int headroom = __builtin_clz((unsigned)sum);
        const int32_t reciprocal = tml_one_over_one_plus((int32_t)(((uint32_t)sum << headroom) - 0x80000000u));
        const int exponent = 12 - headroom + 31 - 8; /* Above 31 all results round to zero. */
        for (int c = 0; c < depth; c++) {
            const int32_t difference = largest - input[c];
            int32_t result = INT8_MIN;
            if (difference < entries && exponent <= 31) {
                result += tml_rounding_shift(tml_high_mul(reciprocal, exponentials[difference]), exponent);
            }
            output[c] = (int8_t)tml_clamp_int(result, INT8_MIN, INT8_MAX);
        }
        input += depth;
        output += depth;
    }
}

#endif
