/* CONV_2D, portable: any kernel, stride, dilation, padding and groups.
 *
 * Weights are [out_c][kernel_h][kernel_w][in_c / groups]. The bias has the input's zero point folded in, so that a
 * window at the border is filled with the zero point. With gather the window is copied to scratch (kernel_h * kernel_w
 * * in_c / groups bytes); without it, for 1x1 kernels without padding, the pixel is read where it lies. The output's
 * pixels begin out_pitch bytes apart.
 *
 * Source: TFLite kernels/internal/reference/integer_ops/conv.h.
 */
#ifndef TML_CONV2D_H
#define TML_CONV2D_H

#include "tml_common.h"

TML_INLINE void tml_conv2d(const int8_t *input, int8_t *output, void *scratch, const int8_t *weights,
                           const int32_t *bias, const int32_t *multipliers, const int8_t *shifts, int in_h, int in_w,
                           int in_c, int out_h, int out_w, int out_c, int kernel_h, int kernel_w, int stride_h,
                           int stride_w, int dilation_h, int dilation_w, int pad_top, int pad_left, int groups,
                           int out_pitch, int gather, int in_zero_point, int out_zero_point, int out_min, int out_max, int max_shift) {
    const int group_c = in_c / groups;
    const int group_out_c = out_c / groups;
    const int depth = kernel_h * kernel_w * group_c;
    for (int oy = 0; oy < out_h; oy++) {
        for (int ox = 0; ox < out_w; ox++) {
            for (int g = 0; g < groups; g++) {
                const int origin_y = oy * stride_h - pad_top;
                const int origin_x = ox * stride_w - pad_left;
                const int8_t *patch;
                if (gather) {
                    tml_gather_patch(input, (int8_t *)scratch, origin_y, origin_x, in_h, in_w, in_c, g * group_c,
                                     group_c, kernel_h, kernel_w, dilation_h, dilation_w, in_zero_point);
                    patch = (const int8_t *)scratch;
                } else {
                    patch = input + (origin_y * in_w + origin_x) * in_c + g * group_c;
                }
                const int first = g * group_out_c;
                const int8_t *w = weights + first * depth;
                int o = first;
                for (; o + 2 <= first + group_out_c; o += 2) {
                    int32_t sum0;
                    int32_t sum1;
                    tml_dot2(patch, w, w + depth, depth, &sum0, &sum1);
                    output[o] = tml_requantize(tml_wrap_add(sum0, bias[o]), multipliers[o], shifts[o], max_shift,
                                               out_zero_point, out_min, out_max);
                    output[o + 1] = tml_requantize(tml_wrap_add(sum1, bias[o + 1]), multipliers[o + 1],
                                                   shifts[o + 1], max_shift, out_zero_point, out_min, out_max);
                    w += 2 * depth;
                }
                if (o < first + group_out_c) {
                    const int32_t sum = tml_dot(patch, w, depth);
                    output[o] = tml_requantize(tml_wrap_add(sum, bias[o]), multipliers[o], shifts[o], max_shift,
                                               out_zero_point, out_min, out_max);
                }
            }
            output += out_pitch;
        }
    }
}

#endif
