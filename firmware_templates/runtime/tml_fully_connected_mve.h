/* FULLY_CONNECTED (and 1x1 convolutions of a single pixel) on cores with MVE, eight output channels at a time.
 *
 * The weights are one stream for each eight output channels:
 *     { int8 weight[vectors][8][16]; int32 bias[2][4], multiplier[2][4], shift[2][4] }
 * where [0] are the even channels and [1] the odd ones; multipliers and shifts are left out where all channels have the
 * same. Inputs beyond the real ones have weight 0. The last eight channels overlap those before where the number is no
 * multiple of eight; with fewer than eight, weights and biases of 0 fill up. */
#ifndef TML_FULLY_CONNECTED_MVE_H
#define TML_FULLY_CONNECTED_MVE_H

#include "tml_common_mve.h"

/* Sixteen inputs by eight channels: 17 instructions for 128 products. */
#define TML_MVE_FC_STEP(a)                                                                                       \
    " vldrb.u8 q0, [%[x]], #16\n"                                                                                \
    " vldrb.u8 q1, [%[w]], #16\n vmladav" a ".s8 r0, q1, q0\n vldrb.u8 q2, [%[w]], #16\n vmladav" a ".s8 r8, q2, q0\n"  \
    " vldrb.u8 q1, [%[w]], #16\n vmladav" a ".s8 r2, q1, q0\n vldrb.u8 q2, [%[w]], #16\n vmladav" a ".s8 r10, q2, q0\n" \
    " vldrb.u8 q1, [%[w]], #16\n vmladav" a ".s8 r4, q1, q0\n vldrb.u8 q2, [%[w]], #16\n vmladav" a ".s8 r12, q2, q0\n" \
    " vldrb.u8 q1, [%[w]], #16\n vmladav" a ".s8 r6, q1, q0\n vldrb.u8 q2, [%[w]], #16\n vmladav" a ".s8 lr, q2, q0\n"

#define TML_MVE_FC_SCALE(op, m0, m1) " " op ".s32 q0, q0, " m0 "\n " op ".s32 q1, q1, " m1 "\n"
#define TML_MVE_FC_NEXT2 " vldrw.u32 q2, [%[w]], #16\n vldrw.u32 q3, [%[w]], #16\n"

/* `rows` rows of `depth` inputs. Scratch: 16 * vectors bytes where the depth is no multiple of 16. */
TML_INLINE void tml_fully_connected_mve(const int8_t *x, int8_t *y, const int8_t *stream, void *scratch, int rows,
                                        int depth, int channels, int vectors, int uniform, int32_t multiplier,
                                        int shift, int rounding, int zp, int lo, int hi) {
    const int32x4_t all_mul = vdupq_n_s32(multiplier);
    const int32x4_t all_shift = vdupq_n_s32(shift);
    TML_MVE_NO_UNROLL
    for (int row = 0; row < rows; row++, x += depth) {
        const int8_t *w = stream;
        const int8_t *from = x;
        int8_t *out = y + row * channels;
        int c = channels;
        if (depth % 16 != 0) {
            tml_copy_mve((int8_t *)scratch, x, depth);
            from = (const int8_t *)scratch;
        }
        TML_MVE_NO_UNROLL
        do {
            register const int8_t *x_ __asm__("r1") = from;
            register const int8_t *w_ __asm__("r3") = w;
            register int8_t *y_ __asm__("r5") = out;
            register int32_t k __asm__("r11");
            __asm__ volatile(
                TML_MVE_FC_STEP("") TML_MVE_UPTO7("((%c[n] - 1) %% 8)", TML_MVE_FC_STEP("a"))
                TML_MVE_IF("%c[n] > 16", " mov %[k], #(%c[n] - 1) / 8\n 1:\n")
                TML_MVE_IF("%c[n] > 8", TML_MVE_X8(TML_MVE_FC_STEP("a")))
                TML_MVE_IF("%c[n] > 16", " subs %[k], #1\n bne 1b\n")
                TML_MVE_SUMS TML_MVE_FC_NEXT2 " vadd.i32 q0, q0, q2\n vadd.i32 q1, q1, q3\n"
                TML_MVE_IF("%c[uniform] == 0", TML_MVE_FC_NEXT2)
                TML_MVE_IF("%c[uniform] == 0 && %c[rounding] == 0", TML_MVE_FC_SCALE("vqrdmulh", "q2", "q3"))
                TML_MVE_IF("%c[uniform] == 0 && %c[rounding] == 1", TML_MVE_FC_SCALE("vmulh", "q2", "q3"))
                TML_MVE_IF("%c[uniform] == 1 && %c[rounding] == 0", TML_MVE_FC_SCALE("vqrdmulh", "%q[mul]", "%q[mul]"))
                TML_MVE_IF("%c[uniform] == 1 && %c[rounding] == 1", TML_MVE_FC_SCALE("vmulh", "%q[mul]", "%q[mul]"))
                TML_MVE_IF("%c[repair]", TML_MVE_REPAIR("q0", "q2") TML_MVE_REPAIR("q1", "q3"))
                TML_MVE_IF("%c[uniform] == 0", TML_MVE_FC_NEXT2 TML_MVE_FC_SCALE("vrshl", "q2", "q3"))
                TML_MVE_IF("%c[uniform] == 1", TML_MVE_FC_SCALE("vrshl", "%q[shift]", "%q[shift]"))
                TML_MVE_NARROW
                TML_MVE_IF("%c[channels] >= 8", " vstrb.16 q0, [%[y]], #8\n")
                TML_MVE_IF("%c[channels] < 8", " mov r0, #%c[channels]\n vctp.16 r0\n vpst\n vstrbt.16 q0, [%[y]]\n")
                : [x] "+&r"(x_), [w] "+&r"(w_), [y] "+&r"(y_), [k] "=&r"(k)
                : [mul] "w"(all_mul), [shift] "w"(all_shift), [n] "i"(vectors), [uniform] "i"(uniform),
                  [rounding] "i"(rounding), [repair] "i"(rounding == TML_MVE_DOUBLE && lo < zp),
                  [channels] "i"(channels), [zp] "i"(zp), [lo] "i"(lo), [hi] "i"(hi)
                : TML_MVE_SUM_REGISTERS, "q0", "q1", "q2", "q3", "cc", "memory");
            from = x_ - 16 * vectors;
            w = w_;
            out = y_;
            c -= 8;
            if (channels % 8 != 0 && c > 0 && c < 8) {
                out -= 8 - c;
            }
        } while (c > 0);
    }
}

#endif
