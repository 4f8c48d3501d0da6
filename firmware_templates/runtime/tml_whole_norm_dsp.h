/* A norm over whole examples on cores with the DSP extension; the output may be the input.
 *
 * TFLite's roundings in SMMLAR, SUB as one linear function where there is one, as in tml_layer_norm_dsp.h. Sources: those of
 * tml_whole_norm.h.
 */
#ifndef TML_WHOLE_NORM_DSP_H
#define TML_WHOLE_NORM_DSP_H

#include "tml_layer_norm_dsp.h"
#include "tml_whole_norm.h"

TML_INLINE void tml_whole_norm_dsp(const int8_t *input, int8_t *output, const int8_t *roots, const int8_t *gain,
                                   const int32_t *offset, int examples, int elements, int depth, int has_gain,
                                   int has_offset, int in_zero_point, int32_t mean_multiplier, int mean_shift,
                                   int mean_zero_point, int32_t a_multiplier, int a_shift, int32_t b_multiplier,
                                   int b_shift, int deviation_zero_point, int square_zero_point,
                                   int32_t variance_multiplier, int variance_shift, int variance_zero_point,
                                   int root_zero_point, int normed_zero_point, int gain_zero_point,
                                   int gained_zero_point, int32_t gained_multiplier, int gained_shift, int is_linear,
                                   int32_t mul_a, int32_t mul_b, int32_t constant, int linear_shift,
                                   int32_t difference_mul, int32_t difference_par, int difference_rounding,
                                   int32_t square_mul, int32_t square_par, int square_rounding, int32_t normed_mul,
                                   int32_t normed_par, int normed_rounding, int32_t gain_mul, int32_t gain_par,
                                   int gain_rounding, int32_t out_mul, int32_t out_par, int out_rounding,
                                   int32_t out_zero_point) {
    const int32_t a_mul = (int32_t)(2u * (uint32_t)a_multiplier);
    const int32_t gained_mul = (int32_t)(2u * (uint32_t)gained_multiplier);
    const int rows = has_gain ? elements / depth : 1, columns = has_gain ? depth : elements;
    TML_NO_UNROLL
    for (int example = 0; example < examples; ++example, input += elements) {
        const int8_t mean =
            tml_requantize(tml_row_sum_dsp(input, elements) - in_zero_point * elements, mean_multiplier, mean_shift,
                           mean_shift, mean_zero_point, INT8_MIN, INT8_MAX);
        const int32_t subtrahend = is_linear ? __smlawb(mul_b, mean * 256, constant)
                                             : tml_sum_operand(mean - mean_zero_point, b_multiplier, b_shift);
        int32_t squares = 0;
        TML_NO_UNROLL
        for (int i = 0; i < elements; ++i) {
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
            squares += tml_requant_dsp(value * value, square_mul, square_par, square_rounding, square_zero_point, -128,
                                       127);
        }
        const int32_t factor = tml_norm_factor(squares, elements, roots, square_zero_point, variance_multiplier,
                                               variance_shift, variance_zero_point, root_zero_point);
        TML_NO_UNROLL
        for (int row = 0; row < rows; ++row, output += columns) {
            TML_NO_UNROLL
            for (int i = 0; i < columns; ++i) {
                int32_t value = tml_requant_dsp((output[i] - deviation_zero_point) * factor, normed_mul, normed_par,
                                                normed_rounding, normed_zero_point, -128, 127);
                if (has_gain) {
                    value = tml_requant_dsp((value - normed_zero_point) * (gain[i] - gain_zero_point), gain_mul, gain_par,
                                            gain_rounding, gained_zero_point, -128, 127);
                }
                if (has_offset) {
                    value = tml_sum_operand_dsp(value - gained_zero_point, gained_mul, gained_shift) + offset[i];
                    value = tml_requant_dsp(value, out_mul, out_par, out_rounding, out_zero_point, -128, 127);
                }
                output[i] = (int8_t)value;
            }
        }
    }
}

#endif
