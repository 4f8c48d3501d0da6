/* Small pieces shared by the kernels for cores without SIMD: ARMv6-M (Cortex-M0, M0+) and ARMv7-M (M3).
 *
 * Requantisation. The words of a channel depend on the form and on the architecture; the compiler finds them and proves
 * them for every accumulator that the weights allow (tinyml/lower/v6m/requant.py). Accumulators are raw sums of
 * products: bias and zero points are inside the constants.
 *   LINE, v6-M:           { m0, m1, c, shift }         ((acc * m1 + (acc * m0 >> 13) + c) >> shift) - 128
 *   LINE, v7-M:           { m, c low, c high }         (acc * m + c) >> 32 >> 4
 *   TWO_ROUNDINGS, v6-M:  { m0, m1, c, shift, late, zero }   with the sum v: ((v - (v < 0 ? late : 0) + zero) >> shift) - 128
 *   TWO_ROUNDINGS, v7-M:  { m, s low, s high, c, r }   y = (acc * m + s) >> 31, then (y + (y >> 31) + c) >> r
 *   ANY:                  { bias, multiplier, shift }  TFLite's own arithmetic
 * then saturated to int8. Where v6-M has no line for the whole range (sums in parts), `reach_bits` is set: a word before the
 * others is added to the accumulator, which is clamped to below 2^reach_bits first, and 13 becomes 31 - reach_bits. */
#ifndef TML_COMMON_V6M_H
#define TML_COMMON_V6M_H

#include "tml_common.h"

#if defined(__ARM_ARCH) && __ARM_ARCH >= 7
#define TML_V7M 1
#else
#define TML_V7M 0
#endif

/* One copy for all layers that call it; a network need not use every one. */
#define TML_COMMON_COPY TML_SHARED __attribute__((unused))

/* Repetition by the preprocessor: GCC measures inline assembly by its lines and places its own branches by that. */
#define TML_X4(s) s s s s
#define TML_X8(s) TML_X4(s) TML_X4(s)

#define TML_LINE 0
#define TML_TWO_ROUNDINGS 1
#define TML_ANY 2
#define TML_LIMB_BITS 13
#define TML_SHIFT_V7M 4

/* Words of a channel; an integer constant in assembly too. */
#define TML_LINE_WORDS(form, reach_bits) \
    ((form) == TML_ANY ? 3 : (TML_V7M ? 3 : 4) + ((form) == TML_TWO_ROUNDINGS ? 2 : 0) + ((reach_bits) > 0 ? 1 : 0))

#if TML_V7M
TML_INLINE int32_t tml_saturate_v7m(int32_t value) {
    __asm__("ssat %0, #8, %0" : "+r"(value));
    return value;
}
#endif

/* A raw sum to an int8 output. */
TML_INLINE int32_t tml_output_v6m(int32_t acc, const int32_t *line, int form, int reach_bits, int single_rounding, int zero_point,
                                  int out_min, int out_max) {
    int32_t q;
    if (form == TML_ANY) {
        const int32_t sum = tml_wrap_add(acc, line[0]);
        q = single_rounding ? tml_multiply_single(sum, line[1], line[2], 1) : tml_multiply(sum, line[1], line[2], 1);
        return tml_clamp_int(tml_wrap_add(q, zero_point), out_min, out_max);
    }
#if TML_V7M
    (void)reach_bits;
    {
        int32_t low = line[1], high = line[2];
        __asm__("smlal %0, %1, %2, %3" : "+r"(low), "+r"(high) : "r"(acc), "r"(line[0]));
        if (form == TML_LINE) {
            __asm__("ssat %0, #8, %1, asr %2" : "=r"(q) : "r"(high), "n"(TML_SHIFT_V7M));
        } else {
            const int32_t y = (int32_t)((uint32_t)high << 1 | (uint32_t)low >> 31);
            q = tml_saturate_v7m((y + (y >> 31) + line[3]) >> line[4]);
        }
    }
#else
    if (reach_bits > 0) {
        const int32_t most = (1 << reach_bits) - 1;
        acc += *line++;
        if ((uint32_t)(acc + most) > (uint32_t)(2 * most)) acc = (acc >> 31) ^ most;
    }
    {
        const int limb_bits = reach_bits > 0 ? 31 - reach_bits : TML_LIMB_BITS;
        const uint32_t lower = (uint32_t)((int32_t)((uint32_t)acc * (uint32_t)line[0]) >> limb_bits);
        int32_t v = (int32_t)((uint32_t)acc * (uint32_t)line[1] + lower + (uint32_t)line[2]);
        if (form == TML_TWO_ROUNDINGS) {
            v = (v < 0 ? v - line[4] : v) + line[5];
        }
        q = v >> line[3];
        if ((uint32_t)q > 255u) {
            q = ~(q >> 31) & 255;
        }
        q -= 128;
    }
#endif
    if (out_min > -128) {
        q = q < out_min ? out_min : q;
    }
    if (out_max < 127) {
        q = q > out_max ? out_max : q;
    }
    return q;
}

/* Bytes at p, p + o1 and p + o2 for n > 0 consecutive p to words [n][3]; returns the end of the words. */
TML_COMMON_COPY int32_t *tml_spread3_v6m(const int8_t *p, int o1, int o2, int n, int32_t *to) {
#define TML_SPREAD "ldrsb r5, [%[p], %[n]]\n\t" "ldrsb r6, [%[p], %[o1]]\n\t" "ldrsb r7, [%[p], %[o2]]\n\t" \
                   "stmia %[to]!, {r5, r6, r7}\n\t" "adds %[p], %[p], #1\n\t"
    /* r8: where whole turns of eight end, r12: the end; n is 0 from then on. */
    __asm__ volatile(".syntax unified\n\t"
                     "movs r5, #7\n\t" "movs r6, %[n]\n\t" "bics r6, r6, r5\n\t" "adds r6, r6, %[p]\n\t" "mov r8, r6\n\t"
                     "adds r7, %[p], %[n]\n\t" "mov r12, r7\n\t" "movs %[n], #0\n\t"
                     "cmp %[p], r8\n\t" "beq 2f\n"
                     "1:\n\t" TML_X8(TML_SPREAD) "cmp %[p], r8\n\t" "bne 1b\n"
                     "2:\n\t" "cmp %[p], r12\n\t" "beq 4f\n"
                     "3:\n\t" TML_SPREAD "cmp %[p], r12\n\t" "bne 3b\n"
                     "4:\n\t"
                     : [p] "+l"(p), [to] "+l"(to), [n] "+l"(n)
                     : [o1] "l"(o1), [o2] "l"(o2)
                     : "r5", "r6", "r7", "r8", "r12", "cc", "memory");
#undef TML_SPREAD
    return to;
}

/* Clamps `n` outputs where the activation's range lies inside int8. */
TML_INLINE void tml_clamp_v6m(int8_t *y, int n, int out_min, int out_max) {
    if (out_min > -128 || out_max < 127) {
        TML_LOOP
        for (int i = 0; i < n; ++i) y[i] = (int8_t)tml_clamp_int(y[i], out_min, out_max);
    }
}

#endif
