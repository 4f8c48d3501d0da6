/* MUL, and ADD and SUB that no linear function equals, with broadcasting on cores with the DSP extension.
 *
 * Loops and out_pitch of tml_binary.h, with TFLite's roundings in SMMLAR. The products of MUL come times `unit`. The output may lie over an operand of its own shape.
 */
#ifndef TML_BROADCAST_DSP_H
#define TML_BROADCAST_DSP_H

#include "tml_common_dsp.h"

/* An operand of a sum as tml_sum_operand scales it: mul is twice the multiplier modulo 2^32; that is 2^30 or more. */
TML_INLINE int32_t tml_sum_operand_dsp(int32_t value, int32_t mul, int shift) {
    const int32_t y = tml_smmlar(value * (1 << 20), mul, value * (1 << 20));
    return shift == 0 ? y : (y + (y >> 31) + (1 << (-shift - 1))) >> -shift;
}

/* The sixth form of tml_requant_dsp: acc comes times two (and shifted left where the scale is) and mul = m, so that SMMLAR's
 * rounding is that of the doubling high multiply. Its addend par = 2^(r-1) + (zero point << r) is the half of the shift by
 * r = zp and the zero point, less one below zero, where halves go away from it. (Where acc < 0 but the product is 0, one
 * less changes nothing.) Without a shift it is the zero point. */
#define TML_DOUBLE_TWICE 5

TML_INLINE int32_t tml_requant_twice_dsp(int32_t acc, int32_t mul, int32_t par, int rounding, int32_t zp, int32_t lo,
                                         int32_t hi) {
    int32_t addend = par, q;
    if (rounding != TML_DOUBLE_TWICE) return tml_requant_dsp(acc, mul, par, rounding, zp, lo, hi);
    if (zp != 0 && lo < par >> zp) __asm__("add %0, %1, %2, asr #31" : "=r"(addend) : "r"(par), "r"(acc));
    q = tml_smmlar(acc, mul, addend);
    if (zp == 0) return tml_clamp_dsp(__ssat(q, 8), lo, hi);
    __asm__("ssat %0, #8, %0, asr %1" : "+r"(q) : "i"(zp));
    return tml_clamp_dsp(q, lo, hi);
}

#define TML_BROADCAST_LOOPS(VALUE)                                                                \
    TML_FOR_ROWS(sizes) {                                                                         \
        const int8_t *pa = TML_ROW(a, strides_a);                                                 \
        const int8_t *pb = TML_ROW(b, strides_b);                                                 \
        TML_UNROLL(2)                                                                             \
        for (int i4 = 0; i4 < sizes[4]; i4++, pa += strides_a[4], pb += strides_b[4])             \
            *output++ = (int8_t)tml_requant_twice_dsp(VALUE, mul, par, rounding, zp, lo, hi);     \
        output += out_pitch - sizes[4];                                                           \
    }

/* `count` elements of x, `step` apart, times one factor; the results are out_step apart. */
TML_INLINE void tml_scale_run_dsp(const int8_t *x, int8_t *y, int count, int step, int out_step, int32_t factor,
                                  int32_t start, int32_t mul, int32_t par, int rounding, int32_t zp, int32_t lo,
                                  int32_t hi) {
#define TML_SCALED(i) \
    y[(i) * out_step] = (int8_t)tml_requant_twice_dsp(x[(i) * step] * factor + start, mul, par, rounding, zp, lo, hi)
    if (count >= 4) {
        const int8_t *const end = x + count / 4 * 4 * step;
        TML_NO_UNROLL
        do {
            TML_SCALED(0);
            TML_SCALED(1);
            TML_SCALED(2);
            TML_SCALED(3);
            x += 4 * step;
            y += 4 * out_step;
        } while (x != end);
    }
    TML_UNROLL(3)
    for (int i = 0; i < count % 4; ++i) TML_SCALED(i);
#undef TML_SCALED
}

/* `rows` rows of `channels` elements of a, a_pitch apart, times the one row b: channel by channel, for which the factor is
 * one, and so many rows at a time that what a cache holds of them serves all channels. */
#define TML_SCALED_ROWS(rows) \
    ((rows) <= 256 ? (rows) : (rows) % 64 == 0 ? 64 : (rows) % 49 == 0 ? 49 : (rows) % 48 == 0 ? 48 : 64)

TML_INLINE void tml_scale_rows_dsp(const int8_t *a, const int8_t *b, int8_t *y, int rows, int channels, int a_pitch,
                                   int out_pitch, int a_zero_point, int b_zero_point, int unit, int32_t mul, int32_t par,
                                   int rounding, int32_t zp, int32_t lo, int32_t hi) {
    TML_NO_UNROLL
    for (int c = 0; c < channels; ++c) {
        const int32_t factor = unit * (b[c] - b_zero_point);
        tml_scale_run_dsp(a + c, y + c, rows, a_pitch, out_pitch, factor, -a_zero_point * factor, mul, par, rounding, zp,
                          lo, hi);
    }
}

TML_INLINE void tml_scale_image_dsp(const int8_t *a, const int8_t *b, int8_t *y, int rows, int channels, int a_pitch,
                                    int out_pitch, int a_zero_point, int b_zero_point, int unit, int32_t mul, int32_t par,
                                    int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int together = TML_SCALED_ROWS(rows);
    TML_NO_UNROLL
    for (int left = rows; left >= together; left -= together) {
        tml_scale_rows_dsp(a, b, y, together, channels, a_pitch, out_pitch, a_zero_point, b_zero_point, unit, mul,
                           par, rounding, zp, lo, hi);
        a += together * a_pitch;
        y += together * out_pitch;
    }
    if (rows % together)
        tml_scale_rows_dsp(a, b, y, rows % together, channels, a_pitch, out_pitch, a_zero_point, b_zero_point,
                           unit, mul, par, rounding, zp, lo, hi);
}

TML_INLINE void tml_mul_dsp(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                            const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                            int b_zero_point, int unit, int32_t mul, int32_t par, int rounding, int32_t zp, int32_t lo,
                            int32_t hi) {
    /* An operand is a row for rows of the other, or a number for a row of it. */
    const int rows = sizes[3], run = sizes[4];
    const int images = sizes[0] * sizes[1] * sizes[2] == 1 && rows > 1;
    const int alike = strides_a[4] == strides_b[4];
    if (images && alike && strides_a[3] != 0 && strides_b[3] == 0) {
        tml_scale_image_dsp(a, b, output, rows, run, strides_a[3], out_pitch, a_zero_point, b_zero_point, unit, mul, par,
                            rounding, zp, lo, hi);
    } else if (images && alike && strides_b[3] != 0 && strides_a[3] == 0) {
        tml_scale_image_dsp(b, a, output, rows, run, strides_b[3], out_pitch, b_zero_point, a_zero_point, unit, mul, par,
                            rounding, zp, lo, hi);
    } else if (!alike) {
        TML_FOR_ROWS(sizes) {
            const int8_t *pa = TML_ROW(a, strides_a);
            const int8_t *pb = TML_ROW(b, strides_b);
            const int8_t *const x = strides_a[4] == 0 ? pb : pa;
            const int32_t factor = unit * (strides_a[4] == 0 ? *pa - a_zero_point : *pb - b_zero_point);
            const int x_zero_point = strides_a[4] == 0 ? b_zero_point : a_zero_point;
            tml_scale_run_dsp(x, output, run, 1, 1, factor, -x_zero_point * factor, mul, par, rounding, zp, lo,
                              hi);
            output += out_pitch;
        }
    } else {
        TML_BROADCAST_LOOPS(unit * (*pa - a_zero_point) * (*pb - b_zero_point))
    }
}

TML_INLINE void tml_sum_dsp(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                            const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                            int b_zero_point, int32_t a_mul, int a_shift, int32_t b_mul, int b_shift, int sign, int32_t mul, int32_t par,
                            int rounding, int32_t zp, int32_t lo, int32_t hi) {
    TML_BROADCAST_LOOPS(tml_sum_operand_dsp(*pa - a_zero_point, a_mul, a_shift) +
                        sign * tml_sum_operand_dsp(*pb - b_zero_point, b_mul, b_shift))
}

#endif
