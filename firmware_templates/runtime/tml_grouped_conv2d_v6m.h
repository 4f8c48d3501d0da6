/* CONV_2D of several groups on cores without SIMD: each group is a convolution of its own, whose `group_c` inputs and
 * `channels` outputs are a slice of every pixel. Blocks of three pixels of a row, see tml_gemm_v6m.h.
 *
 * Scratch, in this order: words of the block's inputs (12 bytes an input), the words of one group's weights where flash has
 * bytes (`bytes`), the outputs of a last block that has fewer than three pixels, and a band: kernel_h rows of one group's
 * inputs with their padding, as wide as all windows reach. `depth` is what a window holds, filled up to a multiple of
 * `parts`. The output's pixels begin out_pitch bytes apart. */
#ifndef TML_GROUPED_CONV2D_V6M_H
#define TML_GROUPED_CONV2D_V6M_H

#include "tml_conv2d_v6m.h"

/* `pixels` outputs, `pitch` bytes apart, of windows `step` bytes apart from x on: `rows` times `runs` pieces of `run`
 * bytes, `run_pitch` bytes apart in a row. */
TML_INLINE void tml_row_v6m(const int8_t *x, const uint32_t *w, const int32_t *lines, int8_t *y, int32_t *block, int8_t *last,
                            int pixels, int rows, int row_pitch, int runs, int run, int run_pitch, int step, int channels,
                            int pitch, int depth, int parts, int form, int reach_bits, int single_rounding, int zero_point,
                            int out_min, int out_max) {
    TML_LOOP
    for (int n = 0; n < pixels; n += 3, x += 3 * step, y += 3 * pitch) {
        const int left = pixels % 3 != 0 && pixels - n < 3 ? pixels - n : 3;
        const int o1 = left > 1 ? step : 0, o2 = left > 2 ? 2 * step : 0;
        const int8_t *from = x;
        int32_t *to = block;
        TML_LOOP
        for (int i = 0; i < rows; ++i, from += row_pitch) {
            TML_LOOP
            for (int j = 0; j < runs; ++j) to = tml_spread3_v6m(from + j * run_pitch, o1, o2, run, to);
        }
        tml_gemm3_v6m(block, w, lines, left < 3 ? last : y, channels, depth, parts, left < 3 ? channels : pitch, form, reach_bits,
                      single_rounding, zero_point, out_min, out_max);
        if (left < 3) tml_store_last_v6m(y, last, left, channels, pitch);
    }
}

/* 1x1, stride 1; without a band. */
TML_INLINE void tml_grouped_pointwise_v6m(const int8_t *x, int8_t *y, const void *weights, const int32_t *lines, void *scratch,
                                          int pixels, int group_c, int channels, int groups, int depth, int parts, int bytes,
                                          int out_pitch, int form, int reach_bits, int single_rounding, int zero_point, int out_min,
                                          int out_max) {
    const int words = TML_WEIGHT_WORDS(channels, depth);
    int32_t *const block = (int32_t *)scratch;
    uint32_t *const expanded = (uint32_t *)(block + 3 * depth);
    int8_t *const last = (int8_t *)(expanded + (bytes ? words : 0));
    const int8_t *stream = (const int8_t *)weights;
    for (int i = 3 * group_c; i < 3 * depth; ++i) block[i] = 0;
    TML_LOOP
    for (int g = 0; g < groups; ++g, x += group_c, y += channels) {
        const uint32_t *const w = tml_weights_v6m(stream, expanded, channels, depth, bytes);
        tml_row_v6m(x, w, lines, y, block, last, pixels, 1, 0, 1, group_c, 0, groups * group_c, channels, out_pitch, depth,
                    parts, form, reach_bits, single_rounding, zero_point, out_min, out_max);
        stream += bytes ? channels * depth : 4 * words;
        lines += channels * TML_LINE_WORDS(form, reach_bits);
    }
}

/* Any kernel, stride, dilation and padding. */
TML_INLINE void tml_grouped_conv2d_v6m(const int8_t *x, int8_t *y, const void *weights, const int32_t *lines, void *scratch,
                                       int height, int width, int group_c, int groups, int kernel_h, int kernel_w, int stride_h,
                                       int stride_w, int dilation_h, int dilation_w, int pad_top, int pad_left, int out_h,
                                       int out_w, int channels, int depth, int parts, int bytes, int out_pitch, int in_zero_point, int form,
                                       int reach_bits, int single_rounding, int zero_point, int out_min, int out_max) {
    const int words = TML_WEIGHT_WORDS(channels, depth), in_c = groups * group_c;
    const int columns = (out_w - 1) * stride_w + (kernel_w - 1) * dilation_w + 1, row_bytes = columns * group_c;
    const int inside = columns - pad_left < width ? columns - pad_left : width;
    int32_t *const block = (int32_t *)scratch;
    uint32_t *const expanded = (uint32_t *)(block + 3 * depth);
    int8_t *const last = (int8_t *)(expanded + (bytes ? words : 0));
    int8_t *const band = last + 3 * channels;
    const int8_t *stream = (const int8_t *)weights;
    for (int i = 3 * kernel_h * kernel_w * group_c; i < 3 * depth; ++i) block[i] = 0;
    TML_LOOP
    for (int g = 0; g < groups; ++g, x += group_c) {
        const uint32_t *const w = tml_weights_v6m(stream, expanded, channels, depth, bytes);
        int8_t *out = y + g * channels;
        int first = -pad_top;
        TML_LOOP
        for (int oy = 0; oy < out_h; ++oy, first += stride_h, out += out_w * out_pitch) {
            int8_t *to = band;
            int row = first;
            TML_LOOP
            for (int i = 0; i < kernel_h; ++i, row += dilation_h, to += row_bytes) {
                const int is_inside = (unsigned)row < (unsigned)height;
                const int8_t *from = x + row * width * in_c;
                int8_t *pixel = to + pad_left * group_c;
                if (!is_inside || inside < columns) memset(to, in_zero_point, (size_t)row_bytes);
                if (!is_inside) continue;
                TML_LOOP
                for (int n = 0; n < inside; ++n, from += in_c, pixel += group_c) {
                    TML_LOOP
                    for (int j = 0; j < group_c; ++j) {
                        pixel[j] = from[j];
                        __asm__ volatile("" : : : "memory"); /* or GCC calls memcpy for every pixel */
                    }
                }
            }
            tml_row_v6m(band, w, lines, out, block, last, out_w, kernel_h, row_bytes, dilation_w == 1 ? 1 : kernel_w,
                        dilation_w == 1 ? kernel_w * group_c : group_c, dilation_w * group_c, stride_w * group_c, channels,
                        out_pitch, depth, parts, form, reach_bits, single_rounding, zero_point, out_min, out_max);
        }
        stream += bytes ? channels * depth : 4 * words;
        lines += channels * TML_LINE_WORDS(form, reach_bits);
    }
}

#endif
