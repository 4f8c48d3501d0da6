/* AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over rows and columns on cores with MVE: lanes are channels.
 *
 * Sources: TFLite kernels/internal/reference/integer_ops/pooling.h, kernels/internal/reference/reduce.h. */
#ifndef TML_POOL2D_MVE_H
#define TML_POOL2D_MVE_H

#include "tml_common_mve.h"

/* The sums of eight channels over a window of at most 255 pixels, which int16 holds. */
TML_INLINE int16x8_t tml_window_sum_mve(const int8_t *x, int window_h, int window_w, int row_bytes, int pixel_bytes,
                                        mve_pred16_t lanes) {
    int16x8_t sum = vdupq_n_s16(0);
    TML_MVE_NO_UNROLL
    for (int i = 0; i < window_h; i++) {
        const int8_t *from = x + i * row_bytes;
        TML_MVE_UNROLL(4)
        for (int j = 0; j < window_w; j++) {
            sum = vaddq_s16(sum, vldrbq_z_s16(from, lanes));
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

/* Windows that lie inside the input, 3 to 255 pixels. */
TML_INLINE void tml_average_pool2d_mve(const int8_t *x, int8_t *y, int width, int channels, int out_h, int out_w,
                                       int filter_h, int filter_w, int stride_h, int stride_w, int32_t reciprocal,
                                       int lo, int hi) {
    TML_MVE_NO_UNROLL
    for (int oy = 0; oy < out_h; oy++) {
        TML_MVE_NO_UNROLL
        for (int ox = 0; ox < out_w; ox++) {
            const int8_t *const from = x + (oy * stride_h * width + ox * stride_w) * channels;
            TML_MVE_NO_UNROLL
            for (int c = 0; c < channels; c += 8) {
                const mve_pred16_t lanes = vctp16q((uint32_t)(channels - c));
                const int16x8_t sum = tml_window_sum_mve(from + c, filter_h, filter_w, width * channels, channels, lanes);
                const int32x4_t even = tml_average_mve(vmovlbq_s16(sum), filter_h * filter_w, reciprocal);
                const int32x4_t odd = tml_average_mve(vmovltq_s16(sum), filter_h * filter_w, reciprocal);
                const int16x8_t both = vmovntq_s32(vreinterpretq_s16_s32(even), odd);
                vstrbq_p_s16(y + c, tml_clamp_mve(both, lo, hi), lanes);
            }
            y += channels;
        }
    }
}

/* The mean of at most 255 pixels with TFLite's two roundings. `offset` is -zero_point * pixels. */
TML_INLINE void tml_mean_mve(const int8_t *x, int8_t *y, int images, int pixels, int channels, int32_t offset,
                             int32_t multiplier, int shift, int zp) {
    TML_MVE_NO_UNROLL
    for (int n = 0; n < images; n++, x += pixels * channels, y += channels) {
        TML_MVE_NO_UNROLL
        for (int c = 0; c < channels; c += 8) {
            const mve_pred16_t lanes = vctp16q((uint32_t)(channels - c));
            const int16x8_t sum = tml_window_sum_mve(x + c, 1, pixels, 0, channels, lanes);
            int32x4_t even = vqrdmulhq_n_s32(vaddq_n_s32(vmovlbq_s16(sum), offset), multiplier);
            int32x4_t odd = vqrdmulhq_n_s32(vaddq_n_s32(vmovltq_s16(sum), offset), multiplier);
            if (shift != 0) {
                even = vrshlq_n_s32(vaddq_s32(even, vshrq_n_s32(even, 31)), shift);
                odd = vrshlq_n_s32(vaddq_s32(odd, vshrq_n_s32(odd, 31)), shift);
            }
            int16x8_t both = vqmovntq_s32(vqmovnbq_s32(vuninitializedq_s16(), even), odd);
            both = tml_clamp_mve(vqaddq_n_s16(both, (int16_t)zp), -128, 127);
            vstrbq_p_s16(y + c, both, lanes);
        }
    }
}

/* Any window; what lies outside of the input is left out. */
TML_INLINE void tml_max_pool2d_mve(const int8_t *x, int8_t *y, int height, int width, int channels, int out_h, int out_w,
                                   int filter_h, int filter_w, int stride_h, int stride_w, int pad_top, int pad_left,
                                   int lo, int hi) {
    const int8x16_t low = vdupq_n_s8((int8_t)lo);
    const int8x16_t high = vdupq_n_s8((int8_t)hi);
    TML_MVE_NO_UNROLL
    for (int oy = 0; oy < out_h; oy++) {
        const int top = oy * stride_h - pad_top;
        const int y0 = top < 0 ? 0 : top;
        const int y1 = top + filter_h > height ? height : top + filter_h;
        TML_MVE_NO_UNROLL
        for (int ox = 0; ox < out_w; ox++) {
            const int left = ox * stride_w - pad_left;
            const int x0 = left < 0 ? 0 : left;
            const int x1 = left + filter_w > width ? width : left + filter_w;
            TML_MVE_NO_UNROLL
            for (int c = 0; c < channels; c += 16) {
                const mve_pred16_t lanes = vctp8q((uint32_t)(channels - c));
                int8x16_t largest = low;
                TML_MVE_NO_UNROLL
                for (int i = y0; i < y1; i++) {
                    const int8_t *from = x + (i * width + x0) * channels + c;
                    TML_MVE_NO_UNROLL
                    for (int j = x0; j < x1; j++) {
                        largest = vmaxq_s8(largest, vldrbq_z_s8(from, lanes));
                        from += channels;
                    }
                }
                vstrbq_p_s8(y + c, vminq_s8(largest, high), lanes);
            }
            y += channels;
        }
    }
}

#endif
