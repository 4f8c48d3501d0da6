/* AVERAGE_POOL_2D without padding and MEAN over height and width on cores with the DSP extension: four channels at a
 * time, summed as two pairs of int16. Windows are at most 255 columns wide, channels a multiple of four. */
#ifndef TML_POOL2D_DSP_H
#define TML_POOL2D_DSP_H

#include "tml_common_dsp.h"
#include "tml_pool2d.h"

/* Adds `rows` x `columns` pixels of four channels to sum; rows are `pitch` bytes apart. */
TML_INLINE void tml_sum4_dsp(const int8_t *x, int32_t sum[4], int rows, int columns, int pitch, int channels) {
    const int group = 255 / columns; /* that many rows stay within int16 */
    sum[0] = sum[1] = sum[2] = sum[3] = 0;
    TML_NO_UNROLL
    for (int done = 0; done < rows; done += group) {
        const int8_t *const end = x + (rows - done < group ? rows - done : group) * pitch;
        int16x2_t even = 0, odd = 0;
        TML_NO_UNROLL
        do {
            const int8_t *p = x, *const last = x + columns * channels;
            TML_UNROLL(4)
            do {
                const int32_t word = (int32_t)*(const tml_word *)(const void *)p;
                even = __sadd16(even, (int16x2_t)__sxtb16(word));
                odd = __sadd16(odd, (int16x2_t)tml_sxtb16_high(word));
                p += channels;
            } while (p != last);
            x += pitch;
        } while (x != end);
        sum[0] += (int16_t)even;
        sum[1] += (int16_t)odd;
        sum[2] += even >> 16;
        sum[3] += odd >> 16;
    }
}

/* The output's pixels begin out_pitch bytes apart. */
TML_INLINE void tml_average_pool2d_dsp(const int8_t *x, int8_t *y, int in_w, int channels, int out_h, int out_w,
                                       int filter_h, int filter_w, int stride_h, int stride_w, int out_pitch, int32_t lo,
                                       int32_t hi) {
    TML_NO_UNROLL
    for (int oy = 0; oy < out_h; ++oy) {
        TML_NO_UNROLL
        for (int ox = 0; ox < out_w; ++ox) {
            const int8_t *const window = x + (oy * stride_h * in_w + ox * stride_w) * channels;
            TML_NO_UNROLL
            for (int c = 0; c < channels; c += 4) {
                int32_t sum[4];
                tml_sum4_dsp(window + c, sum, filter_h, filter_w, in_w * channels, channels);
                TML_UNROLL(4)
                for (int i = 0; i < 4; ++i)
                    y[c + i] = (int8_t)tml_clamp_int(tml_rounded_quotient(sum[i], filter_h * filter_w), lo, hi);
            }
            y += out_pitch;
        }
    }
}

/* `offset` is the zero point times the number of pixels; the multiplier has the division in it. */
TML_INLINE void tml_mean_dsp(const int8_t *x, int8_t *y, int height, int width, int channels, int32_t offset,
                             int32_t multiplier, int shift, int32_t zero_point) {
    TML_NO_UNROLL
    for (int c = 0; c < channels; c += 4) {
        int32_t sum[4];
        tml_sum4_dsp(x + c, sum, height, width, width * channels, channels);
        TML_UNROLL(4)
        for (int i = 0; i < 4; ++i)
            *y++ = tml_requantize(sum[i] - offset, multiplier, shift, shift, zero_point, -128, 127);
    }
}

#endif
