/* AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over rows and columns on cores with MVE: lanes are channels.
 *
 * Sources: TFLite kernels/internal/reference/integer_ops/pooling.h, kernels/internal/reference/reduce.h. */
#ifndef TML_POOL2D_MVE_H
#define TML_POOL2D_MVE_H

#include "tml_common_mve.h"

/* The sums of eight channels over a window of at most 255 pixels, which int16 holds. */
TML_INLINE int16x8_t tml_window_sum_mve(const int8_t *x, int window_h, int window_w, int row_bytes, int pixel_bytes,
                                        int lanes) {
    int16x8_t sum = vdupq_n_s16(0);
    TML_MVE_NO_UNROLL
    for (int i = 0; i < window_h; i++) {
        const int8_t *from = x + i * row_bytes;
        TML_MVE_UNROLL(4)
        for (int j = 0; j < window_w; j++) {
            sum = vaddq_s16(sum, lanes == 8 ? vldrbq_s16(from) : tml_load_wide_lanes_mve(from, lanes));
            from += pixel_bytes;
        }
    }
    return sum;
}

/* sum / count to nearest, halves away from zero: reciprocal is 2^32 / count rounded up, exact for these sums. */
TML_INLINE int32x4_t tml_average_mve(int32x4_t sum, int count, int32_t reciprocal) {
    const int32x4_t sign = vshrq_n_s32(sum, 31);
    const int32x4_t magnitude = vaddq_n_s32(vabsq_s32(sum), count / 2);
    const int32x4_t quotient = vmulhq_s32(magnitude, vdupq_n_s32(reciprocal));
    return vsubq_s32(veorq_s32(quotient, sign), sign);
}

TML_INLINE int16x8_t tml_clamp_mve(int16x8_t value, int lo, int hi) {
    return vminq_s16(vmaxq_s16(value, vdupq_n_s16((int16_t)lo)), vdupq_n_s16((int16_t)hi));
}

TML_INLINE void tml_store_channels_mve(int8_t *y, int16x8_t value, int lanes) {
    if (lanes == 8) {
        vstrbq_s16(y, value);
    } else {
        tml_store_wide_lanes_mve(y, value, lanes);
    }
}

/* The averages of `lanes` channels, at most eight. */
TML_INLINE void tml_average_channels_mve(const int8_t *x, int8_t *y, int lanes, int row_bytes, int pixel_bytes,
                                         int filter_h, int filter_w, int32_t reciprocal, int lo, int hi) {
    const int16x8_t sum = tml_window_sum_mve(x, filter_h, filter_w, row_bytes, pixel_bytes, lanes);
    const int32x4_t even = tml_average_mve(vmovlbq_s16(sum), filter_h * filter_w, reciprocal);
    const int32x4_t odd = tml_average_mve(vmovltq_s16(sum), filter_h * filter_w, reciprocal);
    const int16x8_t both = vmovntq_s32(vreinterpretq_s16_s32(even), odd);
    tml_store_channels_mve(y, tml_clamp_mve(both, lo, hi), lanes);
}

/* Windows that lie inside the input, 3 to 255 pixels. The output's pixels begin out_pitch bytes apart. */
TML_INLINE void tml_average_pool2d_mve(const int8_t *x, int8_t *y, int width, int channels, int out_h, int out_w,
                                       int filter_h, int filter_w, int stride_h, int stride_w, int out_pitch,
                                       int32_t reciprocal, int lo, int hi) {
    const int whole = channels / 8 * 8;
    TML_MVE_NO_UNROLL
    for (int oy = 0; oy < out_h; oy++) {
        TML_MVE_NO_UNROLL
        for (int ox = 0; ox < out_w; ox++) {
            const int8_t *const from = x + (oy * stride_h * width + ox * stride_w) * channels;
            TML_MVE_NO_UNROLL
            for (int c = 0; c < whole; c += 8) {
                tml_average_channels_mve(from + c, y + c, 8, width * channels, channels, filter_h, filter_w, reciprocal,
                                         lo, hi);
            }
            if (whole < channels) {
                tml_average_channels_mve(from + whole, y + whole, channels % 8, width * channels, channels, filter_h,
                                         filter_w, reciprocal, lo, hi);
            }
            y += out_pitch;
        }
    }
}

/* The means of `lanes` channels, at most eight, with TFLite's two roundings. */
TML_INLINE void tml_mean_channels_mve(const int8_t *x, int8_t *y, int lanes, int pixels, int channels, int32_t offset,
                                      int32_t multiplier, int shift, int zp) {
    const int16x8_t sum = tml_window_sum_mve(x, 1, pixels, 0, channels, lanes);
    int32x4_t even = vqrdmulhq_n_s32(vaddq_n_s32(vmovlbq_s16(sum), offset), multiplier);
    int32x4_t odd = vqrdmulhq_n_s32(vaddq_n_s32(vmovltq_s16(sum), offset), multiplier);
    int16x8_t both = vdupq_n_s16(0);
    if (shift != 0) {
        even = vrshlq_n_s32(vaddq_s32(even, vshrq_n_s32(even, 31)), shift);
        odd = vrshlq_n_s32(vaddq_s32(odd, vshrq_n_s32(odd, 31)), shift);
    }
    both = vqmovntq_s32(vqmovnbq_s32(both, even), odd);
    tml_store_channels_mve(y, tml_clamp_mve(vqaddq_n_s16(both, (int16_t)zp), -128, 127), lanes);
}

/* The mean of at most 255 pixels. `offset` is -zero_point * pixels. */
TML_INLINE void tml_mean_mve(const int8_t *x, int8_t *y, int images, int pixels, int channels, int32_t offset,
                             int32_t multiplier, int shift, int zp) {
    const int whole = channels / 8 * 8;
    TML_MVE_NO_UNROLL
    for (int n = 0; n < images; n++, x += pixels * channels, y += channels) {
        TML_MVE_NO_UNROLL
        for (int c = 0; c < whole; c += 8) {
            tml_mean_channels_mve(x + c, y + c, 8, pixels, channels, offset, multiplier, shift, zp);
        }
        if (whole < channels) {
            tml_mean_channels_mve(x + whole, y + whole, channels % 8, pixels, channels, offset, multiplier, shift, zp);
        }
    }
}

/* The maxima of `lanes` channels, at most sixteen, over a window of `rows` by `columns` pixels. */
TML_INLINE void tml_max_channels_mve(const int8_t *x, int8_t *y, int lanes, int rows, int columns, int row_bytes,
                                     int pixel_bytes, int lo, int hi) {
    int8x16_t largest = vdupq_n_s8((int8_t)lo);
    TML_MVE_NO_UNROLL
    for (int i = 0; i < rows; i++) {
        const int8_t *from = x + i * row_bytes;
        TML_MVE_NO_UNROLL
        for (int j = 0; j < columns; j++) {
            largest = vmaxq_s8(largest, lanes == 16 ? vldrbq_s8(from) : tml_load_lanes_mve(from, lanes));
            from += pixel_bytes;
        }
    }
    largest = vminq_s8(largest, vdupq_n_s8((int8_t)hi));
    if (lanes == 16) {
        vstrbq_s8(y, largest);
    } else {
        tml_store_lanes_mve(y, largest, lanes);
    }
}

/* Any window; what lies outside of the input is left out. The output's pixels begin out_pitch bytes apart. */
TML_INLINE void tml_max_pool2d_mve(const int8_t *x, int8_t *y, int height, int width, int channels, int out_h, int out_w,
                                   int filter_h, int filter_w, int stride_h, int stride_w, int pad_top, int pad_left,
                                   int out_pitch, int lo, int hi) {
    const int whole = channels / 16 * 16;
    TML_MVE_NO_UNROLL
    for (int oy = 0; oy < out_h; oy++) {
        const int top = oy * stride_h - pad_top;
        const int y0 = top < 0 ? 0 : top;
        const int rows = (top + filter_h > height ? height : top + filter_h) - y0;
        TML_MVE_NO_UNROLL
        for (int ox = 0; ox < out_w; ox++) {
            const int left = ox * stride_w - pad_left;
            const int x0 = left < 0 ? 0 : left;
            const int columns = (left + filter_w > width ? width : left + filter_w) - x0;
            const int8_t *const from = x + (y0 * width + x0) * channels;
            TML_MVE_NO_UNROLL
            for (int c = 0; c < whole; c += 16) {
                tml_max_channels_mve(from + c, y + c, 16, rows, columns, width * channels, channels, lo, hi);
            }
            if (whole < channels) {
                tml_max_channels_mve(from + whole, y + whole, channels % 16, rows, columns, width * channels, channels,
                                     lo, hi);
            }
            y += out_pitch;
        }
    }
}

#endif
