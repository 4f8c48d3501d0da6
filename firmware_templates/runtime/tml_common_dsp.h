/* Small pieces shared by the kernels for cores with the DSP extension (Armv7E-M, Armv8-M Main: M4, M7, M33). */
#ifndef TML_COMMON_DSP_H
#define TML_COMMON_DSP_H

#include <arm_acle.h>

#include "tml_common.h"

/* Four bytes of a tensor at any address. */
typedef uint32_t __attribute__((may_alias, aligned(1))) tml_word;

/* Unroll the next loop n times; both compilers only honour their own spelling. */
#define TML_PRAGMA(x) _Pragma(#x)
#if defined(__clang__)
#define TML_UNROLL(n) TML_PRAGMA(clang loop unroll_count(n))
#define TML_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define TML_UNROLL(n) TML_PRAGMA(GCC unroll n)
#define TML_NO_UNROLL _Pragma("GCC unroll 1")
#endif

/* What was stored through p is visible to the assembly that reads through p afterwards. */
#define TML_PUBLISH(p) __asm__ volatile("" : "+r"(p) : : "memory")

/* Two words from p, which is a multiple of four bytes. */
#define TML_LDRD(a, b, p) __asm__("ldrd %0, %1, %2" : "=r"(a), "=r"(b) : "Uv"(*(const int64_t *)(const void *)(p)))

/* The next two words of a stream. */
#define TML_NEXT(a, b, p) __asm__ volatile("ldrd %0, %1, [%2], #8" : "=&r"(a), "=&r"(b), "+r"(p))

/* How an accumulator becomes an output. FAST needs right shifts of 2 to 31 (DOUBLE) or 3 to 31 (SINGLE); LINEAR is one
 * linear function, which the compiler proves for every accumulator that can occur (tinyml/lower/dsp/linear.py). */
#define TML_DOUBLE_FAST 0
#define TML_DOUBLE_ANY 1
#define TML_SINGLE_FAST 2
#define TML_SINGLE_ANY 3
#define TML_LINEAR 4

TML_INLINE int32_t tml_smmlar(int32_t a, int32_t b, int32_t c) {
    int32_t d;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(d) : "r"(a), "r"(b), "r"(c));
    return d;
}

/* Bytes 1 and 3; GCC 12 does not fold the rotation into SXTB16 by itself. */
TML_INLINE int32_t tml_sxtb16_high(int32_t word) {
    int32_t d;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(d) : "r"(word));
    return d;
}

/* The low halves of two words as one; GCC 12 makes two instructions of the shift and or. */
TML_INLINE int32_t tml_pack_dsp(int32_t low, int32_t high) {
    int32_t d;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(d) : "r"(low), "r"(high));
    return d;
}

TML_INLINE int32_t tml_smmul(int32_t a, int32_t b) { return (int32_t)(((int64_t)a * b) >> 32); }

TML_INLINE int32_t tml_clamp_dsp(int32_t q, int32_t lo, int32_t hi) {
    if (lo > -128) q = q < lo ? lo : q;
    if (hi < 127) q = q > hi ? hi : q;
    return q;
}

/* Accumulator to int8. `rounding`, `zp`, `lo` and `hi` are constants; zp is the zero point, or LINEAR's shift.
 *
 * DOUBLE_FAST: mul = (int32)(2 * m) wraps negative and SMMLAR's addend acc puts the 2^32 back, so
 *   y = (acc * 2^32 + acc * (2m - 2^32) + 2^31) >> 32 = (2 * acc * m + 2^31) >> 32, gemmlowp's rounding doubling high
 * multiply. par = 2^(32 - r): SMMLAR(y, par, zp) = zp + ((y + 2^(r-1)) >> r). Half away from zero needs y += y >> 31
 * before; where the clamp begins at zp or above, a negative y ends at the clamp whatever its rounding.
 * SINGLE_FAST: mul = m, par = 2^(32 - (r - 1)): the low word of acc * m cannot carry into a rounding at bit 30 + r. */
TML_INLINE int32_t tml_requant_dsp(int32_t acc, int32_t mul, int32_t par, int rounding, int32_t zp, int32_t lo,
                                   int32_t hi) {
    int32_t q;
    if (rounding == TML_LINEAR) {
        __asm__("smmla %0, %1, %2, %3\n\t"
                "ssat %0, #8, %0, asr %4"
                : "=r"(q)
                : "r"(acc), "r"(mul), "r"(par), "i"(zp));
        return tml_clamp_dsp(q, lo, hi);
    }
    if (rounding == TML_DOUBLE_FAST) {
        int32_t y = tml_smmlar(acc, mul, acc);
        if (lo < zp) y += y >> 31;
        q = tml_smmlar(y, par, zp);
    } else if (rounding == TML_SINGLE_FAST) {
        q = tml_smmlar(tml_smmul(acc, mul), par, zp);
    } else if (rounding == TML_DOUBLE_ANY) {
        q = tml_wrap_add(tml_multiply(acc, mul, par, 31), zp);
    } else {
        q = tml_multiply_single(acc, mul, par, 0) + zp;
    }
    return tml_clamp_dsp(__ssat(q, 8), lo, hi);
}

/* The same for the first of two packed channels, whose accumulator comes 256 times. */
TML_INLINE int32_t tml_requant256_dsp(int32_t acc, int32_t mul, int32_t par, int rounding, int32_t zp, int32_t lo,
                                      int32_t hi) {
    return tml_requant_dsp(rounding == TML_LINEAR ? acc : acc >> 8, mul, par, rounding,
                           rounding == TML_LINEAR ? zp + 8 : zp, lo, hi);
}

/* What a part of the words has added to A: 256 of it in `sum`, beside B's in both. */
TML_INLINE int32_t tml_add_part_dsp(int32_t a, int32_t sum, int32_t b) {
    return a + ((int32_t)((uint32_t)sum - (uint32_t)b) >> 8);
}

/* Copy `bytes`, inline because a call costs more than the few words. `aligned`: both ends are multiples of four bytes.
 */
TML_INLINE void tml_copy_dsp(int8_t *to, const int8_t *from, int bytes, int aligned) {
    const int8_t *const end = from + bytes / 4 * 4;
    if (aligned && bytes % 16 == 0) {
        TML_NO_UNROLL
        do {
            __asm__ volatile("ldm %0!, {r2, r3, r4, r5}\n\t"
                             "stm %1!, {r2, r3, r4, r5}"
                             : "+r"(from), "+r"(to)
                             :
                             : "r2", "r3", "r4", "r5", "memory");
        } while (from != end);
    } else if (bytes >= 4) {
        TML_NO_UNROLL
        do {
            __asm__ volatile("ldr r2, [%0], #4\n\t"
                             "str r2, [%1], #4"
                             : "+r"(from), "+r"(to)
                             :
                             : "r2", "memory");
        } while (from != end);
    }
    TML_UNROLL(3)
    for (int i = 0; i < bytes % 4; ++i) to[i] = from[i];
}

TML_INLINE void tml_fill_dsp(int8_t *to, int32_t value, int bytes) {
    TML_NO_UNROLL
    for (int i = 0; i < bytes; ++i) {
        to[i] = (int8_t)value;
        __asm__ volatile("" : : : "memory");
    }
}

#endif
