/* A layer norm or an RMS norm, row by row, on cores with the DSP extension; the output may be the input.
 *
 * TFLite's roundings in SMMLAR (tml_common_dsp.h). SUB may be one linear function of element and mean, as in
 * tml_binary_dsp.h, which the compiler proves on every pair of them. Sources: those of tml_layer_norm.h.
 */
#ifndef TML_LAYER_NORM_DSP_H
#define TML_LAYER_NORM_DSP_H

#include "tml_broadcast_dsp.h"
#include "tml_layer_norm.h"

TML_INLINE int32_t tml_smmulr(int32_t a, int32_t b) {
    int32_t d;
    __asm__("smmulr %0, %1, %2" : "=r"(d) : "r"(a), "r"(b));
    return d;
}

/* Sum of a row, four elements at a time. */
TML_INLINE int32_t tml_row_sum_dsp(const int8_t *x, int depth) {
    const int32_t ones = 0x00010001;
    int32_t sum = 0;
    int i = 0;
    TML_NO_UNROLL
    for (; i + 4 <= depth; i += 4) {
        const int32_t word = (int32_t)*(const tml_word *)(const void *)(x + i);
        sum = __smlad(__sxtb16(word), ones, __smlad(tml_sxtb16_high(word), ones, sum));
    }
    TML_UNROLL(3)
    for (; i < depth; ++i) sum += x[i];
    return sum;
}

/* tml_inverse_root without its saturations, which nothing reaches: equal for every value, since all from 2^27 to 2^29, to
 * which the others are brought, have been compared. */
TML_INLINE int32_t tml_inverse_root_dsp(int32_t value, int *shift) {
    int right_shift = 11;
    if (value <= 1) {
        *shift = 0;
        return INT32_MAX;
    }
    if (value >= 1 << 29) {
        value >>= 2;
        right_shift++;
    }
    const int pairs = (__builtin_clz((unsigned)value) - 1) / 2 - 1;
    right_shift -= pairs;
    value <<= 2 * pairs;
    const int32_t half = ((value >> 1) + 1) & ~1;
    int32_t x = 1 << 28;
    TML_NO_UNROLL
    for (int i = 0; i < 5; ++i) {
        const int32_t cube = tml_smmulr(2 * tml_smmulr(2 * x, x), x) * (1 << 6);
        x = (tml_smmulr(3 << 28, x) - tml_smmulr(half, cube)) * (1 << 3);
    }
    const int32_t multiplier = tml_high_mul(x, 1518500250);
    *shift = right_shift < 0 ? 0 : -right_shift;
    return right_shift < 0 ? tml_wrap_shift_left(multiplier, -right_shift) : multiplier;
}

TML_INLINE void tml_layer_norm_dsp(const int8_t *input, int8_t *output, const int8_t *gain, const int32_t *offset,
                                   int rows, int depth, int has_mean, int has_gain, int has_offset, int in_zero_point,
                                   int32_t mean_multiplier, int mean_shift, int mean_zero_point, int32_t a_multiplier,
                                   int a_shift, int32_t b_multiplier, int b_shift, int deviation_zero_point,
                                   int gain_zero_point, int gained_zero_point, int32_t gained_multiplier,
                                   int gained_shift, int is_linear, int32_t mul_a, int32_t mul_b, int32_t constant,
                                   int linear_shift, int32_t difference_mul, int32_t difference_par,
                                   int difference_rounding, int32_t gain_mul, int32_t gain_par, int gain_rounding,
                                   int32_t out_mul, int32_t out_par, int out_rounding, int32_t out_zero_point) {
    const int32_t a_mul = (int32_t)(2u * (uint32_t)a_multiplier);
    const int32_t gained_mul = (int32_t)(2u * (uint32_t)gained_multiplier);
    TML_NO_UNROLL
    for (int row = 0; row < rows; ++row, input += depth, output += depth) {
        const int8_t *from = input;
        int32_t squares = 0;
        int shift;
        if (has_mean) {
            const int8_t mean =
                tml_requantize(tml_row_sum_dsp(input, depth) - in_zero_point * depth, mean_multiplier, mean_shift,
                               mean_shift, mean_zero_point, INT8_MIN, INT8_MAX);
            const int32_t subtrahend = is_linear ? __smlawb(mul_b, mean * 256, constant)
                                                 : tml_sum_operand(mean - mean_zero_point, b_multiplier, b_shift);
            TML_NO_UNROLL
            for (int i = 0; i < depth; ++i) {
                int32_t value;
                if (is_linear) {
                    value = __smlawb(mul_a, input[i] * 256, subtrahend);
                    __asm__("ssat %0, #8, %0, asr %1" : "+r"(value) : "i"(linear_shift));
                } else {
                    value = tml_sum_operand_dsp(input[i] - in_zero_point, a_mul, a_shift) - subtrahend;
                    value = tml_requant_dsp(value, difference_mul, difference_par, difference_rounding,
                                            deviation_zero_point, -128, 127);
                }
                output[i] = (int8_t)value;
                value -= deviation_zero_point;
                squares += value * value;
            }
            from = output;
        } else {
            TML_NO_UNROLL
            for (int i = 0; i < depth; ++i)
                squares += (from[i] - deviation_zero_point) * (from[i] - deviation_zero_point);
        }
        const int32_t multiplier = tml_inverse_root_dsp(squares, &shift);
        const int left = shift + 7 > 0 ? shift + 8 : 1, right = shift + 7 > 0 ? 0 : -(shift + 7);
        const int32_t half = right > 0 ? 1 << (right - 1) : 0, away = right > 0 ? -1 : 0;
        TML_NO_UNROLL
        for (int i = 0; i < depth; ++i) {
            int32_t value = tml_smmulr((from[i] - deviation_zero_point) * (1 << left), multiplier);
            value = __ssat((value + ((value >> 31) & away) + half) >> right, 8);
            if (has_gain) {
                value = tml_requant_dsp(value * (gain[i] - gain_zero_point), gain_mul, gain_par, gain_rounding,
                                        gained_zero_point, -128, 127);
            }
            if (has_offset) {
                value = tml_sum_operand_dsp(value - gained_zero_point, gained_mul, gained_shift) + offset[i];
                value = tml_requant_dsp(value, out_mul, out_par, out_rounding, out_zero_point, -128, 127);
            }
            output[i] = (int8_t)value;
        }
    }
}

#endif
