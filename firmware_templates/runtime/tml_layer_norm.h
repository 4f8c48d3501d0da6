/* A layer norm or an RMS norm, row by row, portable: MEAN, SUB, L2_NORMALIZATION, MUL and ADD one behind the other.
 *
 * Each result between is rounded to int8 as its op does, but is there for one row only, in the output. The gain is its
 * bytes; the offset is what ADD makes of its operand, scaled to half of the larger scale and by 2^20. The output may be
 * the input.
 *
 * Sources: those of tml_reduce.h, tml_binary.h and tml_normalise.h.
 */
#ifndef TML_LAYER_NORM_H
#define TML_LAYER_NORM_H

#include "tml_binary.h"
#include "tml_normalise.h"

/* The mean of a row, as SUB's scaled operand. */
TML_INLINE int32_t tml_row_mean(int32_t sum, int depth, int in_zero_point, int32_t mean_multiplier, int mean_shift,
                                int mean_zero_point, int32_t b_multiplier, int b_shift) {
    const int8_t mean = tml_requantize(sum - in_zero_point * depth, mean_multiplier, mean_shift, mean_shift,
                                       mean_zero_point, INT8_MIN, INT8_MAX);
    return tml_sum_operand(mean - mean_zero_point, b_multiplier, b_shift);
}

TML_INLINE void tml_layer_norm(const int8_t *input, int8_t *output, const int8_t *gain, const int32_t *offset, int rows,
                               int depth, int has_mean, int has_gain, int has_offset, int in_zero_point,
                               int32_t mean_multiplier, int mean_shift, int mean_zero_point, int32_t a_multiplier,
                               int a_shift, int32_t b_multiplier, int b_shift, int32_t difference_multiplier,
                               int difference_shift, int deviation_zero_point, int gain_zero_point,
                               int32_t gain_multiplier, int gain_shift, int gained_zero_point,
                               int32_t gained_multiplier, int gained_shift, int32_t out_multiplier, int out_shift,
                               int out_zero_point) {
    for (int row = 0; row < rows; row++) {
        const int8_t *from = input;
        int32_t squares = 0;
        int shift;
        if (has_mean) {
            int32_t sum = 0;
            for (int i = 0; i < depth; i++) {
                sum += input[i];
            }
            const int32_t mean = tml_row_mean(sum, depth, in_zero_point, mean_multiplier, mean_shift, mean_zero_point,
                                              b_multiplier, b_shift);
            for (int i = 0; i < depth; i++) {
                const int32_t scaled = tml_sum_operand(input[i] - in_zero_point, a_multiplier, a_shift);
                output[i] = tml_requantize(scaled - mean, difference_multiplier, difference_shift, 0,
                                           deviation_zero_point, INT8_MIN, INT8_MAX);
            }
            from = output;
        }
        for (int i = 0; i < depth; i++) {
            squares += (from[i] - deviation_zero_point) * (from[i] - deviation_zero_point);
        }
        const int32_t multiplier = tml_inverse_root(squares, &shift);
        for (int i = 0; i < depth; i++) {
            int8_t value =
                tml_requantize(from[i] - deviation_zero_point, multiplier, shift + 7, 7, 0, INT8_MIN, INT8_MAX);
            if (has_gain) {
                value = tml_requantize(value * (gain[i] - gain_zero_point), gain_multiplier, gain_shift, gain_shift,
                                       gained_zero_point, INT8_MIN, INT8_MAX);
            }
            if (has_offset) {
                const int32_t scaled = tml_sum_operand(value - gained_zero_point, gained_multiplier, gained_shift);
                value = tml_requantize(scaled + offset[i], out_multiplier, out_shift, 0, out_zero_point, INT8_MIN,
                                       INT8_MAX);
            }
            output[i] = value;
        }
        input += depth;
        output += depth;
    }
}

#endif
