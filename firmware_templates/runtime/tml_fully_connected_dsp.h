/* FULLY_CONNECTED (and 1x1 convolutions of one or two pixels) on cores with the DSP extension, four channels at a time.
 *
 * One stream for every four output channels (A, B, C, D), K inputs rounded up to a multiple of 8:
 *     { 256A + B, B, 256C + D, D of the biases, K/2 x [AB word, CD word], mul and par of A, B, C, D }
 * A word holds two inputs of two channels as tml_conv2d_dsp.h describes; the inputs of each group of four are in the
 * order 0, 2, 1, 3. Inputs beyond the real ones and channels beyond the last have weight 0.
 *
 * Layers that share their weights (the steps of an unrolled recurrence) have the words in one stream and biases,
 * multipliers and parameters in another, the `ends`, so that the words are in flash once. */
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
/* Four channels, eight inputs: 27 instructions for 32 products where the inputs are int16 already, else 31 or 32. */
#define TML_FC_EIGHT(INPUTS, X0, X1, X2, X3, LAST) \
    __asm__ volatile(INPUTS TML_FC_PAIRS(X0, X1) LAST TML_FC_PAIRS(X2, X3) \
                     : [s0] "+r"(s0), [s1] "+r"(s1), [b0] "+r"(b0), [b1] "+r"(b1), [w] "+r"(w), [x] "+r"(xp) \
                     : \
                     : "r8", "r9", "r10", "r11", "r5", "r6", "r12", "lr")
#define TML_FC_LOAD "ldm %[x]!, {r5, r6, r12, lr}\n\t"
#define TML_FC_LOAD_BYTES "ldm %[x]!, {r5, r6}\n\t"
#define TML_FC_LOAD_BYTES_ANYWHERE "ldr r5, [%[x]], #4\n\tldr r6, [%[x]], #4\n\t"
#define TML_FC_EXPAND(FROM, TO) "sxtb16 " TO ", " FROM "\n\tsxtb16 " FROM ", " FROM ", ror #8\n\t"

#define TML_FC_END(A, B) \
    do { \
        if (apart) \
            TML_NEXT(A, B, e); \
        else \
            TML_NEXT(A, B, w); \
    } while (0)

/* `rows` rows of `depth` inputs. The first `direct` of them (a multiple of eight) are expanded anew for every four
 * channels, the others once a row into the scratch: 2 * (padded depth - direct) bytes. `direct_unroll` and `unroll`
 * divide the two parts and are multiples of eight; where a part is empty its own is not used. */
TML_INLINE void tml_fully_connected_of_dsp(const int8_t *x, int8_t *y, const int32_t *weights, const int32_t *ends,
                                           int apart, void *scratch, int rows, int depth, int channels, int direct,
                                           int direct_unroll, int unroll, int rounding, int32_t zp, int32_t lo,
                                           int32_t hi) {
    const int padded = (depth + 7) / 8 * 8, aligned = rows == 1 || depth % 4 == 0;
    const int8_t *xs = (const int8_t *)scratch;
    TML_NO_UNROLL
    for (int row = 0; row < rows; ++row, x += depth) {
        const int32_t *w = weights, *e = ends;
        if (direct < depth) tml_expand1_dsp((int32_t *)scratch, x + direct, depth - direct);
        TML_PUBLISH(xs);
        TML_NO_UNROLL
        for (int c = 0; c < channels; c += 4) {
            const int32_t *const middle = w + (apart ? 0 : 4) + direct, *const end = w + (apart ? 0 : 4) + padded;
            int32_t s0, s1, b0, b1, m, p;
            TML_FC_END(s0, b0);
            TML_FC_END(s1, b1);
            if (direct > 0) {
                const int8_t *xp = x;
                TML_NO_UNROLL
                do {
                    TML_UNROLL(64)
                    for (int i = 0; i < direct_unroll; i += 8) {
                        if (aligned)
                            TML_FC_EIGHT(TML_FC_LOAD_BYTES TML_FC_EXPAND("r5", "r12"), "r12", "r5", "r12", "r6",
                                         TML_FC_EXPAND("r6", "r12"));
                        else
                            TML_FC_EIGHT(TML_FC_LOAD_BYTES_ANYWHERE TML_FC_EXPAND("r5", "r12"), "r12", "r5", "r12",
                                         "r6", TML_FC_EXPAND("r6", "r12"));
                    }
                } while (w != middle);
            }
            if (direct < depth) {
                const int8_t *xp = xs;
                TML_NO_UNROLL
                do {
                    TML_UNROLL(64)
                    for (int i = 0; i < unroll; i += 8) TML_FC_EIGHT(TML_FC_LOAD, "r5", "r6", "r12", "lr", "");
                } while (w != end);
            }
            TML_FC_END(m, p);
            y[0] = (int8_t)tml_requant256_dsp(s0 - b0, m, p, rounding, zp, lo, hi);
            TML_FC_END(m, p);
            if (channels % 4 == 0 || c + 1 < channels) y[1] = (int8_t)tml_requant_dsp(b0, m, p, rounding, zp, lo, hi);
            TML_FC_END(m, p);
            if (channels % 4 == 0 || c + 2 < channels)
                y[2] = (int8_t)tml_requant256_dsp(s1 - b1, m, p, rounding, zp, lo, hi);
            TML_FC_END(m, p);
            if (channels % 4 == 0 || c + 3 < channels) y[3] = (int8_t)tml_requant_dsp(b1, m, p, rounding, zp, lo, hi);
            y += channels % 4 == 0 || c + 4 <= channels ? 4 : channels % 4;
        }
    }
}

/* All in one stream. */
TML_INLINE void tml_fully_connected_dsp(const int8_t *x, int8_t *y, const int32_t *weights, void *scratch, int rows,
                                        int depth, int channels, int direct, int direct_unroll, int unroll,
                                        int rounding, int32_t zp, int32_t lo, int32_t hi) {
    tml_fully_connected_of_dsp(x, y, weights, weights, 0, scratch, rows, depth, channels, direct, direct_unroll,
                               unroll, rounding, zp, lo, hi);
}

/* Words and ends apart. */
TML_INLINE void tml_fully_connected_shared_dsp(const int8_t *x, int8_t *y, const int32_t *words, const int32_t *ends,
                                               void *scratch, int rows, int depth, int channels, int direct,
                                               int direct_unroll, int unroll, int rounding, int32_t zp, int32_t lo,
                                               int32_t hi) {
    tml_fully_connected_of_dsp(x, y, words, ends, 1, scratch, rows, depth, channels, direct, direct_unroll, unroll,
                               rounding, zp, lo, hi);
}

/* Accumulators beyond 24 bits: a stream begins with the biases of A, B, C, D themselves, and after every `part` inputs (a
 * multiple of `unroll`, at most 508) what they have added to A and C goes to sums of their own. The depth is a multiple of
 * `unroll`, that one of eight; all inputs are expanded anew for every four channels. */
TML_INLINE void tml_fully_connected_deep_dsp(const int8_t *x, int8_t *y, const int32_t *w, int rows, int depth,
                                             int channels, int unroll, int part, int rounding, int32_t zp, int32_t lo,
                                             int32_t hi) {
    const int32_t *const stream = w;
    TML_NO_UNROLL
    for (int row = 0; row < rows; ++row, x += depth) {
        w = stream;
        TML_NO_UNROLL
        for (int c = 0; c < channels; c += 4) {
            const int8_t *xp = x;
            int32_t a, b0, d, b1, m, p;
            int left = depth;
            TML_NEXT(a, b0, w);
            TML_NEXT(d, b1, w);
            TML_NO_UNROLL
            do {
                const int32_t *const end = w + (left < part ? left : part);
                int32_t s0 = b0, s1 = b1;
                TML_NO_UNROLL
                do {
                    TML_UNROLL(64)
                    for (int i = 0; i < unroll; i += 8)
                        TML_FC_EIGHT(TML_FC_LOAD_BYTES TML_FC_EXPAND("r5", "r12"), "r12", "r5", "r12", "r6",
                                     TML_FC_EXPAND("r6", "r12"));
                } while (w != end);
                a = tml_add_part_dsp(a, s0, b0);
                d = tml_add_part_dsp(d, s1, b1);
                left -= part;
            } while (left > 0);
            TML_NEXT(m, p, w);
            y[0] = (int8_t)tml_requant_dsp(a, m, p, rounding, zp, lo, hi);
            TML_NEXT(m, p, w);
            if (channels % 4 == 0 || c + 1 < channels) y[1] = (int8_t)tml_requant_dsp(b0, m, p, rounding, zp, lo, hi);
            TML_NEXT(m, p, w);
            if (channels % 4 == 0 || c + 2 < channels) y[2] = (int8_t)tml_requant_dsp(d, m, p, rounding, zp, lo, hi);
            TML_NEXT(m, p, w);
            if (channels % 4 == 0 || c + 3 < channels) y[3] = (int8_t)tml_requant_dsp(b1, m, p, rounding, zp, lo, hi);
            y += channels % 4 == 0 || c + 4 <= channels ? 4 : channels % 4;
        }
    }
}

#endif
