/* One row of a convolution's outputs on cores with the DSP extension, from input that is complete: nothing leaves it.
 *
 * Windows come from a band, rows of the input with their padding, or for 1x1 kernels from the input itself. Streams and
 * words are those of tml_conv2d_dsp.h. A single output channel has a stream of its own, one SMLAD for two inputs of a
 * pixel: { bias, P words of two int16 weights, mul, par }. */
#ifndef TML_ROW_DSP_H
#define TML_ROW_DSP_H

#include "tml_conv2d_dsp.h"

/* Three pixels, one channel, two weight words: 9 instructions for 12 products. */
#define TML_GEMM_SINGLE_STEP \
    __asm__ volatile( \
        "ldrd r9, r10, [%[w]], #8\n\t" \
        "ldm %[x]!, {r11, r12, lr}\n\t" \
        "smlad %[s0], r9, r11, %[s0]\n\t" \
        "smlad %[s1], r9, r12, %[s1]\n\t" \
        "smlad %[s2], r9, lr, %[s2]\n\t" \
        "ldm %[x]!, {r11, r12, lr}\n\t" \
        "smlad %[s0], r10, r11, %[s0]\n\t" \
        "smlad %[s1], r10, r12, %[s1]\n\t" \
        "smlad %[s2], r10, lr, %[s2]" \
        : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [w] "+r"(w), [x] "+r"(x) \
        : \
        : "r9", "r10", "r11", "r12", "lr")

/* One channel of three pixels, whose outputs are `pitch` bytes apart; `unroll` words a turn (an even divisor of words). */
TML_INLINE void tml_gemm_single_dsp(const int32_t *x, const int32_t *w, int8_t *y, int pitch, int words, int unroll,
                                    int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int32_t *const end = w + 1 + words;
    int32_t s0 = *w++, s1 = s0, s2 = s0, m, p;
    TML_PUBLISH(x);
    TML_NO_UNROLL
    do {
        TML_UNROLL(128)
        for (int i = 0; i < unroll; i += 2) TML_GEMM_SINGLE_STEP;
    } while (unroll != words && w != end);
    TML_NEXT(m, p, w);
    y[0] = (int8_t)tml_requant_dsp(s0, m, p, rounding, zp, lo, hi);
    y[pitch] = (int8_t)tml_requant_dsp(s1, m, p, rounding, zp, lo, hi);
    y[2 * pitch] = (int8_t)tml_requant_dsp(s2, m, p, rounding, zp, lo, hi);
}

/* The same for one or two pixels, whose words lie three words apart. */
TML_INLINE void tml_gemm_single_rest_dsp(const int32_t *x, const int32_t *w, int8_t *y, int rest, int pitch, int words,
                                         int rounding, int32_t zp, int32_t lo, int32_t hi) {
    TML_PUBLISH(x);
    TML_NO_UNROLL
    for (int p = 0; p < rest; ++p) {
        int32_t s = w[0];
        TML_UNROLL(2)
        for (int i = 0; i < words; ++i) s = __smlad(w[1 + i], x[3 * i + p], s);
        y[p * pitch] = (int8_t)tml_requant_dsp(s, w[1 + words], w[2 + words], rounding, zp, lo, hi);
    }
}

/* `pixels` outputs, `pitch` bytes apart, of windows `step` bytes apart from x on. A window is `blocks` times `rows` runs of
 * `run` bytes, the runs `run_pitch` and the blocks `block_pitch` bytes apart. One or two pixels that are left are computed
 * alone, `tail` words a turn, or for tail = 0 with those before them once more. Scratch: 12 * words bytes. */
TML_INLINE void tml_row_dsp(const int8_t *x, const int32_t *w, int8_t *y, int32_t *xb, int pixels, int blocks, int rows,
                            int run, int run_pitch, int block_pitch, int step, int channels, int pitch, int words,
                            int unroll, int tail, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int few = pixels < 3, rest = few ? 1 : pixels % 3, back = few || rest == 0 ? 0 : 3 - rest;
    const int block_words = (rows * run + 1) / 2;
    const int8_t *from = x;
    int8_t *to = y;
    TML_NO_UNROLL
    for (int n = 0; n < pixels; n += few ? 1 : 3) {
        const int whole = !few && (rest == 0 || n + 3 <= pixels);
        if (!whole) from -= back * step;
        TML_UNROLL(3)
        for (int i = 0; i < blocks; ++i)
            tml_expand3_dsp(xb + 3 * i * block_words, from + i * block_pitch, rows, run, run_pitch, few ? 0 : step);
        if (few || (!whole && tail != 0)) {
            if (channels == 1)
                tml_gemm_single_rest_dsp(xb + back, w, to, rest, pitch, words, rounding, zp, lo, hi);
            else
                tml_gemm_rest_dsp(xb + back, w, to, rest, channels, pitch, words, tail, 1, rounding, zp, lo, hi);
        } else {
            if (!whole) to -= back * pitch;
            if (channels == 1)
                tml_gemm_single_dsp(xb, w, to, pitch, words, unroll, rounding, zp, lo, hi);
            else
                tml_gemm_block_dsp(xb, w, to, channels, pitch, words, unroll, 1, rounding, zp, lo, hi);
        }
        from += (few ? 1 : 3) * step;
        to += (few ? 1 : 3) * pitch;
    }
}

/* Bytes of a zero point, four at a time. */
TML_INLINE void tml_fill_band_dsp(int8_t *to, int32_t zero_point, int bytes) {
    const uint32_t four = 0x01010101u * (uint8_t)zero_point;
    TML_NO_UNROLL
    for (int i = 0; i < bytes / 4; ++i, to += 4) {
        *(tml_word *)(void *)to = four;
        __asm__ volatile("" : : : "memory");
    }
    TML_UNROLL(3)
    for (int i = 0; i < bytes % 4; ++i) to[i] = (int8_t)zero_point;
}

/* `rows` rows of the input, from `row` on and `dilation` apart, `columns` pixels wide, to `to`: of each pixel `depth` of
 * its `in_c` bytes from x on. What lies outside of the input has its zero point. */
TML_INLINE void tml_load_band_dsp(int8_t *to, const int8_t *x, int row, int rows, int dilation, int height, int width,
                                  int in_c, int depth, int pad_left, int columns, int32_t zero_point) {
    const int room = columns - pad_left, inside = room < width ? room : width, after = room - inside;
    TML_NO_UNROLL
    for (int i = 0; i < rows; ++i, row += dilation) {
        const int8_t *from = x + row * width * in_c;
        if ((unsigned)row >= (unsigned)height) {
            tml_fill_band_dsp(to, zero_point, columns * depth);
            to += columns * depth;
            continue;
        }
        tml_fill_band_dsp(to, zero_point, pad_left * depth);
        to += pad_left * depth;
        if (depth == in_c) {
            tml_copy_dsp(to, from, inside * depth, 0);
            to += inside * depth;
        } else {
            TML_NO_UNROLL
            for (int n = 0; n < inside; ++n, from += in_c, to += depth) {
                if (depth <= 16)
                    __builtin_memcpy(to, from, (size_t)depth);
                else
                    tml_copy_dsp(to, from, depth, 0);
                __asm__ volatile("" : "+r"(from), "+r"(to) : : "memory");
            }
        }
        tml_fill_band_dsp(to, zero_point, after * depth);
        to += after * depth;
    }
}

#endif
