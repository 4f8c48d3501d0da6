/* TRANSPOSE_CONV on cores with the DSP extension: every pixel of the input that an output begins at has a block of stride_h
 * rows by stride_w columns of outputs, which are more channels of an ordinary convolution of stride 1. The outputs of one
 * row of blocks' rows lie one after the other, so each is a row of `channels` = stride_w * out_c bytes a window. The
 * compiler sorts the weights so, with 0 for taps that an output does not see (tinyml/lower/ops/transpose_conv.py).
 *
 * Scratch: 12 * words bytes, behind them a band: window_h rows of the input, as wide as all windows reach. */
#ifndef TML_TRANSPOSE_CONV_DSP_H
#define TML_TRANSPOSE_CONV_DSP_H

#include "tml_grouped_conv2d_dsp.h"

TML_INLINE void tml_transpose_conv_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int height,
                                       int width, int in_c, int window_h, int window_w, int pad_top, int pad_left,
                                       int stride_h, int out_h, int pixels, int channels, int words, int unroll,
                                       int tail, int32_t zero_point, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    int32_t *const xb = (int32_t *)scratch;
    int8_t *const band = (int8_t *)(xb + 3 * words);
    const int columns = pixels + window_w - 1, pitch = columns * in_c;
    const int32_t *stream = w;
    int row = -pad_top, rest = 0;
    TML_NO_UNROLL
    for (int oy = 0; oy < out_h; ++oy, y += pixels * channels) {
        if (rest == 0) {
            tml_load_band_dsp(band, x, row, window_h, 1, height, width, in_c, in_c, pad_left, columns, zero_point);
            stream = w;
            ++row;
        }
        tml_row_dsp(band, stream, y, xb, pixels, 1, window_h, window_w * in_c, pitch, pitch, in_c, channels, channels,
                    words, unroll, tail, rounding, zp, lo, hi);
        stream += TML_GROUP_WORDS(channels, words);
        rest = rest + 1 == stride_h ? 0 : rest + 1;
    }
}

#endif
