/* MEAN and SUM over any axes, portable.
 *
 * The input is [kept0][reduced0][kept1][reduced1][kept2][reduced2]; neighbours of a kind are merged beforehand. The
 * multiplier of MEAN has the division by the number of elements in it.
 *
 * Source: TFLite kernels/internal/reference/reduce.h (QuantizedMeanOrSum).
 */
#ifndef TML_REDUCE_H
#define TML_REDUCE_H

#include "tml_common.h"

TML_INLINE void tml_reduce(const int8_t *input, int8_t *output, const int32_t *kept, const int32_t *reduced,
                           int in_zero_point, int out_zero_point, int32_t multiplier, int shift, int out_min,
                           int out_max) {
    const int stride_k2 = reduced[2];
    const int stride_r1 = kept[2] * stride_k2;
    const int stride_k1 = reduced[1] * stride_r1;
    const int stride_r0 = kept[1] * stride_k1;
    const int stride_k0 = reduced[0] * stride_r0;
    const int32_t offset = (int32_t)((uint32_t)in_zero_point * (uint32_t)(reduced[0] * reduced[1] * reduced[2]));
    for (int k0 = 0; k0 < kept[0]; k0++) {
        for (int k1 = 0; k1 < kept[1]; k1++) {
            for (int k2 = 0; k2 < kept[2]; k2++) {
                const int8_t *start = input + k0 * stride_k0 + k1 * stride_k1 + k2 * stride_k2;
                int32_t sum = 0;
                for (int r0 = 0; r0 < reduced[0]; r0++) {
                    for (int r1 = 0; r1 < reduced[1]; r1++) {
                        const int8_t *x = start + r0 * stride_r0 + r1 * stride_r1;
                        for (int r2 = 0; r2 < reduced[2]; r2++) {
                            sum += x[r2];
                        }
                    }
                }
                *output++ = tml_requantize(sum - offset, multiplier, shift, shift, out_zero_point, out_min, out_max);
            }
        }
    }
}

#endif
