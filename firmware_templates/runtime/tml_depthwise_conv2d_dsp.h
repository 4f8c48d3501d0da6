/* DEPTHWISE_CONV_2D on cores with the DSP extension: one input channel at a time is gathered into an int16 plane whose
 * border holds the input's zero point (the zero point itself is folded into the biases), so that two taps are one SMLAD.
 *
 * A plane row holds `pitch` (even) columns, the first pad_left of them border. The plane holds the rows for `tile` rows of
 * output: all of them (tile = out_h), or fewer, and then the rows that the next tile needs again are moved to its top.
 *
 * Streams, one for each output channel, kw the kernel's width made odd with a zero weight (3, 5 or 7), w0 .. the taps of a row:
 *     3x3, stride 1: { for each kernel row [w0 w1] [w1 w2], bias, mul, par }
 *     others: { bias, for each kernel row the words below, mul, par }
 *         horizontal stride 1: [w0 w1] .. [w(kw-3) w(kw-2)], [w1 w2] .. [w(kw-2) w(kw-1)]
 *         horizontal stride 2: [w0 w1] .. [w(kw-3) w(kw-2)], [w(kw-1) 0] */
#ifndef TML_DEPTHWISE_CONV2D_DSP_H
#define TML_DEPTHWISE_CONV2D_DSP_H

#include "tml_common_dsp.h"

/* Two rows by two columns of a 3x3 at stride 1, of which the second may be left out: 28 instructions for 36 products.
 * prm: { bias, -, mul, par } in the frame. */
TML_INLINE const int16_t *tml_dw3x3_2x2_dsp(const int16_t *x, int pitch, const int32_t k[6], const int32_t *prm, int8_t *y, int row, int column,
                                  int both, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    int32_t a, b, c, d, s, t, m, p;
    __asm__ volatile("ldr %[c], %[bias]\n\t" "ldrd %[s], %[t], [%[x]]\n\t"
            "smlad %[a], %[k0], %[s], %[c]\n\t" "smlabt %[b], %[k0], %[s], %[c]\n\t"
            "smlatb %[a], %[k1], %[t], %[a]\n\t" "smlad %[b], %[k1], %[t], %[b]\n\t"
            "ldrd %[s], %[t], [%[x], %[o1]]\n\t"
            "smlabt %[d], %[k0], %[s], %[c]\n\t" "smlad %[c], %[k0], %[s], %[c]\n\t"
            "smlatb %[c], %[k1], %[t], %[c]\n\t" "smlad %[d], %[k1], %[t], %[d]\n\t"
            "smlad %[a], %[k2], %[s], %[a]\n\t" "smlabt %[b], %[k2], %[s], %[b]\n\t"
            "smlatb %[a], %[k3], %[t], %[a]\n\t" "smlad %[b], %[k3], %[t], %[b]\n\t"
            "ldrd %[s], %[t], [%[x], %[o2]]\n\t"
            "smlad %[c], %[k2], %[s], %[c]\n\t" "smlabt %[d], %[k2], %[s], %[d]\n\t"
            "smlatb %[c], %[k3], %[t], %[c]\n\t" "smlad %[d], %[k3], %[t], %[d]\n\t"
            "smlad %[a], %[k4], %[s], %[a]\n\t" "smlabt %[b], %[k4], %[s], %[b]\n\t"
            "smlatb %[a], %[k5], %[t], %[a]\n\t" "smlad %[b], %[k5], %[t], %[b]\n\t"
            "ldrd %[s], %[t], [%[x], %[o3]]\n\t"
            "smlad %[c], %[k4], %[s], %[c]\n\t" "smlabt %[d], %[k4], %[s], %[d]\n\t"
            "smlatb %[c], %[k5], %[t], %[c]\n\t" "smlad %[d], %[k5], %[t], %[d]\n\t"
            "add %[x], %[x], #4"
            : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [s] "=&r"(s), [t] "=&r"(t), [x] "+r"(x)
            : [k0] "r"(k[0]), [k1] "r"(k[1]), [k2] "r"(k[2]), [k3] "r"(k[3]), [k4] "r"(k[4]), [k5] "r"(k[5]), [bias] "m"(prm[0]),
              [o1] "i"(2 * pitch), [o2] "i"(4 * pitch), [o3] "i"(6 * pitch));
    __asm__ volatile("ldrd %0, %1, %2" : "=r"(m), "=r"(p) : "m"(*(const int64_t *)(const void *)(prm + 2)));
    y[0] = (int8_t)tml_requant_dsp(a, m, p, rounding, zp, lo, hi);
    if (both) y[column] = (int8_t)tml_requant_dsp(b, m, p, rounding, zp, lo, hi);
    y[row] = (int8_t)tml_requant_dsp(c, m, p, rounding, zp, lo, hi);
    if (both) y[row + column] = (int8_t)tml_requant_dsp(d, m, p, rounding, zp, lo, hi);
    return x;
}

/* `rows` (at least 2) rows of a 3x3 at stride 1; where they are odd the last but one is computed again. */
TML_INLINE void tml_dw3x3_rows_dsp(const int16_t *plane, const int32_t *w, int8_t *y, int rows, int out_w, int stride, int pitch, int unroll,
                                   int rounding, int32_t zp, int32_t lo, int32_t hi) {
    int32_t k[6], prm[4] __attribute__((aligned(8)));
    int32_t *frame = prm;
    TML_UNROLL(6)
    for (int i = 0; i < 6; ++i) k[i] = w[i];
    frame[0] = w[6];
    frame[2] = w[7];
    frame[3] = w[8];
    TML_PUBLISH(frame);
    TML_PUBLISH(plane);
    TML_NO_UNROLL
    for (int i = 0; i < rows; i += 2) {
        if (i + 1 == rows) {
            plane -= pitch;
            y -= out_w * stride;
        }
        const int16_t *p = plane;
        int8_t *o = y;
        if (out_w / 2 <= unroll) {
            TML_UNROLL(64)
            for (int j = 0; j + 2 <= out_w; j += 2, o += 2 * stride)
                p = tml_dw3x3_2x2_dsp(p, pitch, k, prm, o, out_w * stride, stride, 1, rounding, zp, lo, hi);
        } else {
            const int16_t *const end = plane + out_w / 2 * 2;
            TML_NO_UNROLL
            do {
                TML_UNROLL(64)
                for (int j = 0; j < unroll; ++j, o += 2 * stride)
                    p = tml_dw3x3_2x2_dsp(p, pitch, k, prm, o, out_w * stride, stride, 1, rounding, zp, lo, hi);
            } while (p != end);
        }
        if (out_w % 2 == 1) tml_dw3x3_2x2_dsp(p, pitch, k, prm, o, out_w * stride, stride, 0, rounding, zp, lo, hi);
        plane += 2 * pitch;
        y += 2 * out_w * stride;
    }
}

/* One kernel row of four output columns: pairs of columns in r8 to r11, taps in the others. A, B and C are what a, b and c
 * are added to: themselves, or for the first row the bias, which is in d. */
#define TML_DW_3_1(A, B, C) "ldm %[w]!, {r12, lr}\n\t" "ldm %[x], {r8, r9, r10}\n\t" \
    "smlad %[a], r12, r8, " A "\n\t" "smlabt %[b], r12, r8, " B "\n\t" "smlad %[c], r12, r9, " C "\n\t" "smlabt %[d], r12, r9, %[d]\n\t" \
    "smlatb %[a], lr, r9, %[a]\n\t" "smlad %[b], lr, r9, %[b]\n\t" "smlatb %[c], lr, r10, %[c]\n\t" "smlad %[d], lr, r10, %[d]\n\t"
#define TML_DW_5_1(A, B, C) "ldm %[w]!, {r5, r6, r12, lr}\n\t" "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r5, r8, " A "\n\t" "smlabt %[b], r5, r8, " B "\n\t" "smlad %[c], r5, r9, " C "\n\t" "smlabt %[d], r5, r9, %[d]\n\t" \
    "smlad %[a], r6, r9, %[a]\n\t" "smlad %[b], r12, r9, %[b]\n\t" "smlad %[c], r6, r10, %[c]\n\t" "smlad %[d], r12, r10, %[d]\n\t" \
    "smlatb %[a], lr, r10, %[a]\n\t" "smlad %[b], lr, r10, %[b]\n\t" "smlatb %[c], lr, r11, %[c]\n\t" "smlad %[d], lr, r11, %[d]\n\t"
#define TML_DW_7_1(A, B, C) "ldm %[w]!, {r6, r12, lr}\n\t" "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r6, r8, " A "\n\t" "smlabt %[b], r6, r8, " B "\n\t" "smlad %[c], r6, r9, " C "\n\t" "smlabt %[d], r6, r9, %[d]\n\t" \
    "ldr r8, [%[x], #16]\n\t" \
    "smlad %[a], r12, r9, %[a]\n\t" "smlad %[c], r12, r10, %[c]\n\t" "smlad %[a], lr, r10, %[a]\n\t" "smlad %[c], lr, r11, %[c]\n\t" \
    "ldm %[w]!, {r6, r12, lr}\n\t" \
    "smlad %[b], r6, r9, %[b]\n\t" "smlad %[d], r6, r10, %[d]\n\t" "smlad %[b], r12, r10, %[b]\n\t" "smlad %[d], r12, r11, %[d]\n\t" \
    "smlatb %[a], lr, r11, %[a]\n\t" "smlad %[b], lr, r11, %[b]\n\t" "smlatb %[c], lr, r8, %[c]\n\t" "smlad %[d], lr, r8, %[d]\n\t"
#define TML_DW_3_2(A, B, C) "ldm %[w]!, {r12, lr}\n\t" "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r12, r8, " A "\n\t" "ldr r8, [%[x], #16]\n\t" "smlabb %[a], lr, r9, %[a]\n\t" \
    "smlad %[b], r12, r9, " B "\n\t" "smlabb %[b], lr, r10, %[b]\n\t" "smlad %[c], r12, r10, " C "\n\t" "smlabb %[c], lr, r11, %[c]\n\t" \
    "smlad %[d], r12, r11, %[d]\n\t" "smlabb %[d], lr, r8, %[d]\n\t"
#define TML_DW_5_2(A, B, C) "ldm %[w]!, {r6, r12, lr}\n\t" "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r6, r8, " A "\n\t" "smlad %[a], r12, r9, %[a]\n\t" "smlabb %[a], lr, r10, %[a]\n\t" \
    "smlad %[b], r6, r9, " B "\n\t" "smlad %[b], r12, r10, %[b]\n\t" "smlabb %[b], lr, r11, %[b]\n\t" \
    "ldrd r8, r9, [%[x], #16]\n\t" \
    "smlad %[c], r6, r10, " C "\n\t" "smlad %[c], r12, r11, %[c]\n\t" "smlabb %[c], lr, r8, %[c]\n\t" \
    "smlad %[d], r6, r11, %[d]\n\t" "smlad %[d], r12, r8, %[d]\n\t" "smlabb %[d], lr, r9, %[d]\n\t"
#define TML_DW_7_2(A, B, C) "ldm %[w]!, {r5, r6, r12, lr}\n\t" "ldm %[x], {r8, r9, r10, r11}\n\t" \
    "smlad %[a], r5, r8, " A "\n\t" "smlad %[a], r6, r9, %[a]\n\t" "smlad %[a], r12, r10, %[a]\n\t" "smlabb %[a], lr, r11, %[a]\n\t" \
    "smlad %[b], r5, r9, " B "\n\t" "ldrd r8, r9, [%[x], #16]\n\t" \
    "smlad %[b], r6, r10, %[b]\n\t" "smlad %[b], r12, r11, %[b]\n\t" "smlabb %[b], lr, r8, %[b]\n\t" \
    "smlad %[c], r5, r10, " C "\n\t" "ldr r10, [%[x], #24]\n\t" \
    "smlad %[c], r6, r11, %[c]\n\t" "smlad %[c], r12, r8, %[c]\n\t" "smlabb %[c], lr, r9, %[c]\n\t" \
    "smlad %[d], r5, r11, %[d]\n\t" "smlad %[d], r6, r8, %[d]\n\t" "smlad %[d], r12, r9, %[d]\n\t" "smlabb %[d], lr, r10, %[d]\n\t"

#define TML_DW_FIRST(ROW) "ldr %[d], [%[w]], #4\n\t" ROW("%[d]", "%[d]", "%[d]")
#define TML_DW_THEN(ROW) "add %[x], %[x], %[pitch]\n\t" ROW("%[a]", "%[b]", "%[c]")
/* All kernel rows in one statement for the usual heights. The named registers are high ones, since GCC wants low ones. */
#define TML_DW_ASM(IO, TEXT, ...) __asm__ volatile(TEXT \
    : [a] IO(a), [b] IO(b), [c] IO(c), [d] IO(d), [x] "+r"(x), [w] "+r"(w) : [pitch] "i"(2 * pitch) \
    : "r8", "r9", "r10", "r11", "r12", "lr", __VA_ARGS__)
#define TML_DW_BLOCK(ROW, ...) do { \
    if (kernel_h == 3) { \
        TML_DW_ASM("=&r", TML_DW_FIRST(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW), __VA_ARGS__); \
    } else if (kernel_h == 5) { \
        TML_DW_ASM("=&r", TML_DW_FIRST(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW), __VA_ARGS__); \
    } else if (kernel_h == 7) { \
        TML_DW_ASM("=&r", TML_DW_FIRST(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) \
                   TML_DW_THEN(ROW), __VA_ARGS__); \
    } else { \
        TML_DW_ASM("=&r", TML_DW_FIRST(ROW), __VA_ARGS__); \
        TML_NO_UNROLL \
        for (int k = 1; k < kernel_h; ++k) TML_DW_ASM("+r", TML_DW_THEN(ROW), __VA_ARGS__); \
    } } while (0)

/* `rows` rows of any kernel of width 3, 5 or 7 at horizontal stride 1 or 2, four columns at a time. */
TML_INLINE void tml_dw_rows_dsp(const int16_t *plane, const int32_t *stream, int8_t *y, int rows, int kernel_h, int kernel_w, int stride_h,
                                int stride_w, int out_w, int stride, int pitch, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    TML_PUBLISH(plane);
    TML_NO_UNROLL
    for (int i = 0; i < rows; ++i, plane += stride_h * pitch) {
        const int16_t *p = plane;
        TML_NO_UNROLL
        for (int j = 0; j < out_w; j += 4, p += 4 * stride_w, y += 4 * stride) {
            const int16_t *x = p;
            const int32_t *w = stream;
            int32_t a, b, c, d, m, q;
            if (kernel_w == 3 && stride_w == 1) TML_DW_BLOCK(TML_DW_3_1, "cc");
            if (kernel_w == 5 && stride_w == 1) TML_DW_BLOCK(TML_DW_5_1, "r5", "r6");
            if (kernel_w == 7 && stride_w == 1) TML_DW_BLOCK(TML_DW_7_1, "r6");
            if (kernel_w == 3 && stride_w == 2) TML_DW_BLOCK(TML_DW_3_2, "cc");
            if (kernel_w == 5 && stride_w == 2) TML_DW_BLOCK(TML_DW_5_2, "r6");
            if (kernel_w == 7 && stride_w == 2) TML_DW_BLOCK(TML_DW_7_2, "r5", "r6");
            TML_LDRD(m, q, w);
            const int full = out_w % 4 == 0 || j + 4 <= out_w;
            y[0] = (int8_t)tml_requant_dsp(a, m, q, rounding, zp, lo, hi);
            if (full || out_w % 4 >= 2) y[stride] = (int8_t)tml_requant_dsp(b, m, q, rounding, zp, lo, hi);
            if (full || out_w % 4 >= 3) y[2 * stride] = (int8_t)tml_requant_dsp(c, m, q, rounding, zp, lo, hi);
            if (full) y[3 * stride] = (int8_t)tml_requant_dsp(d, m, q, rounding, zp, lo, hi);
        }
        if (out_w % 4 != 0) y -= (4 - out_w % 4) * stride;
    }
}

TML_INLINE void tml_dw_fill_dsp(int16_t *to, int words, int32_t zero_point) {
    const int32_t pair = (int32_t)((uint16_t)zero_point | (uint32_t)zero_point << 16);
    int32_t *o = (int32_t *)(void *)to;
    TML_NO_UNROLL
    for (int i = 0; i < words; ++i) o[i] = pair;
}

/* One row of one channel, as int16. */
TML_INLINE void tml_dw_gather_dsp(int16_t *to, const int8_t *x, int width, int channels, int unroll) {
    if (unroll == width) {
        TML_UNROLL(64)
        for (int j = 0; j < width; ++j) to[j] = x[j * channels];
    } else {
        const int16_t *const end = to + width;
        TML_NO_UNROLL
        do {
            TML_UNROLL(64)
            for (int j = 0; j < unroll; ++j) to[j] = x[j * channels];
            to += unroll;
            x += unroll * channels;
        } while (to != end);
    }
}

/* Scratch: 2 * pitch * ((tile - 1) * stride_h + kernel_h) bytes and 32 more, since the last columns' blocks read on.
 * y may be x where multiplier = 1 and the output is no wider and no taller: a channel's bytes are gathered before they are
 * overwritten. `gather` divides width and gather_rows the rows gathered; `unroll` divides out_w / 2 or is at least that (3x3, stride 1). */
TML_INLINE void tml_depthwise_conv2d_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int height, int width, int channels,
                                         int multiplier, int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_top, int pad_left,
                                         int out_h, int out_w, int pitch, int tile, int gather, int gather_rows, int unroll, int32_t zero_point, int rounding,
                                         int32_t zp, int32_t lo, int32_t hi) {
    const int square = kernel_h == 3 && kernel_w == 3 && stride_h == 1 && stride_w == 1 && out_h >= 2 && out_w >= 2;
    const int band = (tile - 1) * stride_h + kernel_h, again = kernel_h > stride_h ? kernel_h - stride_h : 0;
    const int row_words = stride_w == 1 ? kernel_w - 1 : (kernel_w + 1) / 2, stream_words = 3 + kernel_h * row_words, whole = tile == out_h;
    int16_t *const plane = (int16_t *)scratch;
    tml_dw_fill_dsp(plane, band * pitch / 2, zero_point);
    TML_NO_UNROLL
    for (int c = 0; c < channels; ++c, ++x, y += multiplier) {
        TML_NO_UNROLL
        for (int start = 0; start < out_h; start += tile) {
            const int above = start * stride_h - pad_top;
            if (start != 0 && again > 0)
                tml_copy_dsp((int8_t *)plane, (const int8_t *)(plane + tile * stride_h * pitch), 2 * again * pitch, 1);
            const int from = pad_top, to_row = band > pad_top + height ? pad_top + height : band;
            if (whole) {
                const int8_t *s = x;
                int16_t *row = plane + pad_top * pitch + pad_left;
                TML_NO_UNROLL
                for (int i = from; i < to_row; i += gather_rows) {
                    TML_UNROLL(64)
                    for (int k = 0; k < gather_rows; ++k, row += pitch, s += width * channels)
                        tml_dw_gather_dsp(row, s, width, channels, gather);
                }
            }
            TML_NO_UNROLL
            for (int i = whole ? band : start == 0 ? 0 : again; i < band; ++i) {
                if ((unsigned)(above + i) < (unsigned)height)
                    tml_dw_gather_dsp(plane + i * pitch + pad_left, x + (above + i) * width * channels, width, channels, gather);
                else
                    tml_dw_fill_dsp(plane + i * pitch, pitch / 2, zero_point);
            }
            const int rows = whole || start + tile <= out_h ? tile : out_h - start;
            int8_t *const to = y + start * out_w * channels * multiplier;
            const int32_t *stream = w;
            TML_NO_UNROLL
            for (int m = 0; m < multiplier; ++m, stream += stream_words) {
                if (square)
                    tml_dw3x3_rows_dsp(plane, stream, to + m, rows, out_w, channels * multiplier, pitch, unroll, rounding, zp, lo, hi);
                else
                    tml_dw_rows_dsp(plane, stream, to + m, rows, kernel_h, kernel_w, stride_h, stride_w, out_w, channels * multiplier, pitch,
                                    rounding, zp, lo, hi);
            }
        }
        w += stream_words * multiplier;
    }
}

#endif
