/* RESIZE_BILINEAR, portable, in tenths of bits: positions and weights are Q10, so that int32 holds every sum.
 *
 * Source: TFLite kernels/internal/reference/resize_bilinear.h.
 */
#ifndef TML_RESIZE_BILINEAR_H
#define TML_RESIZE_BILINEAR_H

#include "tml_common.h"

/* Where output `position` lies in the input, Q10, and the two input rows (columns) around it. */
TML_INLINE int32_t tml_resize_position(int position, int32_t scale, int half_pixel_centers, int size, int *low,
                                       int *high) {
    const int32_t at = position * scale + (half_pixel_centers ? scale / 2 - (1 << 9) : 0);
    *low = at / (1 << 10) > 0 ? at / (1 << 10) : 0;
    *high = (at + (1 << 10) - 1) / (1 << 10) < size - 1 ? (at + (1 << 10) - 1) / (1 << 10) : size - 1;
    return at - *low * (1 << 10);
}

TML_INLINE void tml_resize_bilinear(const int8_t *input, int8_t *output, int in_h, int in_w, int channels, int out_h,
                                    int out_w, int32_t scale_h, int32_t scale_w, int half_pixel_centers) {
    for (int oy = 0; oy < out_h; oy++) {
        int y0;
        int y1;
        const int32_t fy = tml_resize_position(oy, scale_h, half_pixel_centers, in_h, &y0, &y1);
        for (int ox = 0; ox < out_w; ox++) {
            int x0;
            int x1;
            const int32_t fx = tml_resize_position(ox, scale_w, half_pixel_centers, in_w, &x0, &x1);
            const int8_t *a = input + (y0 * in_w + x0) * channels;
            const int8_t *b = input + (y0 * in_w + x1) * channels;
            const int8_t *c = input + (y1 * in_w + x0) * channels;
            const int8_t *d = input + (y1 * in_w + x1) * channels;
            const int32_t wa = ((1 << 10) - fy) * ((1 << 10) - fx);
            const int32_t wb = ((1 << 10) - fy) * fx;
            const int32_t wc = fy * ((1 << 10) - fx);
            const int32_t wd = fy * fx;
            for (int i = 0; i < channels; i++) {
                const int32_t sum = a[i] * wa + b[i] * wb + c[i] * wc + d[i] * wd;
                *output++ = (int8_t)((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
            }
        }
    }
}

#endif
