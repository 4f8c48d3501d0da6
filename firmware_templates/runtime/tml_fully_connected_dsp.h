/* FULLY_CONNECTED (and 1x1 convolutions of one or two pixels) on cores with the DSP extension, four channels at a time.
 *
 * One stream for every four output channels (A, B, C, D), K inputs rounded up to a multiple of 8:
 *     { 256A + B, B, 256C + D, D of the biases, K/2 x [AB word, CD word], mul and par of A, B, C, D }
 * A word holds two inputs of two channels as tml_conv2d_dsp.h describes; the inputs of each group of four are in the
 * order 0, 2, 1, 3. Inputs beyond the real ones and channels beyond the last have weight 0. */
#ifndef TML_FULLY_CONNECTED_DSP_H
#define TML_FULLY_CONNECTED_DSP_H

#include "tml_common_dsp.h"

/* Bytes of x to int16 in the order 0, 2, 1, 3 of each group of four. */
TML_INLINE void tml_expand1_dsp(int32_t *o, const int8_t *x, int depth) {
    if (depth >= 8) {
        const int8_t *const end = x + depth / 8 * 8;
        const int eights = depth % 32 == 0 ? 4 : 1;
        TML_NO_UNROLL
        do {
            TML_UNROLL(4)
            for (int i = 0; i < eights; ++i)
                __asm__ volatile("ldr r0, [%0], #4\n\t"
                                 "ldr r2, [%0], #4\n\t"
                                 "sxtb16 r1, r0, ror #8\n\t"
                                 "sxtb16 r3, r2, ror #8\n\t"
                                 "sxtb16 r0, r0\n\t"
                                 "sxtb16 r2, r2\n\t"
                                 "stm %1!, {r0, r1, r2, r3}"
                                 : "+r"(x), "+r"(o)
                                 :
                                 : "r0", "r1", "r2", "r3", "memory");
        } while (x != end);
    }
    if (depth % 8 != 0) {
        int8_t tail[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        TML_UNROLL(7)
        for (int i = 0; i < depth % 8; ++i) tail[i] = x[i];
        TML_UNROLL(2)
        for (int i = 0; i < 8; i += 4) {
            *o++ = (int32_t)((uint16_t)tail[i] | (uint32_t)tail[i + 2] << 16);
            *o++ = (int32_t)((uint16_t)tail[i + 1] | (uint32_t)tail[i + 3] << 16);
        }
    }
}

#define TML_FC_PAIRS(X0, X1) \
    "ldm %[w]!, {r8, r9, r10, r11}\n\t" \
    "smlad %[s0], r8, " X0 ", %[s0]\n\t" \
    "smlad %[s1], r9, " X0 ", %[s1]\n\t" \
    "sxtb16 r8, r8\n\t" \
    "sxtb16 r9, r9\n\t" \
    "smlad %[b0], r8, " X0 ", %[b0]\n\t" \
    "smlad %[b1], r9, " X0 ", %[b1]\n\t" \
    "smlad %[s0], r10, " X1 ", %[s0]\n\t" \
    "smlad %[s1], r11, " X1 ", %[s1]\n\t" \
    "sxtb16 r10, r10\n\t" \
    "sxtb16 r11, r11\n\t" \
    "smlad %[b0], r10, " X1 ", %[b0]\n\t" \
    "smlad %[b1], r11, " X1 ", %[b1]\n\t"

/* `rows` rows of `depth` inputs; 27 instructions for 32 products. `unroll` divides the padded depth and is a multiple
 * of 8. Scratch: 2 * padded depth bytes. */
TML_INLINE void tml_fully_connected_dsp(const int8_t *x, int8_t *y, const int32_t *weights, void *scratch, int rows,
                                        int depth, int channels, int unroll, int rounding, int32_t zp, int32_t lo,
                                        int32_t hi) {
    const int padded = (depth + 7) / 8 * 8;
    const int32_t *xs = (const int32_t *)scratch;
    TML_NO_UNROLL
    for (int row = 0; row < rows; ++row, x += depth) {
        const int32_t *w = weights;
        tml_expand1_dsp((int32_t *)scratch, x, depth);
        TML_PUBLISH(xs);
        TML_NO_UNROLL
        for (int c = 0; c < channels; c += 4) {
            const int32_t *xp = xs, *const end = w + 4 + padded;
            int32_t s0 = w[0], b0 = w[1], s1 = w[2], b1 = w[3];
            w += 4;
            TML_NO_UNROLL
            do {
                TML_UNROLL(64)
                for (int i = 0; i < unroll; i += 8)
                    __asm__ volatile(
                        "ldm %[x]!, {r5, r6, r12, lr}\n\t" TML_FC_PAIRS("r5", "r6") TML_FC_PAIRS("r12", "lr")
                        : [s0] "+r"(s0), [s1] "+r"(s1), [b0] "+r"(b0), [b1] "+r"(b1), [w] "+r"(w), [x] "+r"(xp)
                        :
                        : "r8", "r9", "r10", "r11", "r5", "r6", "r12", "lr");
            } while (w != end);
            y[0] = (int8_t)tml_requant256_dsp(s0 - b0, w[0], w[1], rounding, zp, lo, hi);
            if (channels % 4 == 0 || c + 1 < channels)
                y[1] = (int8_t)tml_requant_dsp(b0, w[2], w[3], rounding, zp, lo, hi);
            if (channels % 4 == 0 || c + 2 < channels)
                y[2] = (int8_t)tml_requant256_dsp(s1 - b1, w[4], w[5], rounding, zp, lo, hi);
            if (channels % 4 == 0 || c + 3 < channels)
                y[3] = (int8_t)tml_requant_dsp(b1, w[6], w[7], rounding, zp, lo, hi);
            w += 8;
            y += channels % 4 == 0 || c + 4 <= channels ? 4 : channels % 4;
        }
    }
}

#endif
