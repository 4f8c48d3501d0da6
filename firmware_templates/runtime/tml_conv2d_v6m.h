/* CONV_2D on cores without SIMD: blocks of three pixels, see tml_gemm_v6m.h.
 *
 * Scratch, in this order: words of the block's inputs (12 bytes an input), the weights' words where flash has bytes
 * (`bytes`: they are expanded once a call), the outputs of a last block that has fewer than three pixels, and the padded
 * input or, without it, a pixel of zero points for windows that leave the input. */
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

/* The outputs of a last block that has fewer than three pixels to y, where pixels begin `pitch` bytes apart. */
TML_INLINE void tml_store_last_v6m(int8_t *y, const int8_t *last, int pixels, int channels, int pitch) {
    if (pitch == channels) {
        memcpy(y, last, (size_t)(pixels * channels));
        return;
    }
    TML_LOOP
    for (int p = 0; p < pixels; ++p) memcpy(y + p * pitch, last + p * channels, (size_t)channels);
}

/* 1x1, stride 1. A block's inputs are all read before its outputs are written, so y may be x where channels <= in_c and
 * the output's pixels, which begin out_pitch bytes apart, lie one behind the other. `depth` is in_c filled up to a multiple
 * of `parts`. */
TML_INLINE void tml_pointwise_v6m(const int8_t *x, int8_t *y, const void *weights, const int32_t *lines, void *scratch, int pixels,
                                  int in_c, int channels, int depth, int parts, int bytes, int out_pitch, int form, int reach_bits,
                                  int single_rounding, int zero_point, int out_min, int out_max) {
    int32_t *const block = (int32_t *)scratch;
    uint32_t *const expanded = (uint32_t *)(block + 3 * depth);
    int8_t *const last = (int8_t *)(expanded + (bytes ? TML_WEIGHT_WORDS(channels, depth) : 0));
    const uint32_t *const w = tml_weights_v6m(weights, expanded, channels, depth, bytes);
    for (int i = 3 * in_c; i < 3 * depth; ++i) block[i] = 0;
    TML_LOOP
    for (int n = 0; n < pixels; n += 3) {
        /* Without a rest `last` is behind the scratch: the compiler has to see that nothing is copied from there. */
        const int left = pixels % 3 != 0 ? pixels - n : 3;
        int8_t *const to = left < 3 ? last : y;
        tml_spread3_v6m(x, left > 1 ? in_c : 0, left > 2 ? 2 * in_c : 0, in_c, block);
        tml_gemm3_v6m(block, w, lines, to, channels, depth, parts, left < 3 ? channels : out_pitch, form, reach_bits,
                      single_rounding, zero_point, out_min, out_max);
        if (left < 3) tml_store_last_v6m(y, last, left, channels, out_pitch);
        x += 3 * in_c;
        y += 3 * out_pitch;
    }
}

/* The input with zero points around it, `padded_w` columns and `padded_h` rows, to `to`. */
TML_INLINE void tml_pad_v6m(const int8_t *x, int8_t *to, int height, int width, int in_c, int pad_top, int pad_left, int padded_h,
                            int padded_w, int zero_point) {
    const int rows = height < padded_h - pad_top ? height : padded_h - pad_top;
    const int columns = width < padded_w - pad_left ? width : padded_w - pad_left;
    const int bytes = columns * in_c;
    memset(to, zero_point, (size_t)(padded_h * padded_w * in_c));
    to += (pad_top * padded_w + pad_left) * in_c;
    TML_LOOP
    for (int i = 0; i < rows; ++i, x += width * in_c, to += padded_w * in_c) {
        if (in_c % 4 == 0 && bytes % 16 == 0) {
            const int8_t *from = x;
            int8_t *out = to;
            int left = bytes;
            __asm__ volatile(".syntax unified\n"
                             "1:\n\t" "ldmia %[from]!, {r4, r5, r6, r7}\n\t" "stmia %[out]!, {r4, r5, r6, r7}\n\t"
                             "subs %[left], #16\n\t" "bne 1b\n\t"
                             : [from] "+l"(from), [out] "+l"(out), [left] "+l"(left) : : "r4", "r5", "r6", "r7", "cc", "memory");
        } else {
            memcpy(to, x, (size_t)bytes);
        }
    }
}

/* Any kernel, stride, dilation and padding. Three windows inside the input are read row by row of the kernel, others tap by
 * tap. Where `padded` is set the input is first copied to scratch with its padding, so that all windows lie inside. The
 * output's pixels begin out_pitch bytes apart. */
TML_INLINE void tml_conv2d_v6m(const int8_t *x, int8_t *y, const void *weights, const int32_t *lines, void *scratch, int height,
                               int width, int in_c, int kernel_h, int kernel_w, int stride_h, int stride_w, int dilation_h,
                               int dilation_w, int pad_top, int pad_left, int out_h, int out_w, int padded, int channels, int depth,
                               int parts, int bytes, int out_pitch, int in_zero_point, int form, int reach_bits, int single_rounding, int zero_point, int out_min,
                               int out_max) {
    int32_t *const block = (int32_t *)scratch;
    uint32_t *const expanded = (uint32_t *)(block + 3 * depth);
    int8_t *const last = (int8_t *)(expanded + (bytes ? TML_WEIGHT_WORDS(channels, depth) : 0));
    int8_t *const outside = last + (3 * channels + 3) / 4 * 4;
    const uint32_t *const w = tml_weights_v6m(weights, expanded, channels, depth, bytes);
    const int pixels = out_h * out_w, taps = kernel_h * kernel_w * in_c;
    const int window_h = (kernel_h - 1) * dilation_h + 1, window_w = (kernel_w - 1) * dilation_w + 1;
    const int rows = padded ? (out_h - 1) * stride_h + window_h : height, columns = padded ? (out_w - 1) * stride_w + window_w : width;
    const int top = padded ? 0 : pad_top, left = padded ? 0 : pad_left;
    int oy = 0, ox = 0;
    if (padded) {
        tml_pad_v6m(x, outside, height, width, in_c, pad_top, pad_left, rows, columns, in_zero_point);
        x = outside;
    } else {
        memset(outside, in_zero_point, (size_t)in_c);
    }
    for (int i = 3 * taps; i < 3 * depth; ++i) block[i] = 0;
    TML_LOOP
    for (int n = 0; n < pixels; n += 3) {
        int32_t *to = block;
        int row[3], column[3], inside = 1;
        for (int p = 0; p < 3; ++p) {
            row[p] = oy * stride_h - top;
            column[p] = ox * stride_w - left;
            if (!padded)
                inside &= row[p] >= 0 && row[p] + window_h <= rows && column[p] >= 0 && column[p] + window_w <= columns;
            /* Beyond the last pixel its window is read again. */
            if (n + p + 1 < pixels && ++ox == out_w) {
                ox = 0;
                ++oy;
            }
        }
        if (inside) {
            const int8_t *from = x + (row[0] * columns + column[0]) * in_c;
            const int o1 = ((row[1] - row[0]) * columns + column[1] - column[0]) * in_c;
            const int o2 = ((row[2] - row[0]) * columns + column[2] - column[0]) * in_c;
            TML_LOOP
            for (int i = 0; i < kernel_h; ++i, from += dilation_h * columns * in_c) {
                if (dilation_w == 1) {
                    to = tml_spread3_v6m(from, o1, o2, kernel_w * in_c, to);
                } else {
                    TML_LOOP
                    for (int j = 0; j < kernel_w; ++j) to = tml_spread3_v6m(from + j * dilation_w * in_c, o1, o2, in_c, to);
                }
            }
        } else {
            TML_LOOP
            for (int i = 0; i < kernel_h; ++i) {
                const int8_t *start[3];
                int width_of[3];
                for (int p = 0; p < 3; ++p) {
                    const int r = row[p] + i * dilation_h;
                    start[p] = x + (r * width + column[p]) * in_c;
                    width_of[p] = (unsigned)r < (unsigned)height ? width : 0;
                }
                TML_LOOP
                for (int j = 0; j < kernel_w; ++j) {
                    const int8_t *from[3];
                    for (int p = 0; p < 3; ++p) {
                        from[p] = (unsigned)(column[p] + j * dilation_w) < (unsigned)width_of[p] ? start[p] : outside;
                        start[p] += dilation_w * in_c;
                    }
                    to = tml_spread3_v6m(from[0], (int)(from[1] - from[0]), (int)(from[2] - from[0]), in_c, to);
                }
            }
        }
        const int rest = pixels % 3 != 0 ? pixels - n : 3;
        tml_gemm3_v6m(block, w, lines, rest < 3 ? last : y, channels, depth, parts, rest < 3 ? channels : out_pitch, form,
                      reach_bits, single_rounding, zero_point, out_min, out_max);
        if (rest < 3) tml_store_last_v6m(y, last, rest, channels, out_pitch);
        y += 3 * out_pitch;
    }
}

#endif
