/* TRANSPOSE_CONV, portable: as many ordinary convolutions as there are places between two input pixels.
 *
 * Output pixels whose row and column leave the same rest divided by the strides (a phase) see the same taps of the
 * kernel, so that each phase is a convolution of stride 1 with these taps alone. Weights are sorted by phase:
 * [phase][out_c][taps_h][taps_w][in_c], the first of each at starts[phase]; origins are the first input row (column)
 * that output 0 of a phase reads. The bias, one for each phase and channel, has the input's zero point folded in, with
 * which patches are filled beyond the border. Scratch: the largest patch.
 *
 * Source: TFLite kernels/internal/reference/integer_ops/transpose_conv.h.
 */
#ifndef TML_TRANSPOSE_CONV_H
#define TML_TRANSPOSE_CONV_H

#include "tml_common.h"

TML_INLINE void tml_transpose_conv(const int8_t *input, int8_t *output, void *scratch, const int8_t *weights,
                                   const int32_t *bias, const int32_t *multipliers, const int8_t *shifts,
                                   const int32_t *starts, const int32_t *taps_h, const int32_t *taps_w,
                                   const int32_t *origins_h, const int32_t *origins_w, int in_h, int in_w, int in_c,
                                   int out_h, int out_w, int out_c, int stride_h, int stride_w, int in_zero_point,
                                   int out_zero_point, int out_min, int out_max, int max_shift) {
    int8_t *patch = (int8_t *)scratch;
    for (int oy = 0; oy < out_h; oy++) {
        const int ry = oy % stride_h;
        for (int ox = 0; ox < out_w; ox++) {
            const int rx = ox % stride_w;
            const int phase = ry * stride_w + rx;
            const int depth = taps_h[ry] * taps_w[rx] * in_c;
            tml_gather_patch(input, patch, oy / stride_h + origins_h[ry], ox / stride_w + origins_w[rx], in_h, in_w,
                             in_c, 0, in_c, taps_h[ry], taps_w[rx], 1, 1, in_zero_point);
            const int8_t *w = weights + starts[phase];
            const int32_t *b = bias + phase * out_c;
            int o = 0;
            for (; o + 2 <= out_c; o += 2) {
                int32_t sum0;
                int32_t sum1;
                tml_dot2(patch, w, w + depth, depth, &sum0, &sum1);
                output[o] = tml_requantize(tml_wrap_add(sum0, b[o]), multipliers[o], shifts[o], max_shift,
                                           out_zero_point, out_min, out_max);
                output[o + 1] = tml_requantize(tml_wrap_add(sum1, b[o + 1]), multipliers[o + 1], shifts[o + 1],
                                               max_shift, out_zero_point, out_min, out_max);
                w += 2 * depth;
            }
            if (o < out_c) {
                output[o] = tml_requantize(tml_wrap_add(tml_dot(patch, w, depth), b[o]), multipliers[o], shifts[o],
                                           max_shift, out_zero_point, out_min, out_max);
            }
            output += out_c;
        }
    }
}

#endif
