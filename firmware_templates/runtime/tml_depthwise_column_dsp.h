/* DEPTHWISE_CONV_2D with a kernel one column wide on cores with the DSP extension, such as a filter over time: a column of
 * one channel is gathered as int16, the zero point around it (which the biases have folded in), so that two taps are one
 * SMLAD whose weights stay in registers.
 *
 * Streams, one for each output channel: { bias, mul, par, the taps in twos, with a zero behind an odd number }. */
#ifndef TML_DEPTHWISE_COLUMN_DSP_H
#define TML_DEPTHWISE_COLUMN_DSP_H

#include "tml_depthwise_conv2d_dsp.h"

/* `count` outputs from a column on, `stride` halfwords apart; they are `step` bytes apart. `words` are the taps in twos, at
 * most five, so that GCC keeps them in registers. */
TML_INLINE void tml_column_run_dsp(const int16_t *column, const int32_t *w, int8_t *y, int count, int stride, int step,
                                   int words, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int32_t bias = w[0], mul = w[1], par = w[2];
    const int32_t w0 = w[3], w1 = words > 1 ? w[4] : 0, w2 = words > 2 ? w[5] : 0, w3 = words > 3 ? w[6] : 0,
                  w4 = words > 4 ? w[7] : 0;
    const int8_t *const end = y + count * step;
    TML_PUBLISH(column);
    TML_NO_UNROLL
    do {
        const tml_word *const x = (const tml_word *)(const void *)column;
        int32_t sum = __smlad((int16x2_t)x[0], (int16x2_t)w0, bias);
        if (words > 1) sum = __smlad((int16x2_t)x[1], (int16x2_t)w1, sum);
        if (words > 2) sum = __smlad((int16x2_t)x[2], (int16x2_t)w2, sum);
        if (words > 3) sum = __smlad((int16x2_t)x[3], (int16x2_t)w3, sum);
        if (words > 4) sum = __smlad((int16x2_t)x[4], (int16x2_t)w4, sum);
        *y = (int8_t)tml_requant_dsp(sum, mul, par, rounding, zp, lo, hi);
        column += stride;
        y += step;
    } while (y != end);
}

/* Scratch: 2 * length bytes. y may be x where multiplier = 1 and the output is as wide and no taller: a column's bytes are
 * gathered before they are overwritten. `gather` divides height. The pixels of input and output begin in_pitch and out_pitch
 * bytes apart. */
TML_INLINE void tml_depthwise_column_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int height, int width,
                                         int channels, int multiplier, int kernel_h, int stride_h, int stride_w,
                                         int pad_top, int out_h, int out_w, int length, int gather, int in_pitch,
                                         int out_pitch, int32_t zero_point, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int words = (kernel_h + 1) / 2;
    int16_t *const column = (int16_t *)scratch;
    tml_dw_fill_dsp(column, length / 2, zero_point);
    TML_NO_UNROLL
    for (int c = 0; c < channels; ++c, y += multiplier, w += multiplier * (3 + words)) {
        TML_NO_UNROLL
        for (int ox = 0; ox < out_w; ++ox) {
            tml_dw_gather_dsp(column + pad_top, x + c + ox * stride_w * in_pitch, height, width * in_pitch, gather);
            TML_NO_UNROLL
            for (int m = 0; m < multiplier; ++m)
                tml_column_run_dsp(column, w + m * (3 + words), y + m + ox * out_pitch, out_h, stride_h, out_w * out_pitch,
                                   words, rounding, zp, lo, hi);
        }
    }
}

#endif
