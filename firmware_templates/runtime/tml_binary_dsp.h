/* ADD and SUB of equal shapes on cores with the DSP extension, as one linear function of both operands.
 *
 * TFLite scales both operands, adds and scales again, rounding three times. The compiler looks for multipliers and an
 * offset for which (offset + (mul_a * 256 * a >> 16) + (mul_b * 256 * b >> 16)) >> shift, saturated, is that for every
 * one of the 65,536 pairs of operands, and takes the portable kernel where there are none (tinyml/lower/dsp/binary.py).
 */
#ifndef TML_BINARY_DSP_H
#define TML_BINARY_DSP_H

#include "tml_common_dsp.h"

TML_INLINE int8_t tml_saturate_dsp(int32_t sum, int shift, int32_t lo, int32_t hi) {
    __asm__("ssat %0, #8, %0, asr %1" : "+r"(sum) : "i"(shift));
    return (int8_t)tml_clamp_dsp(sum, lo, hi);
}

TML_INLINE void tml_linear_run_dsp(const int8_t *a, const int8_t *b, int8_t *y, int elements, int32_t mul_a,
                                   int32_t mul_b, int32_t offset, int shift, int32_t lo, int32_t hi) {
    const int8_t *const end = a + elements / 4 * 4;
    uint32_t odd = 0xff00ff00u;
    __asm__("" : "+r"(odd)); /* in a register, so that the shift below is part of the AND */
    if (elements >= 4) {
        TML_NO_UNROLL
        do {
            const uint32_t wa = *(const tml_word *)(const void *)a, wb = *(const tml_word *)(const void *)b;
            const int32_t a02 = (int32_t)((wa << 8) & odd), a13 = (int32_t)(wa & odd);
            const int32_t b02 = (int32_t)((wb << 8) & odd), b13 = (int32_t)(wb & odd);
            y[0] = tml_saturate_dsp(__smlawb(mul_b, b02, __smlawb(mul_a, a02, offset)), shift, lo, hi);
            y[1] = tml_saturate_dsp(__smlawb(mul_b, b13, __smlawb(mul_a, a13, offset)), shift, lo, hi);
            y[2] = tml_saturate_dsp(__smlawt(mul_b, b02, __smlawt(mul_a, a02, offset)), shift, lo, hi);
            y[3] = tml_saturate_dsp(__smlawt(mul_b, b13, __smlawt(mul_a, a13, offset)), shift, lo, hi);
            a += 4;
            b += 4;
            y += 4;
        } while (a != end);
    }
    TML_NO_UNROLL
    for (int i = 0; i < elements % 4; ++i)
        y[i] = tml_saturate_dsp(__smlawb(mul_b, b[i] * 256, __smlawb(mul_a, a[i] * 256, offset)), shift, lo, hi);
}

/* y may be a or b; its runs of out_run elements begin out_pitch elements apart, those of a and b a_pitch and b_pitch. */
TML_INLINE void tml_linear_sum_dsp(const int8_t *a, const int8_t *b, int8_t *y, int elements, int out_run,
                                   int out_pitch, int a_pitch, int b_pitch, int32_t mul_a, int32_t mul_b,
                                   int32_t offset, int shift, int32_t lo, int32_t hi) {
    TML_NO_UNROLL
    for (int start = 0; start < elements; start += out_run, a += a_pitch, b += b_pitch, y += out_pitch)
        tml_linear_run_dsp(a, b, y, out_run, mul_a, mul_b, offset, shift, lo, hi);
}

#endif
