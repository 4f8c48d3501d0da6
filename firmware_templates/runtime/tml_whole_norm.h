/* A norm over whole examples, portable: MEAN, SUB, MUL, MEAN, a root from a table, MUL, and MUL and ADD of a row's constants.
 *
 * Each result between is rounded to int8 as its op does; only the deviations are in memory, in the output, which may be the
 * input. The roots are in the order of the variance's bit patterns. Gain and offset are those of tml_layer_norm.h, for rows
 * of `depth` elements.
 *
 * Sources: those of tml_reduce.h and tml_binary.h.
 */
#ifndef TML_WHOLE_NORM_H
#define TML_WHOLE_NORM_H

#include "tml_layer_norm.h"

/* The inverse root of the mean of squares whose sum is given, less its zero point. */
TML_INLINE int32_t tml_norm_factor(int32_t squares, int elements, const int8_t *roots, int square_zero_point,
                                   int32_t variance_multiplier, int variance_shift, int variance_zero_point,
                                   int root_zero_point) {
    const int8_t variance = tml_requantize(squares - square_zero_point * elements, variance_multiplier, variance_shift,
                                           variance_shift, variance_zero_point, INT8_MIN, INT8_MAX);
    return roots[(uint8_t)variance] - root_zero_point;
}

TML_INLINE void tml_whole_norm(const int8_t *input, int8_t *output, const int8_t *roots, const int8_t *gain,
                               const int32_t *offset, int examples, int elements, int depth, int has_gain,
                               int has_offset, int in_zero_point, int32_t mean_multiplier, int mean_shift,
                               int mean_zero_point, int32_t a_multiplier, int a_shift, int32_t b_multiplier, int b_shift,
                               int32_t difference_multiplier, int difference_shift, int deviation_zero_point,
                               int32_t square_multiplier, int square_shift, int square_zero_point,
                               int32_t variance_multiplier, int variance_shift, int variance_zero_point,
                               int root_zero_point, int32_t normed_multiplier, int normed_shift, int normed_zero_point,
                               int gain_zero_point, int32_t gain_multiplier, int gain_shift, int gained_zero_point,
                               int32_t gained_multiplier, int gained_shift, int32_t out_multiplier, int out_shift,
                               int out_zero_point) {
    for (int example = 0; example < examples; example++) {
        int32_t sum = 0;
        int32_t squares = 0;
        for (int i = 0; i < elements; i++) {
            sum += input[i];
        }
        const int32_t mean = tml_row_mean(sum, elements, in_zero_point, mean_multiplier, mean_shift, mean_zero_point,
                                          b_multiplier, b_shift);
        for (int i = 0; i < elements; i++) {
            const int32_t scaled = tml_sum_operand(input[i] - in_zero_point, a_multiplier, a_shift);
            output[i] = tml_requantize(scaled - mean, difference_multiplier, difference_shift, 0, deviation_zero_point,
                                       INT8_MIN, INT8_MAX);
            const int32_t deviation = output[i] - deviation_zero_point;
            squares += tml_requantize(deviation * deviation, square_multiplier, square_shift, square_shift,
                                      square_zero_point, INT8_MIN, INT8_MAX);
        }
        const int32_t factor = tml_norm_factor(squares, elements, roots, square_zero_point, variance_multiplier,
                                               variance_shift, variance_zero_point, root_zero_point);
        for (int row = 0; row < elements; row += depth) {
            for (int i = 0; i < depth; i++) {
                int8_t value = tml_requantize((output[row + i] - deviation_zero_point) * factor, normed_multiplier,
                                              normed_shift, normed_shift, normed_zero_point, INT8_MIN, INT8_MAX);
                if (has_gain) {
                    value = tml_requantize((value - normed_zero_point) * (gain[i] - gain_zero_point), gain_multiplier,
                                           gain_shift, gain_shift, gained_zero_point, INT8_MIN, INT8_MAX);
                }
                if (has_offset) {
                    const int32_t scaled = tml_sum_operand(value - gained_zero_point, gained_multiplier, gained_shift);
                    value = tml_requantize(scaled + offset[i], out_multiplier, out_shift, 0, out_zero_point, INT8_MIN,
                                           INT8_MAX);
                }
                output[row + i] = value;
            }
        }
        input += elements;
        output += elements;
    }
}

#endif
