/* ADD, SUB and MUL on cores with MVE, eight elements at a time: operands of one shape, for MUL also one that is the same in
 * every row. The output may be an operand of its shape; its runs of out_run elements begin out_pitch elements
 * apart, those of the operands of a sum a_pitch and b_pitch.
 *
 * A sum is one linear function of both operands where the compiler finds one that is exact for all 65,536 pairs
 * (tinyml/lower/mve/binary.py), else what TFLite does with its three roundings.
 * Sources: TFLite kernels/internal/reference/integer_ops/add.h and mul.h, reference/sub.h. */
#ifndef TML_BINARY_MVE_H
#define TML_BINARY_MVE_H

#include "tml_common_mve.h"

TML_INLINE int8_t tml_linear_mve(int32_t a, int32_t b, int32_t mul_a, int32_t mul_b, int32_t offset, int shift, int lo,
                                 int hi) {
    return (int8_t)tml_clamp_int((mul_a * a + mul_b * b + offset) >> shift, lo, hi);
}

/* clamp((mul_a * a + mul_b * b + offset) >> shift); shift is 16 to 22. The vectors round, so they begin with half of the
 * last place less: GNU as up to 2.40 at least encodes VQSHRN as VQRSHRN. */
TML_INLINE void tml_linear_run_mve(const int8_t *a, const int8_t *b, int8_t *y, int elements, int32_t mul_a,
                                   int32_t mul_b, int32_t offset, int shift, int lo, int hi) {
    const int32x4_t factor = vdupq_n_s32(mul_a);
    /* Elements 0 to 3 and 4 to 7 in turn. */
    const uint16x8_t places = vorrq_u16(vshrq_n_u16(vidupq_n_u16(0, 1), 1),
                                        vshlq_n_u16(vandq_u16(vidupq_n_u16(0, 1), vdupq_n_u16(1)), 2));
    TML_MVE_NO_UNROLL
    for (int n = elements / 8; n > 0; n--) {
        __asm__ volatile(
            " vldrb.s32 q0, [%[a]], #4\n vldrb.s32 q1, [%[a]], #4\n"
            " vldrb.s32 q2, [%[b]], #4\n vldrb.s32 q3, [%[b]], #4\n"
            " vmlas.s32 q0, %q[factor], %[offset]\n vmlas.s32 q1, %q[factor], %[offset]\n"
            " vmla.s32 q0, q2, %[mul_b]\n vmla.s32 q1, q3, %[mul_b]\n"
            TML_MVE_IF("%c[shift] > 16", " vshr.s32 q0, q0, #%c[shift] - 16\n vshr.s32 q1, q1, #%c[shift] - 16\n")
            " vqrshrnb.s32 q0, q0, #16\n vqrshrnt.s32 q0, q1, #16\n"
            TML_MVE_IF("%c[lo] > -128", " mov r12, #%c[lo]\n vdup.16 q1, r12\n vmax.s16 q0, q0, q1\n")
            TML_MVE_IF("%c[hi] < 127", " mov r12, #%c[hi]\n vdup.16 q1, r12\n vmin.s16 q0, q0, q1\n")
            " vqmovnb.s16 q0, q0\n vstrb.16 q0, [%[y], %q[places]]\n"
            : [a] "+&l"(a), [b] "+&l"(b)
            : [y] "r"(y), [factor] "w"(factor), [places] "w"(places), [mul_b] "r"(mul_b), [offset] "r"(offset - (1 << (shift - 1))),
              [shift] "i"(shift), [lo] "i"(lo), [hi] "i"(hi)
            : "q0", "q1", "q2", "q3", "r12", "memory");
        y += 8;
    }
    TML_MVE_NO_UNROLL
    for (int i = 0; i < elements % 8; i++) {
        y[i] = tml_linear_mve(a[i], b[i], mul_a, mul_b, offset, shift, lo, hi);
    }
}

TML_INLINE void tml_linear_sum_mve(const int8_t *a, const int8_t *b, int8_t *y, int elements, int out_run, int out_pitch,
                                   int a_pitch, int b_pitch, int32_t mul_a, int32_t mul_b, int32_t offset, int shift,
                                   int lo, int hi) {
    TML_MVE_NO_UNROLL
    for (int start = 0; start < elements; start += out_run, a += a_pitch, b += b_pitch, y += out_pitch) {
        tml_linear_run_mve(a, b, y, out_run, mul_a, mul_b, offset, shift, lo, hi);
    }
}

/* TFLite's MultiplyByQuantizedMultiplier with a right shift. */
TML_INLINE int32x4_t tml_scale_mve(int32x4_t value, int32_t multiplier, int shift) {
    const int32x4_t high = vqrdmulhq_n_s32(value, multiplier);
    return shift == 0 ? high : vrshlq_n_s32(vaddq_s32(high, vshrq_n_s32(high, 31)), shift);
}

TML_INLINE int16x8_t tml_narrow_mve(int32x4_t even, int32x4_t odd, int zp, int lo, int hi) {
    int16x8_t both = vqmovntq_s32(vqmovnbq_s32(vdupq_n_s16(0), even), odd);
    both = vqaddq_n_s16(both, (int16_t)zp);
    return vminq_s16(vmaxq_s16(both, vdupq_n_s16((int16_t)lo)), vdupq_n_s16((int16_t)hi));
}

/* An operand scaled to half of the larger scale and by 2^20: the even or the odd lanes. */
TML_INLINE int32x4_t tml_operand_mve(int32x4_t shifted, int32_t multiplier, int shift) {
    return tml_scale_mve(vshlq_n_s32(shifted, 4), multiplier, shift);
}

/* sign: 1 for ADD, -1 for SUB. */
TML_INLINE int16x8_t tml_sum8_mve(int16x8_t xa, int16x8_t xb, int32_t a_multiplier, int a_shift, int32_t b_multiplier,
                                  int b_shift, int32_t out_multiplier, int out_shift, int sign, int zp, int lo, int hi) {
    int32x4_t even = tml_operand_mve(vshllbq_n_s16(xa, 16), a_multiplier, a_shift);
    int32x4_t odd = tml_operand_mve(vshlltq_n_s16(xa, 16), a_multiplier, a_shift);
    const int32x4_t even_b = tml_operand_mve(vshllbq_n_s16(xb, 16), b_multiplier, b_shift);
    const int32x4_t odd_b = tml_operand_mve(vshlltq_n_s16(xb, 16), b_multiplier, b_shift);
    even = sign > 0 ? vaddq_s32(even, even_b) : vsubq_s32(even, even_b);
    odd = sign > 0 ? vaddq_s32(odd, odd_b) : vsubq_s32(odd, odd_b);
    return tml_narrow_mve(tml_scale_mve(even, out_multiplier, out_shift), tml_scale_mve(odd, out_multiplier, out_shift),
                          zp, lo, hi);
}

TML_INLINE void tml_sum_run_mve(const int8_t *a, const int8_t *b, int8_t *y, int elements, int a_zero_point,
                                int b_zero_point, int32_t a_multiplier, int a_shift, int32_t b_multiplier, int b_shift,
                                int32_t out_multiplier, int out_shift, int sign, int zp, int lo, int hi) {
    const int rest = elements % 8;
    TML_MVE_NO_UNROLL
    for (int n = elements / 8; n > 0; n--) {
        const int16x8_t xa = vsubq_n_s16(vldrbq_s16(a), (int16_t)a_zero_point);
        const int16x8_t xb = vsubq_n_s16(vldrbq_s16(b), (int16_t)b_zero_point);
        vstrbq_s16(y, tml_sum8_mve(xa, xb, a_multiplier, a_shift, b_multiplier, b_shift, out_multiplier, out_shift,
                                   sign, zp, lo, hi));
        a += 8;
        b += 8;
        y += 8;
    }
    if (rest != 0) {
        const int16x8_t xa = vsubq_n_s16(tml_load_wide_lanes_mve(a, rest), (int16_t)a_zero_point);
        const int16x8_t xb = vsubq_n_s16(tml_load_wide_lanes_mve(b, rest), (int16_t)b_zero_point);
        tml_store_wide_lanes_mve(y, tml_sum8_mve(xa, xb, a_multiplier, a_shift, b_multiplier, b_shift, out_multiplier,
                                                 out_shift, sign, zp, lo, hi), rest);
    }
}

TML_INLINE void tml_sum_mve(const int8_t *a, const int8_t *b, int8_t *y, int elements, int out_run, int out_pitch,
                            int a_pitch, int b_pitch, int a_zero_point, int b_zero_point, int32_t a_multiplier,
                            int a_shift, int32_t b_multiplier, int b_shift, int32_t out_multiplier, int out_shift,
                            int sign, int zp, int lo, int hi) {
    TML_MVE_NO_UNROLL
    for (int start = 0; start < elements; start += out_run, a += a_pitch, b += b_pitch, y += out_pitch) {
        tml_sum_run_mve(a, b, y, out_run, a_zero_point, b_zero_point, a_multiplier, a_shift,
                        b_multiplier, b_shift, out_multiplier, out_shift, sign, zp, lo, hi);
    }
}

TML_INLINE int16x8_t tml_mul8_mve(int16x8_t xa, int16x8_t xb, int32_t multiplier, int shift, int zp, int lo, int hi) {
    const int32x4_t even = tml_scale_mve(vmullbq_int_s16(xa, xb), multiplier, shift);
    const int32x4_t odd = tml_scale_mve(vmulltq_int_s16(xa, xb), multiplier, shift);
    return tml_narrow_mve(even, odd, zp, lo, hi);
}

/* `rows` rows of `elements`; a_step, b_step and out_pitch are what an operand, `elements` or 0, and the output advance from
 * row to row. */
TML_INLINE void tml_mul_mve(const int8_t *a, const int8_t *b, int8_t *y, int rows, int elements, int a_step, int b_step,
                            int out_pitch, int a_zero_point, int b_zero_point, int32_t multiplier, int shift, int zp,
                            int lo, int hi) {
    const int rest = elements % 8;
    TML_MVE_NO_UNROLL
    for (int row = 0; row < rows; row++) {
        TML_MVE_NO_UNROLL
        for (int n = elements / 8; n > 0; n--) {
            const int16x8_t xa = vsubq_n_s16(vldrbq_s16(a), (int16_t)a_zero_point);
            const int16x8_t xb = vsubq_n_s16(vldrbq_s16(b), (int16_t)b_zero_point);
            vstrbq_s16(y, tml_mul8_mve(xa, xb, multiplier, shift, zp, lo, hi));
            a += 8;
            b += 8;
            y += 8;
        }
        if (rest != 0) {
            const int16x8_t xa = vsubq_n_s16(tml_load_wide_lanes_mve(a, rest), (int16_t)a_zero_point);
            const int16x8_t xb = vsubq_n_s16(tml_load_wide_lanes_mve(b, rest), (int16_t)b_zero_point);
            tml_store_wide_lanes_mve(y, tml_mul8_mve(xa, xb, multiplier, shift, zp, lo, hi), rest);
        }
        a += a_step - elements + rest;
        b += b_step - elements + rest;
        y += out_pitch - elements + rest;
    }
}

#endif
