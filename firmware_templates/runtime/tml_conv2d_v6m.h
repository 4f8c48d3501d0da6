/* CONV_2D on cores without SIMD: blocks of three pixels, see tml_gemm_v6m.h.
 *
 * Scratch, in this order: words of the block's inputs (12 bytes an input), the weights' words where flash has bytes
 * (`bytes`: they are expanded once a call), the outputs of a last block that has fewer than three pixels, and a pixel
 * of zero points for windows that leave the input. */
#ifndef TML_CONV2D_V6M_H
#define TML_CONV2D_V6M_H

#include "tml_gemm_v6m.h"

/* Words of the weights of all channels. */
#define TML_WEIGHT_WORDS(channels, depth) ((channels) / 3 * 2 * (depth) + (channels) % 3 * (depth))

/* The weights as words: those in flash, or expanded to scratch. */
TML_INLINE const uint32_t *tml_weights_v6m(const void *weights, uint32_t *scratch, int channels, int depth, int bytes) {
    if (!bytes) return (const uint32_t *)weights;
    tml_expand_v6m(scratch, (const int8_t *)weights, depth, channels);
    return scratch;
}

/* 1x1, stride 1. A block's inputs are all read before its outputs are written, so y may be x where channels <= in_c.
 * `depth` is in_c filled up to a multiple of `parts`. */
TML_INLINE void tml_pointwise_v6m(const int8_t *x, int8_t *y, const void *weights, const int32_t *lines, void *scratch, int pixels,
                                  int in_c, int channels, int depth, int parts, int bytes, int form, int single_rounding, int zero_point,
                                  int out_min, int out_max) {
    int32_t *const block = (int32_t *)scratch;
    uint32_t *const expanded = (uint32_t *)(block + 3 * depth);
    int8_t *const last = (int8_t *)(expanded + (bytes ? TML_WEIGHT_WORDS(channels, depth) : 0));
    const uint32_t *const w = tml_weights_v6m(weights, expanded, channels, depth, bytes);
    for (int i = 3 * in_c; i < 3 * depth; ++i) block[i] = 0;
    TML_LOOP
    for (int n = 0; n < pixels; n += 3) {
        const int left = pixels - n;
        int8_t *const to = left < 3 ? last : y;
        tml_spread3_v6m(x, left > 1 ? in_c : 0, left > 2 ? 2 * in_c : 0, in_c, block);
        tml_gemm3_v6m(block, w, lines, to, channels, depth, parts, channels, form, single_rounding, zero_point, out_min, out_max);
        if (left < 3) memcpy(y, last, (size_t)(left * channels));
        x += 3 * in_c;
        y += 3 * channels;
    }
}

/* Any kernel, stride, dilation and padding. Three pixels of a row inside the input are read row by row of the kernel,
 * others tap by tap. */
TML_INLINE void tml_conv2d_v6m(const int8_t *x, int8_t *y, const void *weights, const int32_t *lines, void *scratch, int height,
                               int width, int in_c, int kernel_h, int kernel_w, int stride_h, int stride_w, int dilation_h,
                               int dilation_w, int pad_top, int pad_left, int out_h, int out_w, int channels, int depth, int parts,
                               int bytes, int in_zero_point, int form, int single_rounding, int zero_point, int out_min,
                               int out_max) {
    int32_t *const block = (int32_t *)scratch;
    uint32_t *const expanded = (uint32_t *)(block + 3 * depth);
    int8_t *const last = (int8_t *)(expanded + (bytes ? TML_WEIGHT_WORDS(channels, depth) : 0));
    int8_t *const outside = last + 3 * channels;
    const uint32_t *const w = tml_weights_v6m(weights, expanded, channels, depth, bytes);
    const int pixels = out_h * out_w, taps = kernel_h * kernel_w * in_c;
    int oy = 0, ox = 0;
    memset(outside, in_zero_point, (size_t)in_c);
    for (int i = 3 * taps; i < 3 * depth; ++i) block[i] = 0;
    TML_LOOP
    for (int n = 0; n < pixels; n += 3) {
        int32_t *to = block;
        const int row = oy * stride_h - pad_top, column = ox * stride_w - pad_left;
        if (dilation_w == 1 && ox + 3 <= out_w && row >= 0 && row + (kernel_h - 1) * dilation_h < height && column >= 0 &&
            column + 2 * stride_w + kernel_w <= width) {
            const int8_t *from = x + (row * width + column) * in_c;
            TML_LOOP
            for (int i = 0; i < kernel_h; ++i, from += dilation_h * width * in_c)
                to = tml_spread3_v6m(from, stride_w * in_c, 2 * stride_w * in_c, kernel_w * in_c, to);
            ox += 3;
        } else {
            int rows[3], columns[3];
            for (int p = 0; p < 3; ++p) {
                if (ox == out_w) {
                    ox = 0;
                    ++oy;
                }
                rows[p] = oy * stride_h - pad_top;
                columns[p] = ox * stride_w - pad_left;
                ++ox;
            }
            TML_LOOP
            for (int i = 0; i < kernel_h; ++i) {
                TML_LOOP
                for (int j = 0; j < kernel_w; ++j) {
                    const int8_t *from[3];
                    for (int p = 0; p < 3; ++p) {
                        const int r = rows[p] + i * dilation_h, c = columns[p] + j * dilation_w;
                        from[p] = (unsigned)r < (unsigned)height && (unsigned)c < (unsigned)width ? x + (r * width + c) * in_c : outside;
                    }
                    to = tml_spread3_v6m(from[0], (int)(from[1] - from[0]), (int)(from[2] - from[0]), in_c, to);
                }
            }
        }
        if (ox == out_w) {
            ox = 0;
            ++oy;
        }
        tml_gemm3_v6m(block, w, lines, pixels - n < 3 ? last : y, channels, depth, parts, channels, form, single_rounding, zero_point,
                      out_min, out_max);
        if (pixels - n < 3) memcpy(y, last, (size_t)((pixels - n) * channels));
        y += 3 * channels;
    }
}

#endif
