/* FULLY_CONNECTED, portable: batches of rows times weights [out_c][depth].
 *
 * The bias has the input's zero point folded in. Multipliers and shifts are one for each output channel where
 * per_channel is set and a single one otherwise. single_rounding selects LiteRT 2.x's rounding instead of the two of
 * TFLite Micro; may_overflow says that a scaled sum can leave int32.
 *
 * Source: TFLite kernels/internal/reference/integer_ops/fully_connected.h.
 */
#ifndef TML_FULLY_CONNECTED_H
#define TML_FULLY_CONNECTED_H

#include "tml_common.h"

TML_INLINE int8_t tml_fully_connected_output(int32_t sum, int32_t multiplier, int shift, int single_rounding,
                                             int zero_point, int out_min, int out_max, int max_shift, int may_overflow) {
    const int32_t scaled = single_rounding ? tml_multiply_single(sum, multiplier, shift, may_overflow)
                                           : tml_multiply(sum, multiplier, shift, max_shift);
    return (int8_t)tml_clamp_int(tml_wrap_add(scaled, zero_point), out_min, out_max);
}

/* The sum times scale, halves away from zero, in IEEE double as LiteRT has it; what leaves int32 becomes INT32_MIN. */
TML_INLINE int32_t tml_scale_float64(int32_t sum, double scale) {
    /* volatile, so that no compiler fuses the multiplication with the subtraction below */
    const volatile double product = (double)sum * scale;
    const double scaled = product;
    if (scaled >= 2147483647.5 || scaled <= -2147483648.5) {
        return INT32_MIN;
    }
    const int32_t truncated = (int32_t)scaled;
    const double fraction = scaled - (double)truncated;
    return truncated + (fraction >= 0.5 ? 1 : 0) - (fraction <= -0.5 ? 1 : 0);
}

TML_INLINE void tml_fully_connected_float64(const int8_t *input, int8_t *output, const int8_t *weights,
                                            const int32_t *bias, const double *scales, int batches, int depth,
                                            int out_c, int per_channel, int out_zero_point, int out_min,
                                            int out_max) {
    for (int batch = 0; batch < batches; batch++) {
        for (int o = 0; o < out_c; o++) {
            const int32_t sum = tml_wrap_add(tml_dot(input, weights + o * depth, depth), bias[o]);
            const int32_t scaled = tml_scale_float64(sum, scales[per_channel ? o : 0]);
            output[o] = (int8_t)tml_clamp_int(tml_wrap_add(scaled, out_zero_point), out_min, out_max);
        }
        input += depth;
        output += out_c;
    }
}

TML_INLINE void tml_fully_connected(const int8_t *input, int8_t *output, const int8_t *weights, const int32_t *bias,
                                    const int32_t *multipliers, const int8_t *shifts, int batches, int depth,
                                    int out_c, int per_channel, int single_rounding, int out_zero_point, int out_min,
                                    int out_max, int max_shift, int may_overflow) {
    for (int batch = 0; batch < batches; batch++) {
        const int8_t *w = weights;
        int o = 0;
        for (; o + 2 <= out_c; o += 2) {
            const int q0 = per_channel ? o : 0;
            const int q1 = per_channel ? o + 1 : 0;
            int32_t sum0;
            int32_t sum1;
            tml_dot2(input, w, w + depth, depth, &sum0, &sum1);
            output[o] = tml_fully_connected_output(tml_wrap_add(sum0, bias[o]), multipliers[q0], shifts[q0],
                                                   single_rounding, out_zero_point, out_min, out_max, max_shift,
                                                   may_overflow);
            output[o + 1] = tml_fully_connected_output(tml_wrap_add(sum1, bias[o + 1]), multipliers[q1], shifts[q1],
                                                       single_rounding, out_zero_point, out_min, out_max, max_shift,
                                                       may_overflow);
            w += 2 * depth;
        }
        if (o < out_c) {
            const int q = per_channel ? o : 0;
            const int32_t sum = tml_dot(input, w, depth);
            output[o] = tml_fully_connected_output(tml_wrap_add(sum, bias[o]), multipliers[q], shifts[q],
                                                   single_rounding, out_zero_point, out_min, out_max, max_shift,
                                                   may_overflow);
        }
        input += depth;
        output += out_c;
    }
}

#endif
