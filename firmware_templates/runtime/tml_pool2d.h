/* AVERAGE_POOL_2D and MAX_POOL_2D, portable; what lies outside of the input is left out. The output's pixels
 * begin out_pitch bytes apart.
 *
 * Source: TFLite kernels/internal/reference/integer_ops/pooling.h.
 */
#ifndef TML_POOL2D_H
#define TML_POOL2D_H

#include "tml_common.h"

/* The part of a window inside the input: rows y0 to y1 and columns x0 to x1, ends excluded. */
typedef struct {
    int y0, y1, x0, x1;
} tml_window;

TML_INLINE tml_window tml_clip_window(int origin_y, int origin_x, int filter_h, int filter_w, int in_h, int in_w) {
    tml_window window;
    window.y0 = origin_y < 0 ? 0 : origin_y;
    window.x0 = origin_x < 0 ? 0 : origin_x;
    window.y1 = origin_y + filter_h > in_h ? in_h : origin_y + filter_h;
    window.x1 = origin_x + filter_w > in_w ? in_w : origin_x + filter_w;
    return window;
}

/* sum / count to nearest, halves away from zero. */
TML_INLINE int32_t tml_rounded_quotient(int32_t sum, int32_t count) {
    return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
}

TML_INLINE void tml_average_pool2d(const int8_t *input, int8_t *output, int in_h, int in_w, int channels, int out_h,
                                   int out_w, int filter_h, int filter_w, int stride_h, int stride_w, int pad_top,
                                   int pad_left, int out_pitch, int out_min, int out_max) {
    for (int oy = 0; oy < out_h; oy++) {
        for (int ox = 0; ox < out_w; ox++) {
            const tml_window window = tml_clip_window(oy * stride_h - pad_top, ox * stride_w - pad_left, filter_h,
                                                      filter_w, in_h, in_w);
            const int32_t count = (window.y1 - window.y0) * (window.x1 - window.x0);
            for (int c = 0; c < channels; c++) {
                int32_t sum = 0;
                for (int y = window.y0; y < window.y1; y++) {
                    const int8_t *x = input + (y * in_w + window.x0) * channels + c;
                    for (int n = window.x0; n < window.x1; n++) {
                        sum += *x;
                        x += channels;
                    }
                }
                /* A whole window has a constant count, by which the compiler divides with a multiplication. */
                sum = count == filter_h * filter_w ? tml_rounded_quotient(sum, filter_h * filter_w)
                                                   : tml_rounded_quotient(sum, count);
                output[c] = (int8_t)tml_clamp_int(sum, out_min, out_max);
            }
            output += out_pitch;
        }
    }
}

TML_INLINE void tml_max_pool2d(const int8_t *input, int8_t *output, int in_h, int in_w, int channels, int out_h,
                               int out_w, int filter_h, int filter_w, int stride_h, int stride_w, int pad_top,
                               int pad_left, int out_pitch, int out_min, int out_max) {
    for (int oy = 0; oy < out_h; oy++) {
        for (int ox = 0; ox < out_w; ox++) {
            const tml_window window = tml_clip_window(oy * stride_h - pad_top, ox * stride_w - pad_left, filter_h,
                                                      filter_w, in_h, in_w);
            for (int c = 0; c < channels; c++) {
                int32_t largest = INT8_MIN;
                for (int y = window.y0; y < window.y1; y++) {
                    const int8_t *x = input + (y * in_w + window.x0) * channels + c;
                    for (int n = window.x0; n < window.x1; n++) {
                        largest = *x > largest ? *x : largest;
                        x += channels;
                    }
                }
                output[c] = (int8_t)tml_clamp_int(largest, out_min, out_max);
            }
            output += out_pitch;
        }
    }
}

#endif
