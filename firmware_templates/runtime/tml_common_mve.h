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

/* The compiler does not know where x comes from. */
#define TML_MVE_HIDE(x) __asm__ volatile("" : "+r"(x))

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
#define TML_MVE_NARROW TML_MVE_NARROW_BY(" mov r0, #%c[zp]\n", "r0")

/* The same with the zero point in a register, which `load` puts there. */
#define TML_MVE_NARROW_BY(load, zero)                                                                     \
    " vqmovnb.s32 q0, q0\n vqmovnt.s32 q0, q1\n"                                                          \
    TML_MVE_IF("%c[zp] != 0", load " vqadd.s16 q0, q0, " zero "\n")                                       \
    TML_MVE_IF("%c[lo] > -128", " mov r0, #%c[lo]\n vdup.16 q1, r0\n vmax.s16 q0, q0, q1\n")              \
    TML_MVE_IF("%c[hi] < 127", " mov r0, #%c[hi]\n vdup.16 q1, r0\n vmin.s16 q0, q0, q1\n")               \
    " vqmovnb.s16 q0, q0\n"

#define TML_MVE_SUM_REGISTERS "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr"

/* Predicated accesses are assembler, too: GCC 12 loses predicates that intrinsics pass on. Lanes beyond `lanes` are not
 * accessed; they read as zero. */
TML_INLINE void tml_copy_lanes_mve(int8_t *to, const int8_t *from, int lanes) {
    __asm__ volatile(" vctp.8 %[n]\n vpstt\n vldrbt.u8 q0, [%[from]]\n vstrbt.8 q0, [%[to]]"
                     : : [n] "r"(lanes), [from] "r"(from), [to] "r"(to) : "q0", "memory");
}

TML_INLINE void tml_store_lanes_mve(int8_t *to, int8x16_t value, int lanes) {
    __asm__ volatile(" vctp.8 %[n]\n vpst\n vstrbt.8 %q[v], [%[to]]"
                     : : [n] "r"(lanes), [v] "w"(value), [to] "r"(to) : "memory");
}

TML_INLINE int8x16_t tml_load_lanes_mve(const int8_t *from, int lanes) {
    int8x16_t value;
    __asm__ volatile(" vctp.8 %[n]\n vpst\n vldrbt.u8 %q[v], [%[from]]"
                     : [v] "=w"(value) : [n] "r"(lanes), [from] "r"(from) : "memory");
    return value;
}

/* Eight bytes as int16, and back without saturation. */
TML_INLINE int16x8_t tml_load_wide_lanes_mve(const int8_t *from, int lanes) {
    int16x8_t value;
    __asm__ volatile(" vctp.16 %[n]\n vpst\n vldrbt.s16 %q[v], [%[from]]"
                     : [v] "=w"(value) : [n] "r"(lanes), [from] "l"(from) : "memory");
    return value;
}

TML_INLINE void tml_store_wide_lanes_mve(int8_t *to, int16x8_t value, int lanes) {
    __asm__ volatile(" vctp.16 %[n]\n vpst\n vstrbt.16 %q[v], [%[to]]"
                     : : [n] "r"(lanes), [v] "w"(value), [to] "l"(to) : "memory");
}

/* Copy `bytes`; the ends may lie anywhere and do not overlap. Whole vectors, the last one over the one before it. */
TML_INLINE void tml_copy_mve(int8_t *to, const int8_t *from, int bytes) {
    if (bytes < 16) {
        tml_copy_lanes_mve(to, from, bytes);
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

/* The same for a number of bytes that is not known beforehand; `to` may lie in front of `from` by 16 bytes or more. */
TML_INLINE void tml_move_mve(int8_t *to, const int8_t *from, int bytes) {
    TML_MVE_NO_UNROLL
    for (; bytes >= 16; bytes -= 16, to += 16, from += 16) {
        vstrbq_s8(to, vldrbq_s8(from));
    }
    if (bytes > 0) {
        tml_copy_lanes_mve(to, from, bytes);
    }
}

/* The value is hidden, so that no compiler keeps a vector of it through loops that need them all. */
TML_INLINE void tml_fill_mve(int8_t *to, int value, int bytes) {
    TML_MVE_HIDE(value);
    const int8x16_t fill = vdupq_n_s8((int8_t)value);
    if (bytes < 16) {
        tml_store_lanes_mve(to, fill, bytes);
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

/* Rows `from` to `rows` of the padded band whose first row is the input's row `first`; `refill`: the band has been used. The
 * input's pixels begin in_pitch bytes apart. */
TML_INLINE void tml_load_band_mve(int8_t *band, const int8_t *x, int first, int from, int rows, int height, int width,
                                  int depth, int in_pitch, int pitch, int pad_left, int zero_point, int refill) {
    const int copied = width < pitch - pad_left ? width : pitch - pad_left;
    TML_MVE_NO_UNROLL
    for (int r = from; r < rows; r++) {
        int8_t *const to = band + r * pitch * depth;
        if (first + r >= 0 && first + r < height) {
            const int8_t *pixel = x + (first + r) * width * in_pitch;
            int8_t *out = to + pad_left * depth;
            if (in_pitch == depth) {
                tml_copy_mve(out, pixel, copied * depth);
                continue;
            }
            TML_MVE_NO_UNROLL
            for (int n = 0; n < copied; n++, pixel += in_pitch, out += depth) {
                tml_copy_mve(out, pixel, depth);
                TML_MVE_HIDE(pixel);
            }
        } else if (refill) {
            tml_fill_mve(to, zero_point, pitch * depth);
        }
    }
}

#endif
