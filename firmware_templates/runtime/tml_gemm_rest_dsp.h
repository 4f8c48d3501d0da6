/* One or two pixels by two channels at a time, for what is left of a matrix product of three pixels: the same streams
 * and words as in tml_conv2d_dsp.h. */
#ifndef TML_GEMM_REST_DSP_H
#define TML_GEMM_REST_DSP_H

#include "tml_common_dsp.h"

/* Two weight words by two pixels of three: 13 instructions; by one: 9. */
#define TML_GEMM_REST_2 \
    __asm__ volatile( \
        "ldrd r9, r10, [%[w]], #8\n\t" \
        "ldrd r11, r12, [%[x]], #12\n\t" \
        "smlad %[s0], r9, r11, %[s0]\n\t" \
        "smlad %[s1], r9, r12, %[s1]\n\t" \
        "sxtb16 r9, r9\n\t" \
        "smlad %[b0], r9, r11, %[b0]\n\t" \
        "smlad %[b1], r9, r12, %[b1]\n\t" \
        "ldrd r11, r12, [%[x]], #12\n\t" \
        "smlad %[s0], r10, r11, %[s0]\n\t" \
        "smlad %[s1], r10, r12, %[s1]\n\t" \
        "sxtb16 r10, r10\n\t" \
        "smlad %[b0], r10, r11, %[b0]\n\t" \
        "smlad %[b1], r10, r12, %[b1]" \
        : [s0] "+r"(s0), [s1] "+r"(s1), [b0] "+r"(b0), [b1] "+r"(b1), [w] "+r"(w), [x] "+r"(x) \
        : \
        : "r9", "r10", "r11", "r12")
#define TML_GEMM_REST_1 \
    __asm__ volatile( \
        "ldrd r9, r10, [%[w]], #8\n\t" \
        "ldr r11, [%[x]], #12\n\t" \
        "ldr r12, [%[x]], #12\n\t" \
        "smlad %[s0], r9, r11, %[s0]\n\t" \
        "sxtb16 r9, r9\n\t" \
        "smlad %[b0], r9, r11, %[b0]\n\t" \
        "smlad %[s0], r10, r12, %[s0]\n\t" \
        "sxtb16 r10, r10\n\t" \
        "smlad %[b0], r10, r12, %[b0]" \
        : [s0] "+r"(s0), [b0] "+r"(b0), [w] "+r"(w), [x] "+r"(x) \
        : \
        : "r9", "r10", "r11", "r12")

/* All output channels of `rest` (1 or 2) pixels, whose words lie three words apart and whose outputs are `pitch` bytes
 * apart; `unroll` of the words a turn (an even divisor of the words of each part). */
TML_INLINE void tml_gemm_rest_dsp(const int32_t *pixels, const int32_t *w, int8_t *y, int rest, int channels, int pitch,
                                  int words, int unroll, int parts, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int32_t *const last = w + (channels + 1) / 2 * (words + 6);
    const int second = channels > 1;
    TML_PUBLISH(pixels);
    TML_NO_UNROLL
    do {
        const int32_t *x = pixels;
        int32_t s0, s1, b0, b1, m, p, a0, a1;
        int left = parts;
        TML_NEXT(s0, b0, w);
        s1 = a0 = a1 = s0;
        b1 = b0;
        TML_NO_UNROLL
        do {
            const int32_t *const end = w + words / parts;
            if (parts > 1) {
                s0 = b0;
                s1 = b1;
            }
            TML_NO_UNROLL
            do {
                TML_UNROLL(32)
                for (int i = 0; i < unroll; i += 2) {
                    if (rest == 2)
                        TML_GEMM_REST_2;
                    else
                        TML_GEMM_REST_1;
                }
            } while (w != end);
            a0 = tml_add_part_dsp(a0, s0, b0);
            a1 = tml_add_part_dsp(a1, s1, b1);
        } while (--left != 0);
        TML_NEXT(m, p, w);
        if (parts > 1) {
            y[0] = (int8_t)tml_requant_dsp(a0, m, p, rounding, zp, lo, hi);
            if (rest == 2) y[pitch] = (int8_t)tml_requant_dsp(a1, m, p, rounding, zp, lo, hi);
        } else {
            y[0] = (int8_t)tml_requant256_dsp(s0 - b0, m, p, rounding, zp, lo, hi);
            if (rest == 2) y[pitch] = (int8_t)tml_requant256_dsp(s1 - b1, m, p, rounding, zp, lo, hi);
        }
        TML_NEXT(m, p, w);
        y[second] = (int8_t)tml_requant_dsp(b0, m, p, rounding, zp, lo, hi);
        if (rest == 2) y[pitch + second] = (int8_t)tml_requant_dsp(b1, m, p, rounding, zp, lo, hi);
        y += 2;
        if (channels % 2 == 1 && w + (words + 6) == last) y -= 1;
    } while (w != last);
}

#endif
