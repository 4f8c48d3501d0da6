/* ADD, SUB and MUL with broadcasting on cores with MVE, four elements at a time.
 *
 * The loops of tml_binary.h; of the innermost, whose strides are 0 or 1, the last elements are computed one by one. The
 * output may lie over an operand of its own shape.
 */
#ifndef TML_BROADCAST_MVE_H
#define TML_BROADCAST_MVE_H

#include "tml_binary.h"
#include "tml_binary_mve.h"

TML_INLINE int32x4_t tml_load4_mve(const int8_t *x, int stride, int zero_point) {
    return stride == 0 ? vdupq_n_s32(*x - zero_point) : vaddq_n_s32(vldrbq_s32(x), -zero_point);
}

/* VALUES are those of x and y, four of each; VALUE is that of one. */
#define TML_BROADCAST_MVE(VALUES, VALUE)                                                                         \
    for (int i0 = 0; i0 < sizes[0]; i0++)                                                                        \
        for (int i1 = 0; i1 < sizes[1]; i1++)                                                                    \
            for (int i2 = 0; i2 < sizes[2]; i2++)                                                                \
                for (int i3 = 0; i3 < sizes[3]; i3++) {                                                          \
                    const int8_t *pa =                                                                           \
                        a + i0 * strides_a[0] + i1 * strides_a[1] + i2 * strides_a[2] + i3 * strides_a[3];       \
                    const int8_t *pb =                                                                           \
                        b + i0 * strides_b[0] + i1 * strides_b[1] + i2 * strides_b[2] + i3 * strides_b[3];       \
                    TML_MVE_NO_UNROLL                                                                            \
                    for (int n = sizes[4] / 4; n > 0; n--, output += 4) {                                        \
                        const int32x4_t x = tml_load4_mve(pa, strides_a[4], a_zero_point);                       \
                        const int32x4_t y = tml_load4_mve(pb, strides_b[4], b_zero_point);                       \
                        const int32x4_t sum =                                                                    \
                            vaddq_n_s32(tml_scale_mve(VALUES, out_multiplier, out_shift), out_zero_point);       \
                        const int32x4_t least = vmaxq_s32(sum, vdupq_n_s32(out_min));                            \
                        vstrbq_s32(output, vminq_s32(least, vdupq_n_s32(out_max)));                              \
                        pa += 4 * strides_a[4];                                                                  \
                        pb += 4 * strides_b[4];                                                                  \
                    }                                                                                            \
                    TML_MVE_NO_UNROLL                                                                            \
                    for (int n = sizes[4] % 4; n > 0; n--, pa += strides_a[4], pb += strides_b[4]) {             \
                        const int32_t x = *pa - a_zero_point, y = *pb - b_zero_point;                            \
                        *output++ = tml_requantize(VALUE, out_multiplier, out_shift, 0, out_zero_point, out_min, \
                                                   out_max);                                                     \
                    }                                                                                            \
                    output += out_pitch - sizes[4];                                                              \
                }

TML_INLINE void tml_broadcast_mul_mve(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                                      const int32_t *strides_a, const int32_t *strides_b, int out_pitch,
                                      int a_zero_point, int b_zero_point, int out_zero_point, int out_min, int out_max,
                                      int32_t out_multiplier, int out_shift) {
    TML_BROADCAST_MVE(vmulq_s32(x, y), x *y)
}

TML_INLINE void tml_broadcast_sum_mve(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                                      const int32_t *strides_a, const int32_t *strides_b, int out_pitch,
                                      int a_zero_point, int b_zero_point, int out_zero_point, int out_min, int out_max,
                                      int32_t a_multiplier, int a_shift, int32_t b_multiplier, int b_shift,
                                      int32_t out_multiplier, int out_shift, int sign) {
    TML_BROADCAST_MVE(vaddq_s32(tml_scale_mve(vshlq_n_s32(x, 20), a_multiplier, a_shift),
                                vmulq_n_s32(tml_scale_mve(vshlq_n_s32(y, 20), b_multiplier, b_shift), sign)),
                      tml_sum_operand(x, a_multiplier, a_shift) + sign * tml_sum_operand(y, b_multiplier, b_shift))
}

#endif
