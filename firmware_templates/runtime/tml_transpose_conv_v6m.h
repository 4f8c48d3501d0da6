/* TRANSPOSE_CONV on cores without SIMD: as many channels of an ordinary convolution of stride 1 as an input pixel has outputs,
 * see tml_transpose_conv_dsp.h. Blocks of three windows of a row, see tml_gemm_v6m.h.
 *
 * Scratch, in this order: words of the block's inputs (12 bytes an input), the words of one row of outputs' weights where
 * flash has bytes (`bytes`), the outputs of a last block that has fewer than three windows, and a band: window_h rows of the
 * input with their padding, as wide as all windows reach. `depth` is what a window holds, filled up to a multiple of `parts`. */
#ifndef TML_TRANSPOSE_CONV_V6M_H
#define TML_TRANSPOSE_CONV_V6M_H

#include "tml_grouped_conv2d_v6m.h"

TML_INLINE void tml_transpose_conv_v6m(const int8_t *x, int8_t *y, const void *weights, const int32_t *lines, void *scratch,
                                       int height, int width, int in_c, int window_h, int window_w, int pad_top, int pad_left,
                                       int stride_h, int out_h, int pixels, int channels, int depth, int parts, int bytes,
                                       int in_zero_point, int form, int reach_bits, int single_rounding, int zero_point,
                                       int out_min, int out_max) {
    const int words = TML_WEIGHT_WORDS(channels, depth), columns = pixels + window_w - 1, row_bytes = columns * in_c;
    const int inside = columns - pad_left < width ? columns - pad_left : width;
    int32_t *const block = (int32_t *)scratch;
    uint32_t *const expanded = (uint32_t *)(block + 3 * depth);
    int8_t *const last = (int8_t *)(expanded + (bytes ? words : 0));
    int8_t *const band = last + 3 * channels;
    const int8_t *stream = (const int8_t *)weights;
    const int32_t *line = lines;
    int first = -pad_top, rest = 0;
    for (int i = 3 * window_h * window_w * in_c; i < 3 * depth; ++i) block[i] = 0;
    TML_LOOP
    for (int oy = 0; oy < out_h; ++oy, y += pixels * channels) {
        if (rest == 0) {
            int8_t *to = band;
            TML_LOOP
            for (int i = 0, row = first; i < window_h; ++i, ++row, to += row_bytes) {
                const int is_inside = (unsigned)row < (unsigned)height;
                if (!is_inside || inside < columns) memset(to, in_zero_point, (size_t)row_bytes);
                if (is_inside) memcpy(to + pad_left * in_c, x + row * width * in_c, (size_t)(inside * in_c));
            }
            stream = (const int8_t *)weights;
            line = lines;
            ++first;
        }
        tml_row_v6m(band, tml_weights_v6m(stream, expanded, channels, depth, bytes), line, y, block, last, pixels, window_h, row_bytes,
                    1, window_w * in_c, 0, in_c, channels, channels, depth, parts, form, reach_bits, single_rounding, zero_point,
                    out_min, out_max);
        stream += bytes ? channels * depth : 4 * words;
        line += channels * TML_LINE_WORDS(form, reach_bits);
        rest = rest + 1 == stride_h ? 0 : rest + 1;
    }
}

#endif
