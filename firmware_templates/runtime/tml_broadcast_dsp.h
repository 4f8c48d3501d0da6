/* MUL, and ADD and SUB that no linear function equals, with broadcasting on cores with the DSP extension.
 *
 * Loops and out_pitch of tml_binary.h, with TFLite's roundings in SMMLAR. The output may lie over an operand of its own shape.
 */
#ifndef TML_BROADCAST_DSP_H
#define TML_BROADCAST_DSP_H

#include "tml_common_dsp.h"

/* An operand of a sum as tml_sum_operand scales it: mul is twice the multiplier modulo 2^32; that is 2^30 or more. */
TML_INLINE int32_t tml_sum_operand_dsp(int32_t value, int32_t mul, int shift) {
    const int32_t y = tml_smmlar(value * (1 << 20), mul, value * (1 << 20));
    return shift == 0 ? y : (y + (y >> 31) + (1 << (-shift - 1))) >> -shift;
}

#define TML_BROADCAST_LOOPS(VALUE)                                                                \
    TML_FOR_ROWS(sizes) {                                                                         \
        const int8_t *pa = TML_ROW(a, strides_a);                                                 \
        const int8_t *pb = TML_ROW(b, strides_b);                                                 \
        TML_UNROLL(2)                                                                             \
        for (int i4 = 0; i4 < sizes[4]; i4++, pa += strides_a[4], pb += strides_b[4])             \
            *output++ = (int8_t)tml_requant_dsp(VALUE, mul, par, rounding, zp, lo, hi);           \
        output += out_pitch - sizes[4];                                                           \
    }

TML_INLINE void tml_mul_dsp(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                            const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                            int b_zero_point, int32_t mul, int32_t par, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    TML_BROADCAST_LOOPS((*pa - a_zero_point) * (*pb - b_zero_point))
}

TML_INLINE void tml_sum_dsp(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                            const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                            int b_zero_point, int32_t a_mul, int a_shift, int32_t b_mul, int b_shift, int sign, int32_t mul, int32_t par,
                            int rounding, int32_t zp, int32_t lo, int32_t hi) {
    TML_BROADCAST_LOOPS(tml_sum_operand_dsp(*pa - a_zero_point, a_mul, a_shift) +
                        sign * tml_sum_operand_dsp(*pb - b_zero_point, b_mul, b_shift))
}

#endif
