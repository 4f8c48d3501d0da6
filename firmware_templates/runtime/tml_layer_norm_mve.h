/* A layer norm or an RMS norm, row by row, on cores with MVE, four elements at a time; the output may be the input.
 *
 * Rows of a multiple of four elements. Each rounding is that of tml_requant_mve; an operand of a sum whose shift is 0 is
 * not rounded a second time. Sources: those of tml_layer_norm.h.
 */
#ifndef TML_LAYER_NORM_MVE_H
#define TML_LAYER_NORM_MVE_H

#include "tml_layer_norm.h"
#include "tml_matmul_mve.h"

/* value / 2^right to nearest, halves away from zero; shift is -right in every lane, away is -1, or 0 where right is. */
TML_INLINE int32x4_t tml_rounding_shift_mve(int32x4_t value, int32x4_t shift, int32x4_t away) {
    return vrshlq_s32(vaddq_s32(value, vandq_s32(vshrq_n_s32(value, 31), away)), shift);
}

TML_INLINE int32x4_t tml_sum_operand_mve(int32x4_t value, int32_t multiplier, int shift) {
    const int32x4_t y = vqrdmulhq_n_s32(vshlq_n_s32(value, 20), multiplier);
    return shift == 0 ? y : tml_rounding_shift_mve(y, vdupq_n_s32(shift), vdupq_n_s32(-1));
}

TML_INLINE void tml_layer_norm_mve(const int8_t *input, int8_t *output, const int8_t *gain, const int32_t *offset,
                                   int rows, int depth, int has_mean, int has_gain, int has_offset, int in_zero_point,
                                   int32_t mean_multiplier, int mean_shift, int mean_zero_point, int32_t a_multiplier,
                                   int a_shift, int32_t b_multiplier, int b_shift, int32_t difference_multiplier,
                                   int difference_shift, int deviation_zero_point, int gain_zero_point,
                                   int32_t gain_multiplier, int gain_shift, int gained_zero_point,
                                   int32_t gained_multiplier, int gained_shift, int32_t out_multiplier, int out_shift,
                                   int out_zero_point) {
    const int32x4_t low = vdupq_n_s32(INT8_MIN), high = vdupq_n_s32(INT8_MAX);
    TML_MVE_NO_UNROLL
    for (int row = 0; row < rows; row++, input += depth, output += depth) {
        const int8_t *from = input;
        int32_t squares = 0;
        int shift;
        if (has_mean) {
            int32_t sum = 0;
            TML_MVE_NO_UNROLL
            for (int i = 0; i < depth; i += 4) {
                sum = vaddvaq_s32(sum, vldrbq_s32(input + i));
            }
            const int32_t mean = tml_row_mean(sum, depth, in_zero_point, mean_multiplier, mean_shift, mean_zero_point,
                                              b_multiplier, b_shift);
            TML_MVE_NO_UNROLL
            for (int i = 0; i < depth; i += 4) {
                const int32x4_t x = vaddq_n_s32(vldrbq_s32(input + i), -in_zero_point);
                const int32x4_t scaled = vaddq_n_s32(tml_sum_operand_mve(x, a_multiplier, a_shift), -mean);
                const int32x4_t y =
                    tml_requant_mve(scaled, difference_multiplier, difference_shift, deviation_zero_point);
                vstrbq_s32(output + i, y);
            }
            from = output;
        }
        TML_MVE_NO_UNROLL
        for (int i = 0; i < depth; i += 4) {
            const int32x4_t x = vaddq_n_s32(vldrbq_s32(from + i), -deviation_zero_point);
            squares = vmladavaq_s32(squares, x, x);
        }
        const int32_t multiplier = tml_inverse_root(squares, &shift);
        const int32x4_t left = vdupq_n_s32(shift + 7 > 0 ? shift + 7 : 0);
        const int32x4_t right = vdupq_n_s32(shift + 7 < 0 ? shift + 7 : 0);
        const int32x4_t away = vdupq_n_s32(shift + 7 < 0 ? -1 : 0);
        TML_MVE_NO_UNROLL
        for (int i = 0; i < depth; i += 4) {
            const int32x4_t x = vshlq_s32(vaddq_n_s32(vldrbq_s32(from + i), -deviation_zero_point), left);
            int32x4_t y = tml_rounding_shift_mve(vqrdmulhq_n_s32(x, multiplier), right, away);
            y = vminq_s32(vmaxq_s32(y, low), high);
            if (has_gain) {
                y = vmulq_s32(y, vaddq_n_s32(vldrbq_s32(gain + i), -gain_zero_point));
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

#endif
