/* Small pieces shared by the kernels for cores with MVE (Armv8.1-M with Helium: Cortex-M52, M55, M85).
 *
 * Requantisation. VQRDMULH.S32 is floor((a * b + 2^30) / 2^31), gemmlowp's SaturatingRoundingDoublingHighMul for every
 * sign. VRSHL rounds halves up where RoundingDivideByPOT rounds them away from zero; adding -1 to negative values first
 * (y + (y >> 31)) repairs exactly that for shifts of 1 and more. Where the clamp begins at the zero point or above, a
 * negative value ends at the clamp whatever its rounding. LiteRT's single rounding is VMULH, the exact upper word of the
 * product, and VRSHL: the lower word cannot carry into a rounding above bit 32. The compiler proves the ranges
 * (tinyml/lower/mve/requant.py).
 *
 * Inner blocks are assembler: VMLADAVA sums in core registers with even numbers, and compilers spill with eight of
 * them. Repetition is the preprocessor's, not .rept, because GCC places its own branches by the number of lines. */
#ifndef TML_COMMON_MVE_H
#define TML_COMMON_MVE_H

#include <arm_mve.h>

#include "tml_common.h"

/* Unroll the next loop n times; both compilers only honour their own spelling. */
#define TML_MVE_PRAGMA(x) _Pragma(#x)
#if defined(__clang__)
#define TML_MVE_UNROLL(n) TML_MVE_PRAGMA(clang loop unroll_count(n))
#define TML_MVE_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define TML_MVE_UNROLL(n) TML_MVE_PRAGMA(GCC unroll n)
#define TML_MVE_NO_UNROLL _Pragma("GCC unroll 1")
#endif

/* How a layer rounds: twice as TFLite does, or once as LiteRT's FULLY_CONNECTED. */
#define TML_MVE_DOUBLE 0
#define TML_MVE_SINGLE 1

#define TML_MVE_IF(condition, text) " .if " condition "\n" text " .endif\n"
#define TML_MVE_X8(s) s s s s s s s s
#define TML_MVE_UPTO7(n, s)                                                                                     \
    TML_MVE_IF(n " > 0", s) TML_MVE_IF(n " > 1", s) TML_MVE_IF(n " > 2", s) TML_MVE_IF(n " > 3", s)            \
    TML_MVE_IF(n " > 4", s) TML_MVE_IF(n " > 5", s) TML_MVE_IF(n " > 6", s)

/* The eight sums of a block to q0 and q1. */
#define TML_MVE_SUMS                                                                 \
    " vmov q0[2], q0[0], r0, r4\n vmov q0[3], q0[1], r2, r6\n"                       \
    " vmov q1[2], q1[0], r8, r12\n vmov q1[3], q1[1], r10, lr\n"

/* Halves away from zero for what is in register q; t is overwritten. */
#define TML_MVE_REPAIR(q, t) " vshr.s32 " t ", " q ", #31\n vadd.i32 " q ", " q ", " t "\n"

/* q0 and q1 hold eight results without the zero point; narrows them to the low bytes of q0's halfwords, lanes of q0 and
 * q1 in turn. Operands zp, lo, hi; r0 and q1 are overwritten. */
#define TML_MVE_NARROW                                                                                    \
    " vqmovnb.s32 q0, q0\n vqmovnt.s32 q0, q1\n"                                                          \
    TML_MVE_IF("%c[zp] != 0", " mov r0, #%c[zp]\n vqadd.s16 q0, q0, r0\n")                                \
    TML_MVE_IF("%c[lo] > -128", " mov r0, #%c[lo]\n vdup.16 q1, r0\n vmax.s16 q0, q0, q1\n")              \
    TML_MVE_IF("%c[hi] < 127", " mov r0, #%c[hi]\n vdup.16 q1, r0\n vmin.s16 q0, q0, q1\n")               \
    " vqmovnb.s16 q0, q0\n"

#define TML_MVE_SUM_REGISTERS "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr"

/* Copy `bytes`; the ends may lie anywhere and do not overlap. Whole vectors, the last one over the one before it. */
TML_INLINE void tml_copy_mve(int8_t *to, const int8_t *from, int bytes) {
    if (bytes < 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)bytes);
        vstrbq_p_s8(to, vldrbq_z_s8(from, lanes), lanes);
        return;
    }
    TML_MVE_UNROLL(4)
    for (int i = 0; i < bytes / 16; i++) {
        vstrbq_s8(to + 16 * i, vldrbq_s8(from + 16 * i));
    }
    if (bytes % 16 != 0) {
        vstrbq_s8(to + bytes - 16, vldrbq_s8(from + bytes - 16));
    }
}

/* The same for a number of bytes that is not known beforehand. */
TML_INLINE void tml_move_mve(int8_t *to, const int8_t *from, int bytes) {
    TML_MVE_NO_UNROLL
    for (; bytes > 0; bytes -= 16, to += 16, from += 16) {
        const mve_pred16_t lanes = vctp8q((uint32_t)bytes);
        vstrbq_p_s8(to, vldrbq_z_s8(from, lanes), lanes);
    }
}

TML_INLINE void tml_fill_mve(int8_t *to, int value, int bytes) {
    const int8x16_t fill = vdupq_n_s8((int8_t)value);
    if (bytes < 16) {
        vstrbq_p_s8(to, fill, vctp8q((uint32_t)bytes));
        return;
    }
    TML_MVE_UNROLL(4)
    for (int i = 0; i < bytes / 16; i++) {
        vstrbq_s8(to + 16 * i, fill);
    }
    if (bytes % 16 != 0) {
        vstrbq_s8(to + bytes - 16, fill);
    }
}

#endif
