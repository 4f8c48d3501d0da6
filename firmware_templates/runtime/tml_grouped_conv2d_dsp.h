/* CONV_2D of several groups on cores with the DSP extension: each group is a convolution of its own, whose `depth` inputs
 * and `channels` outputs are a slice of every pixel. One group after the other, so that its weights are read in one go;
 * the groups share one piece of code. The output's pixels begin out_pitch bytes apart. */
#ifndef TML_GROUPED_CONV2D_DSP_H
#define TML_GROUPED_CONV2D_DSP_H

#include "tml_row_dsp.h"

/* Words of one group's streams. */
#define TML_GROUP_WORDS(channels, words) ((channels) == 1 ? (words) + 3 : ((channels) + 1) / 2 * ((words) + 6))

/* 1x1, stride 1. Scratch: 12 * words bytes. */
TML_INLINE void tml_grouped_pointwise_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int pixels,
                                          int depth, int channels, int groups, int words, int unroll, int tail,
                                          int out_pitch, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    TML_NO_UNROLL
    for (int g = 0; g < groups; ++g, x += depth, y += channels, w += TML_GROUP_WORDS(channels, words))
        tml_row_dsp(x, w, y, (int32_t *)scratch, pixels, 1, 1, depth, 0, 0, groups * depth, channels, out_pitch, words,
                    unroll, tail, rounding, zp, lo, hi);
}

/* Any kernel, stride, dilation and padding. Scratch: 12 * words bytes, behind them a band: kernel_h rows of one group's
 * inputs, as wide as all windows reach. */
TML_INLINE void tml_grouped_conv2d_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int height,
                                       int width, int depth, int groups, int kernel_h, int kernel_w, int stride_h,
                                       int stride_w, int dilation_h, int dilation_w, int pad_top, int pad_left,
                                       int out_h, int out_w, int channels, int words, int unroll, int tail,
                                       int out_pitch, int32_t zero_point, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    int32_t *const xb = (int32_t *)scratch;
    int8_t *const band = (int8_t *)(xb + 3 * words);
    const int columns = (out_w - 1) * stride_w + (kernel_w - 1) * dilation_w + 1, pitch = columns * depth;
    const int joined = dilation_w == 1;
    TML_NO_UNROLL
    for (int g = 0; g < groups; ++g, x += depth, w += TML_GROUP_WORDS(channels, words)) {
        int8_t *to = y + g * channels;
        int row = -pad_top;
        TML_NO_UNROLL
        for (int oy = 0; oy < out_h; ++oy, row += stride_h, to += out_w * out_pitch) {
            tml_load_band_dsp(band, x, row, kernel_h, dilation_h, height, width, groups * depth, depth, pad_left,
                              columns, zero_point);
            tml_row_dsp(band, w, to, xb, out_w, joined ? 1 : kernel_h, joined ? kernel_h : kernel_w,
                        joined ? kernel_w * depth : depth, joined ? pitch : dilation_w * depth, pitch, stride_w * depth,
                        channels, out_pitch, words, unroll, tail, rounding, zp, lo, hi);
        }
    }
}

#endif
