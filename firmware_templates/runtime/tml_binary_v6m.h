/* ADD and SUB of equal shapes on cores without SIMD, as one linear function of both operands.
 *
 * TFLite scales both operands, adds and scales again, rounding three times. The compiler looks for multipliers and an
 * offset for which (mul_a * a + mul_b * b + offset) >> shift, saturated, is that for every one of the 65,536 pairs of
 * operands, and takes the portable kernel where there are none (tinyml/lower/v6m/binary.py). ARMv6-M, which cannot
 * saturate, has an offset that makes the result 128 larger. */
#ifndef TML_BINARY_V6M_H
#define TML_BINARY_V6M_H

#include "tml_common_v6m.h"

/* a, b and y are at 0, 4 and 8, the end of a at 12, then mul_a, mul_b, offset and shift; y may be a or b. */
typedef struct {
    const int8_t *a, *b;
    int8_t *y;
    const int8_t *end;
    int32_t mul_a, mul_b, offset, shift;
} tml_linear_v6m;

#if TML_V7M
#define TML_SUM_PAIR \
    "ldrsb r9, [r0], #1\n\t" "ldrsb r10, [r1], #1\n\t" "mla r9, r9, r4, r6\n\t" "mla r9, r10, r5, r9\n\t" "asr r9, r9, r7\n\t" \
    "ssat r9, #8, r9\n\t" "strb r9, [r2], #1\n\t" "cmp r0, r3\n\t"
TML_COMMON_COPY void tml_linear_sum_loop(const tml_linear_v6m *s) {
    __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4, r5, r6, r7}\n"
                     "1:\n\t" TML_SUM_PAIR "bne 1b\n\t"
                     : "+l"(s) : : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r9", "r10", "cc", "memory");
}
#else
/* r0 a, r1 the way to b, r2 the way to y, r3 shift, r4 and r5 the operands, r6 mul_a, r7 mul_b, r8 offset, r12 end. */
TML_COMMON_COPY void tml_linear_sum_loop(const tml_linear_v6m *s) {
    __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t"
                     "mov r12, r3\n\t" "mov r8, r6\n\t" "movs r3, r7\n\t" "movs r6, r4\n\t" "movs r7, r5\n\t" "subs r1, r1, r0\n\t" "subs r2, r2, r0\n"
                     "1:\n\t" "movs r4, #0\n\t" "ldrsb r4, [r0, r4]\n\t" "ldrsb r5, [r0, r1]\n\t" "muls r4, r6, r4\n\t" "muls r5, r7, r5\n\t"
                     "adds r4, r4, r5\n\t" "add r4, r8\n\t" "asrs r4, r4, r3\n\t" "cmp r4, #255\n\t" "bls 2f\n\t" "asrs r4, r4, #31\n\t"
                     "mvns r4, r4\n" "2:\n\t" "subs r4, #128\n\t" "strb r4, [r0, r2]\n\t" "adds r0, #1\n\t" "cmp r0, r12\n\t" "bne 1b\n\t"
                     : "+l"(s) : : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r12", "cc", "memory");
}
#endif

/* y's runs of out_run elements begin out_pitch elements apart, those of a and b a_pitch and b_pitch. */
TML_INLINE void tml_linear_sum_v6m(const int8_t *a, const int8_t *b, int8_t *y, int elements, int out_run, int out_pitch,
                                   int a_pitch, int b_pitch, int32_t mul_a, int32_t mul_b, int32_t offset, int shift,
                                   int32_t out_min, int32_t out_max) {
    tml_linear_v6m s;
    s.mul_a = mul_a;
    s.mul_b = mul_b;
    s.offset = offset;
    s.shift = shift;
    TML_LOOP
    for (int start = 0; start < elements; start += out_run, a += a_pitch, b += b_pitch, y += out_pitch) {
        s.a = a;
        s.b = b;
        s.y = y;
        s.end = a + out_run;
        tml_linear_sum_loop(&s);
        tml_clamp_v6m(y, out_run, out_min, out_max);
    }
}

#endif
