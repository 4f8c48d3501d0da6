/* DEPTHWISE_CONV_2D on cores with the DSP extension, four channels at a time and only the taps that lie inside of the input:
 * any kernel, stride, dilation and padding, and the fewest products where windows are large beside the image. A word is
 * four channels of a pixel, which SXTAB16 makes two pairs of int16 without their zero point.
 *
 * Streams, one for every four channels (where these are no multiple of four, the last four once more from the end):
 * { 4 biases, for each tap [w0 w2] [w1 w3], mul and par of each channel }. */
#ifndef TML_DEPTHWISE_CLIPPED_DSP_H
#define TML_DEPTHWISE_CLIPPED_DSP_H

#include "tml_common_dsp.h"

/* Which taps of a kernel are inside: from first on to end, excluded. */
TML_INLINE int tml_first_tap(int origin, int dilation) { return origin >= 0 ? 0 : (dilation - 1 - origin) / dilation; }

TML_INLINE int tml_end_tap(int origin, int dilation, int kernel, int size) {
    const int reach = (size - 1 - origin) / dilation + 1;
    return origin >= size ? 0 : reach < kernel ? reach : kernel;
}

/* One tap of four channels. In assembly, because GCC loads all pixels of a window first, for which registers are too few. */
#define TML_TAP4_DSP(LOADS, ...)                                    \
    do {                                                            \
        int32_t word, pair, w02, w13;                               \
        __asm__ volatile(LOADS                                      \
                         "sxtab16 %[pair], %[zero], %[word]\n\t"    \
                         "sxtab16 %[word], %[zero], %[word], ror #8\n\t" \
                         "smlabb %[s0], %[pair], %[w02], %[s0]\n\t" \
                         "smlatt %[s2], %[pair], %[w02], %[s2]\n\t" \
                         "smlabb %[s1], %[word], %[w13], %[s1]\n\t" \
                         "smlatt %[s3], %[word], %[w13], %[s3]"     \
                         : [s0] "+r"(s0), [s1] "+r"(s1), [s2] "+r"(s2), [s3] "+r"(s3), [word] "=&r"(word), \
                           [pair] "=&r"(pair), [w02] "=&r"(w02), [w13] "=&r"(w13), [x] "+r"(x), [w] "+r"(w) \
                         : [zero] "r"(minus_zero), __VA_ARGS__      \
                         : "memory");                               \
    } while (0)
#define TML_TAP4_AT "ldr %[word], [%[x], %[xo]]\n\tldrd %[w02], %[w13], [%[w], %[wo]]\n\t"
#define TML_TAP4_NEXT "ldr %[word], [%[x]]\n\tldrd %[w02], %[w13], [%[w]], #8\n\t"

/* rows x columns taps of four channels; x and w are at the first. A `whole` window is unrolled. */
TML_INLINE void tml_clipped_four_dsp(const int8_t *x, const int32_t *stream, const int32_t *w, int8_t *y, int rows,
                                     int columns, int row_step, int step, int kernel_w, int taps, int whole,
                                     int32_t minus_zero, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    int32_t s0 = stream[0], s1 = stream[1], s2 = stream[2], s3 = stream[3];
    const int32_t *const scales = stream + 4 + 2 * taps;
    if (whole) {
        TML_UNROLL(9)
        for (int r = 0; r < rows; ++r, x += row_step) {
            TML_UNROLL(9)
            for (int n = 0; n < columns; ++n)
                TML_TAP4_DSP(TML_TAP4_AT, [xo] "i"(n * step), [wo] "i"(8 * (r * kernel_w + n)));
        }
    } else {
        TML_NO_UNROLL
        for (int r = 0; r < rows; ++r) {
            const int32_t *const end = w + 2 * columns;
            TML_NO_UNROLL
            do {
                TML_TAP4_DSP(TML_TAP4_NEXT, "i"(0));
                x += step;
            } while (w != end);
            x += row_step - columns * step;
            w += 2 * (kernel_w - columns);
        }
    }
    y[0] = (int8_t)tml_requant_dsp(s0, scales[0], scales[1], rounding, zp, lo, hi);
    y[1] = (int8_t)tml_requant_dsp(s1, scales[2], scales[3], rounding, zp, lo, hi);
    y[2] = (int8_t)tml_requant_dsp(s2, scales[4], scales[5], rounding, zp, lo, hi);
    y[3] = (int8_t)tml_requant_dsp(s3, scales[6], scales[7], rounding, zp, lo, hi);
}

/* The output's pixels begin out_pitch bytes apart. */
TML_INLINE void tml_depthwise_clipped_dsp(const int8_t *x, int8_t *y, const int32_t *w, int height, int width, int channels,
                                          int kernel_h, int kernel_w, int stride_h, int stride_w, int dilation_h,
                                          int dilation_w, int pad_top, int pad_left, int out_h, int out_w, int out_pitch,
                                          int32_t zero_point, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int taps = kernel_h * kernel_w, step = dilation_w * channels, row_step = dilation_h * width * channels;
    const int unrolled = taps <= 9 && (kernel_w - 1) * step <= 4095;
    const int32_t minus_zero = (int32_t)(((uint32_t)-zero_point & 0xffffu) * 0x10001u);
    TML_NO_UNROLL
    for (int oy = 0; oy < out_h; ++oy) {
        const int origin_y = oy * stride_h - pad_top;
        const int first_y = tml_first_tap(origin_y, dilation_h);
        const int rows = tml_end_tap(origin_y, dilation_h, kernel_h, height) - first_y;
        TML_NO_UNROLL
        for (int ox = 0; ox < out_w; ++ox, y += out_pitch) {
            const int origin_x = ox * stride_w - pad_left;
            const int first_x = tml_first_tap(origin_x, dilation_w);
            const int columns = tml_end_tap(origin_x, dilation_w, kernel_w, width) - first_x;
            const int8_t *const p =
                x + ((origin_y + first_y * dilation_h) * width + origin_x + first_x * dilation_w) * channels;
            const int32_t *stream = w;
            TML_NO_UNROLL
            for (int c = 0; c < channels; c += 4, stream += 12 + 2 * taps) {
                const int at = c + 4 > channels ? channels - 4 : c;
                const int32_t *const q = stream + 4 + 2 * (first_y * kernel_w + first_x);
                if (unrolled && rows == kernel_h && columns == kernel_w)
                    tml_clipped_four_dsp(p + at, stream, q, y + at, kernel_h, kernel_w, row_step, step, kernel_w, taps, unrolled,
                                         minus_zero, rounding, zp, lo, hi);
                else
                    tml_clipped_four_dsp(p + at, stream, q, y + at, columns > 0 ? rows : 0, columns, row_step, step,
                                         kernel_w, taps, 0, minus_zero, rounding, zp, lo, hi);
            }
        }
    }
}

#endif
