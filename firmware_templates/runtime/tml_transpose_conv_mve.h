/* TRANSPOSE_CONV on cores with MVE: as many channels of an ordinary convolution of stride 1 as an input pixel has outputs,
 * see tml_transpose_conv_dsp.h. Rows of at least two windows.
 *
 * Scratch: patches of `block` windows, block * 16 * vectors + 16 bytes, and behind them a band: window_h rows of the input,
 * as wide as all windows reach, and 16 bytes. */
#ifndef TML_TRANSPOSE_CONV_MVE_H
#define TML_TRANSPOSE_CONV_MVE_H

#include "tml_grouped_conv2d_mve.h"

TML_INLINE void tml_transpose_conv_mve(const int8_t *x, int8_t *y, const int8_t *weights, const uint16_t *places,
                                       void *scratch, int height, int width, int in_c, int window_h, int window_w,
                                       int pad_top, int pad_left, int stride_h, int out_h, int pixels, int channels,
                                       int vectors, int block, int zero_point, int rounding, int zp, int lo, int hi) {
    const int columns = pixels + window_w - 1;
    int8_t *const patches = (int8_t *)scratch;
    int8_t *const band = patches + block * 16 * vectors + 16;
    const int8_t *stream = weights;
    int row = -pad_top;
    int rest = 0;
    TML_MVE_NO_UNROLL
    for (int oy = 0; oy < out_h; oy++, y += pixels * channels) {
        if (rest == 0) {
            tml_load_slice_mve(band, x, row, window_h, 1, height, width, in_c, in_c, pad_left, columns, zero_point);
            stream = weights;
            row++;
        }
        tml_band_row_mve(band, y, stream, places, patches, pixels, columns, in_c, window_h, window_w, 1, 1, channels,
                         channels, vectors, block, rounding, zp, lo, hi);
        stream += TML_MVE_GROUP_BYTES(channels, vectors);
        rest = rest + 1 == stride_h ? 0 : rest + 1;
    }
}

#endif
