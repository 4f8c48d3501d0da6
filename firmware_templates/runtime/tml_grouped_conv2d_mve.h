/* CONV_2D of several groups on cores with MVE: each group is a convolution of its own, whose `depth` inputs and
 * `channels` outputs are a slice of every pixel. The compiler may have joined groups, with weights of 0 between them,
 * where that fills vectors better (tinyml/lower/mve/grouped.py). Streams are those of tml_conv2d_mve.h, group by group. */
#ifndef TML_GROUPED_CONV2D_MVE_H
#define TML_GROUPED_CONV2D_MVE_H

#include "tml_conv2d_mve.h"

/* Bytes of one group's streams. */
#define TML_MVE_GROUP_BYTES(channels, vectors) (((channels) + 3) / 4 * (48 + 64 * (vectors)))

/* 1x1, stride 1, at least two pixels. The last `staged` pixels run from scratch, which holds them and 15 bytes more, where a
 * group's vectors would read behind the input. The output's pixels begin out_pitch bytes apart. */
TML_INLINE void tml_grouped_pointwise_mve(const int8_t *x, int8_t *y, const int8_t *stream, const uint16_t *places,
                                          void *scratch, int pixels, int depth, int channels, int groups, int vectors,
                                          int staged, int out_pitch, int rounding, int zp, int lo, int hi) {
    const int stride = groups * depth;
    int8_t *const stage = (int8_t *)scratch;
    if (staged > 0) {
        tml_copy_mve(stage, x + (pixels - staged) * stride, staged * stride);
    }
    TML_MVE_NO_UNROLL
    for (int g = 0; g < groups; g++) {
        tml_gemm_staged_mve(x + g * depth, stage + g * depth, stride, pixels, staged, stream, places, y, channels, out_pitch,
                            vectors, rounding, zp, lo, hi);
        y += channels;
        stream += TML_MVE_GROUP_BYTES(channels, vectors);
    }
}

/* `rows` rows of the input, from `row` on and `dilation` apart, `columns` pixels wide, to `to`: of each pixel `depth` of
 * its `in_c` bytes from x on. What lies outside of the input has its zero point. */
TML_INLINE void tml_load_slice_mve(int8_t *to, const int8_t *x, int row, int rows, int dilation, int height, int width,
                                   int in_c, int depth, int pad_left, int columns, int zero_point) {
    const int inside = columns - pad_left < width ? columns - pad_left : width;
    TML_MVE_NO_UNROLL
    for (int i = 0; i < rows; i++, row += dilation, to += columns * depth) {
        const int is_inside = row >= 0 && row < height;
        const int8_t *from = x + row * width * in_c;
        int8_t *out = to + pad_left * depth;
        if (!is_inside || inside < columns) {
            tml_fill_mve(to, zero_point, columns * depth);
        }
        if (is_inside && depth == in_c) {
            tml_copy_mve(out, from, inside * depth);
        } else if (is_inside) {
            TML_MVE_NO_UNROLL
            for (int n = 0; n < inside; n++, from += in_c, out += depth) {
                tml_copy_mve(out, from, depth);
                TML_MVE_HIDE(from);
            }
        }
    }
}

/* `pixels` outputs, `pitch` bytes apart, of windows in a band of rows of `columns` pixels. `block` of them at a time, an
 * even number, are gathered to `patches`; the last block overlaps the one before it. */
TML_INLINE void tml_band_row_mve(const int8_t *band, int8_t *y, const int8_t *stream, const uint16_t *places,
                                 int8_t *patches, int pixels, int columns, int depth, int kernel_h, int kernel_w,
                                 int stride_w, int dilation_w, int channels, int pitch, int vectors, int block,
                                 int rounding, int zp, int lo, int hi) {
    TML_MVE_NO_UNROLL
    for (int n = 0; n < pixels; n += block) {
        int8_t *to = patches;
        if (n + block > pixels) {
            n = pixels - block;
        }
        const int8_t *from = band + n * stride_w * depth;
        TML_MVE_NO_UNROLL
        for (int p = 0; p < block; p++, to += 16 * vectors, from += stride_w * depth) {
            if (dilation_w == 1) {
                tml_inner_patch_mve(to, from, columns * depth, kernel_h, kernel_w * depth);
            } else {
                TML_MVE_UNROLL(5)
                for (int i = 0; i < kernel_h; i++) {
                    tml_inner_patch_mve(to + i * kernel_w * depth, from + i * columns * depth, dilation_w * depth,
                                        kernel_w, depth);
                }
            }
            TML_MVE_HIDE(from);
        }
        tml_gemm_mve(patches, 16 * vectors, block / 2, stream, places, y + n * pitch, channels, pitch, vectors,
                     rounding, zp, lo, hi);
    }
}

/* Any kernel, stride, dilation and padding; rows of at least two pixels. `block` pixels of a row at a time, an even
 * number, are gathered to scratch: block * 16 * vectors + 16 bytes, and behind them a band: kernel_h rows of one group's
 * inputs, as wide as all windows reach, and 16 bytes. The last block of a row overlaps the one before it. The output's
 * pixels begin out_pitch bytes apart. */
TML_INLINE void tml_grouped_conv2d_mve(const int8_t *x, int8_t *y, const int8_t *stream, const uint16_t *places,
                                       void *scratch, int height, int width, int depth, int groups, int kernel_h,
                                       int kernel_w, int stride_h, int stride_w, int dilation_h, int dilation_w,
                                       int pad_top, int pad_left, int out_h, int out_w, int channels, int vectors,
                                       int block, int out_pitch, int zero_point, int rounding, int zp, int lo, int hi) {
    const int columns = (out_w - 1) * stride_w + (kernel_w - 1) * dilation_w + 1;
    int8_t *const patches = (int8_t *)scratch;
    int8_t *const band = patches + block * 16 * vectors + 16;
    TML_MVE_NO_UNROLL
    for (int g = 0; g < groups; g++) {
        int8_t *out = y + g * channels;
        int row = -pad_top;
        TML_MVE_NO_UNROLL
        for (int oy = 0; oy < out_h; oy++, row += stride_h, out += out_w * out_pitch) {
            tml_load_slice_mve(band, x + g * depth, row, kernel_h, dilation_h, height, width, groups * depth, depth,
                               pad_left, columns, zero_point);
            tml_band_row_mve(band, out, stream, places, patches, out_w, columns, depth, kernel_h, kernel_w, stride_w,
                             dilation_w, channels, out_pitch, vectors, block, rounding, zp, lo, hi);
        }
        stream += TML_MVE_GROUP_BYTES(channels, vectors);
    }
}

#endif
