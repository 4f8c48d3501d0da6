/* L2_NORMALIZATION and LOG_SOFTMAX over the last dimension, portable, in fixed point.
 *
 * Sources: TFLite kernels/internal/reference/integer_ops/l2normalization.h and log_softmax.h,
 * kernels/internal/common.h (GetInvSqrtQuantizedMultiplierExp).
 */
#ifndef TML_NORMALISE_H
#define TML_NORMALISE_H

#include "tml_softmax.h"

/* 1 / sqrt(value) as multiplier * 2^(shift - 31), by five steps of Newton and Raphson in Q3.28. */
TML_INLINE int32_t tml_inverse_root(int32_t value, int *shift) {
    if (value <= 1) {
        *shift = 0;
        return INT32_MAX;
    }
    int right_shift = 11;
    while (value >= 1 << 29) {
        value /= 4;
        right_shift++;
    }
    const int pairs = (__builtin_clz((unsigned)value) - 1) / 2 - 1;
    right_shift -= pairs;
    value <<= 2 * pairs;
    const int32_t half = tml_rounding_shift(value >> 1, 1);
    int32_t x = 1 << 28;
    for (int i = 0; i < 5; i++) {
        const int32_t cube = tml_saturating_shift_left(tml_high_mul(tml_high_mul(x, x), x), 6);
        x = tml_saturating_shift_left(tml_high_mul((1 << 28) + (1 << 27), x) - tml_high_mul(half, cube), 3);
    }
    const int32_t multiplier = tml_high_mul(x, 1518500250);
    if (right_shift < 0) {
        *shift = 0;
        return tml_wrap_shift_left(multiplier, -right_shift);
    }
    *shift = -right_shift;
    return multiplier;
}

TML_INLINE void tml_l2_normalise(const int8_t *input, int8_t *output, int rows, int depth, int in_zero_point) {
    for (int row = 0; row < rows; row++) {
        int32_t sum = 0;
        for (int i = 0; i < depth; i++) {
            sum += (input[i] - in_zero_point) * (input[i] - in_zero_point);
        }
        int shift;
        const int32_t multiplier = tml_inverse_root(sum, &shift);
        for (int i = 0; i < depth; i++) {
            output[i] = tml_requantize(input[i] - in_zero_point, multiplier, shift + 7, 7, 0, INT8_MIN, INT8_MAX);
        }
        input += depth;
        output += depth;
    }
}

/* Natural logarithm of a positive Q12.19 number, as Q5.26. */
TML_INLINE int32_t tml_log_q5(int32_t x) {
    const int32_t root_of_root_half = 1805811301; /* Q0.31 like all constants below */
    const int32_t quarter = 1 << 23;              /* Q6.25 */
    const int headroom_a = __builtin_clz((unsigned)x);
    const int32_t shifted = tml_saturating_shift_left(x, headroom_a - 1);
    const int32_t ratio_a = tml_saturating_shift_left(tml_high_mul(shifted, 1518500250), 1);
    const int32_t power_a = (12 - headroom_a) * (1 << 25) + quarter;
    const int headroom_b = __builtin_clz((unsigned)tml_high_mul(x, 1518500250)) - 1;
    const int32_t ratio_b = tml_saturating_shift_left(x, headroom_b);
    const int32_t power_b = (12 - headroom_b) * (1 << 25) - quarter;
    const int32_t r = ratio_a < ratio_b ? ratio_a : ratio_b;
    const int32_t power = power_a > power_b ? power_a : power_b;
    const int32_t p = (int32_t)(((int64_t)r + root_of_root_half + 1) / 2);
    const int32_t q = 2 * (r - root_of_root_half);
    const int32_t square = tml_high_mul(q, q);
    const int32_t numerator = tml_high_mul(q, r) + tml_high_mul(tml_high_mul(q, square), 117049297);
    const int32_t denominator =
        tml_high_mul(p, 1057819769 + q + tml_high_mul(127690142, square)) + tml_high_mul(638450708, q);
    const int32_t fraction = tml_high_mul(tml_rounding_shift(numerator, 6), tml_one_over_one_plus(denominator));
    return tml_saturating_shift_left(tml_high_mul(power, 1488522236) + fraction, 1);
}

/* exponentials as in tml_softmax; differences to a row's largest element are brought to Q5.26 by the multiplier, and
 * back by the reverse multiplier. */
TML_INLINE void tml_log_softmax(const int8_t *input, int8_t *output, const int32_t *exponentials, int entries, int rows,
                                int depth, int32_t multiplier, int left_shift, int32_t reverse_multiplier,
                                int reverse_shift) {
    for (int row = 0; row < rows; row++) {
        int32_t largest = INT8_MIN;
        for (int i = 0; i < depth; i++) {
            largest = input[i] > largest ? input[i] : largest;
        }
        int32_t sum = 0; /* Q12.19 */
        for (int i = 0; i < depth; i++) {
            const int32_t difference = largest - input[i];
            if (difference < entries) {
                sum = tml_wrap_add(sum, tml_rounding_shift(exponentials[difference], 12));
            }
        }
        const int32_t logarithm = tml_log_q5(sum);
        const int32_t reach = tml_multiply(tml_wrap_add(logarithm, INT32_MIN), reverse_multiplier, reverse_shift, 0);
        const int32_t limit = -entries > reach ? -entries : reach;
        for (int i = 0; i < depth; i++) {
            const int32_t difference = input[i] - largest;
            int32_t result = INT8_MIN;
            if (difference > limit) {
                const int32_t scaled = tml_high_mul(tml_wrap_shift_left(difference, left_shift), multiplier);
                result = tml_clamp_int(tml_rounding_shift(scaled - logarithm, 22) + 127, INT8_MIN, INT8_MAX);
            }
            output[i] = (int8_t)result;
        }
        input += depth;
        output += depth;
    }
}

#endif
