/* A norm over whole examples on cores with MVE, four elements at a time; the output may be the input.
 *
 * Examples, and rows where there is a gain, of a multiple of four elements. Each rounding is that of tml_requant_mve.
 * Sources: those of tml_whole_norm.h.
 */
#ifndef TML_WHOLE_NORM_MVE_H
#define TML_WHOLE_NORM_MVE_H

#include "tml_layer_norm_mve.h"
#include "tml_whole_norm.h"

TML_INLINE void tml_whole_norm_mve(const int8_t *input, int8_t *output, const int8_t *roots, const int8_t *gain,
                                   const int32_t *offset, int examples, int elements, int depth, int has_gain,
                                   int has_offset, int in_zero_point, int32_t mean_multiplier, int mean_shift,
                                   int mean_zero_point, int32_t a_multiplier, int a_shift, int32_t b_multiplier,
                                   int b_shift, int32_t difference_multiplier, int difference_shift,
                                   int deviation_zero_point, int32_t square_multiplier, int square_shift,
                                   int square_zero_point, int32_t variance_multiplier, int variance_shift,
                                   int variance_zero_point, int root_zero_point, int32_t normed_multiplier,
                                   int normed_shift, int normed_zero_point, int gain_zero_point,
                                   int32_t gain_multiplier, int gain_shift, int gained_zero_point,
                                   int32_t gained_multiplier, int gained_shift, int32_t out_multiplier, int out_shift,
                                   int out_zero_point) {
    const int rows = has_gain ? elements / depth : 1, columns = has_gain ? depth : elements;
    TML_MVE_NO_UNROLL
    for (int example = 0; example < examples; example++, input += elements) {
        int32_t sum = 0;
        int32_t squares = 0;
        TML_MVE_NO_UNROLL
        for (int i = 0; i < elements; i += 4) {
            sum = vaddvaq_s32(sum, vldrbq_s32(input + i));
        }
        const int32_t mean = tml_row_mean(sum, elements, in_zero_point, mean_multiplier, mean_shift, mean_zero_point,
                                          b_multiplier, b_shift);
        TML_MVE_NO_UNROLL
        for (int i = 0; i < elements; i += 4) {
            const int32x4_t x = vaddq_n_s32(vldrbq_s32(input + i), -in_zero_point);
            const int32x4_t scaled = vaddq_n_s32(tml_sum_operand_mve(x, a_multiplier, a_shift), -mean);
            const int32x4_t y = tml_requant_mve(scaled, difference_multiplier, difference_shift, deviation_zero_point);
            const int32x4_t deviation = vaddq_n_s32(y, -deviation_zero_point);
            const int32x4_t square = vmulq_s32(deviation, deviation);
            vstrbq_s32(output + i, y);
            squares = vaddvaq_s32(squares, tml_requant_mve(square, square_multiplier, square_shift, square_zero_point));
        }
        const int32_t factor = tml_norm_factor(squares, elements, roots, square_zero_point, variance_multiplier,
                                               variance_shift, variance_zero_point, root_zero_point);
        TML_MVE_NO_UNROLL
        for (int row = 0; row < rows; row++, output += columns) {
            TML_MVE_NO_UNROLL
            for (int i = 0; i < columns; i += 4) {
                const int32x4_t deviation = vaddq_n_s32(vldrbq_s32(output + i), -deviation_zero_point);
                int32x4_t y =
                    tml_requant_mve(vmulq_n_s32(deviation, factor), normed_multiplier, normed_shift, normed_zero_point);
                if (has_gain) {
                    const int32x4_t gains = vaddq_n_s32(vldrbq_s32(gain + i), -gain_zero_point);
                    y = vmulq_s32(vaddq_n_s32(y, -normed_zero_point), gains);
                    y = tml_requant_mve(y, gain_multiplier, gain_shift, gained_zero_point);
                }
                if (has_offset) {
                    y = tml_sum_operand_mve(vaddq_n_s32(y, -gained_zero_point), gained_multiplier, gained_shift);
                    y = tml_requant_mve(vaddq_s32(y, vldrwq_s32(offset + i)), out_multiplier, out_shift, out_zero_point);
                }
                vstrbq_s32(output + i, y);
            }
        }
    }
}

#endif
