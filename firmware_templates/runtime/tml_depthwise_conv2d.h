/* DEPTHWISE_CONV_2D, portable: any kernel, stride, dilation, padding and depth multiplier.
 *
 * Weights are [kernel_h][kernel_w][in_c * multiplier]; output channel o reads input channel o / multiplier. The bias
 * has the input's zero point folded in. Windows inside the input are read where they lie; those that reach over the
 * border (only where padded) are gathered into scratch (kernel_h * kernel_w * in_c bytes) with the zero point around. The
 * output's pixels begin out_pitch bytes apart.
 *
 * Source: TFLite kernels/internal/reference/integer_ops/depthwise_conv.h.
 */
#ifndef TML_DEPTHWISE_CONV2D_H
#define TML_DEPTHWISE_CONV2D_H

#include "tml_common.h"

TML_INLINE void tml_depthwise_conv2d(const int8_t *input, int8_t *output, void *scratch, const int8_t *weights,
                                     const int32_t *bias, const int32_t *multipliers, const int8_t *shifts, int in_h,
                                     int in_w, int in_c, int out_h, int out_w, int multiplier, int kernel_h,
                                     int kernel_w, int stride_h, int stride_w, int dilation_h, int dilation_w,
                                     int pad_top, int pad_left, int padded, int out_pitch, int in_zero_point,
                                     int out_zero_point, int out_min, int out_max, int max_shift) {
    const int out_c = in_c * multiplier;
    for (int oy = 0; oy < out_h; oy++) {
        for (int ox = 0; ox < out_w; ox++) {
            const int origin_y = oy * stride_h - pad_top;
            const int origin_x = ox * stride_w - pad_left;
            const int8_t *window = input + (origin_y * in_w + origin_x) * in_c;
            int row_stride = dilation_h * in_w * in_c;
            int column_stride = dilation_w * in_c;
            if (padded && (origin_y < 0 || origin_x < 0 || origin_y + (kernel_h - 1) * dilation_h >= in_h ||
                           origin_x + (kernel_w - 1) * dilation_w >= in_w)) {
                tml_gather_patch(input, (int8_t *)scratch, origin_y, origin_x, in_h, in_w, in_c, 0, in_c, kernel_h,
                                 kernel_w, dilation_h, dilation_w, in_zero_point);
                window = (const int8_t *)scratch;
                row_stride = kernel_w * in_c;
                column_stride = in_c;
            }
            for (int c = 0; c < in_c; c++) {
                for (int o = c * multiplier; o < (c + 1) * multiplier; o++) {
                    const int8_t *w = weights + o;
                    int32_t sum = bias[o];
                    for (int ky = 0; ky < kernel_h; ky++) {
                        const int8_t *x = window + ky * row_stride + c;
                        for (int kx = 0; kx < kernel_w; kx++) {
                            sum = tml_wrap_add(sum, *x * *w);
                            x += column_stride;
                            w += out_c;
                        }
                    }
                    output[o] = tml_requantize(sum, multipliers[o], shifts[o], max_shift, out_zero_point, out_min,
                                               out_max);
                }
            }
            output += out_pitch;
        }
    }
}

#endif
