/* DEPTHWISE_CONV_2D on cores with the DSP extension: one input channel at a time is gathered into an int16 plane whose
 * border holds the input's zero point (the zero point itself is folded into the biases), so that two taps are one
 * SMLAD.
 *
 * A plane row holds `pitch` (even) columns, the first pad_left of them border. The plane holds the rows for `tile` rows
 * of output: all of them (tile = out_h), or fewer, and then the rows that the next tile needs again are moved to its
 * top.
 *
 * Streams, one for each output channel, kw the kernel's width made odd with a zero weight (3, 5 or 7), w0 .. the taps
 * of a row: 3x3, stride 1: { [w0 w1] [w1 w2] of the first kernel row, bias, the same of the other rows, mul, par }
 *     others: { bias, for each kernel row the words below, mul, par }
 *         horizontal stride 1: [w0 w1] .. [w(kw-3) w(kw-2)], [w1 w2] .. [w(kw-2) w(kw-1)]
 *         horizontal stride 2: [w0 w1] .. [w(kw-3) w(kw-2)], [w(kw-1) 0]
 * Packed streams, { bias, mul, par, kernel_h * kw taps as bytes }, are expanded to those above once a channel. */
#ifndef TML_DEPTHWISE_CONV2D_DSP_H
#define TML_DEPTHWISE_CONV2D_DSP_H

#include "tml_common_dsp.h"
#include "tml_depthwise_taps_dsp.h"

/* Two rows by two columns of a 3x3 at stride 1: 31 instructions for 36 products. The taps stay in the stream at w,
 * since six of them leave too few registers; a, b, r10 and d are the sums of (0,0), (0,1), (1,0) and (1,1). */
#define TML_DW22_SUMS \
    "ldm %[w], {r8, r9, r10, r11, r12}\n\t" \
    "ldrd %[s], %[t], [%[x]]\n\t" \
    "smlad %[a], r8, %[s], r10\n\t" \
    "smlabt %[b], r8, %[s], r10\n\t" \
    "smlatb %[a], r9, %[t], %[a]\n\t" \
    "smlad %[b], r9, %[t], %[b]\n\t" \
    "ldrd %[s], %[t], [%[x], %[o1]]\n\t" \
    "smlabt %[d], r8, %[s], r10\n\t" \
    "smlad r10, r8, %[s], r10\n\t" \
    "smlatb r10, r9, %[t], r10\n\t" \
    "smlad %[d], r9, %[t], %[d]\n\t" \
    "smlad %[a], r11, %[s], %[a]\n\t" \
    "smlabt %[b], r11, %[s], %[b]\n\t" \
    "smlatb %[a], r12, %[t], %[a]\n\t" \
    "smlad %[b], r12, %[t], %[b]\n\t" \
    "ldrd %[s], %[t], [%[x], %[o2]]\n\t" \
    "ldrd r8, r9, [%[w], #20]\n\t" \
    "smlad r10, r11, %[s], r10\n\t" \
    "smlabt %[d], r11, %[s], %[d]\n\t" \
    "smlatb r10, r12, %[t], r10\n\t" \
    "smlad %[d], r12, %[t], %[d]\n\t" \
    "smlad %[a], r8, %[s], %[a]\n\t" \
    "smlabt %[b], r8, %[s], %[b]\n\t" \
    "smlatb %[a], r9, %[t], %[a]\n\t" \
    "smlad %[b], r9, %[t], %[b]\n\t" \
    "ldrd %[s], %[t], [%[x], %[o3]]\n\t" \
    "smlad r10, r8, %[s], r10\n\t" \
    "smlabt %[d], r8, %[s], %[d]\n\t" \
    "smlatb r10, r9, %[t], r10\n\t" \
    "smlad %[d], r9, %[t], %[d]\n\t" \
    "add %[x], %[x], #4\n\t"
/* The left half of such a block alone: 18 instructions for 18 products. */
#define TML_DW21_SUMS \
    "ldm %[w], {r8, r9, r10, r11, r12}\n\t" \
    "ldrd %[s], %[t], [%[x]]\n\t" \
    "smlad %[a], r8, %[s], r10\n\t" \
    "smlatb %[a], r9, %[t], %[a]\n\t" \
    "ldrd %[s], %[t], [%[x], %[o1]]\n\t" \
    "smlad r10, r8, %[s], r10\n\t" \
    "smlatb r10, r9, %[t], r10\n\t" \
    "smlad %[a], r11, %[s], %[a]\n\t" \
    "smlatb %[a], r12, %[t], %[a]\n\t" \
    "ldrd %[s], %[t], [%[x], %[o2]]\n\t" \
    "ldrd r8, r9, [%[w], #20]\n\t" \
    "smlad r10, r11, %[s], r10\n\t" \
    "smlatb r10, r12, %[t], r10\n\t" \
    "smlad %[a], r8, %[s], %[a]\n\t" \
    "smlatb %[a], r9, %[t], %[a]\n\t" \
    "ldrd %[s], %[t], [%[x], %[o3]]\n\t" \
    "smlad r10, r8, %[s], r10\n\t" \
    "smlatb r10, r9, %[t], r10\n\t"
/* Linear requantisation and stores. */
#define TML_DW22_STORE(REG, AT) \
    "smmla " REG ", " REG ", r11, r12\n\t" \
    "ssat " REG ", #8, " REG ", asr %[shift]\n\t" \
    "strb " REG ", [%[y]" AT "]\n\t"
#define TML_DW22_LEFT "ldrd r11, r12, [%[w], #28]\n\t" TML_DW22_STORE("%[a]", "") TML_DW22_STORE("r10", ", %[row]")
#define TML_DW22_RIGHT \
    TML_DW22_STORE("%[b]", ", %[column]") TML_DW22_STORE("%[d]", ", %[both]") "add %[y], %[y], %[next]"
#define TML_DW22_OUTPUTS [a] "=&r"(a), [b] "=&r"(b), [d] "=&r"(d), [s] "=&r"(s), [t] "=&r"(t), [x] "+r"(x)
#define TML_DW22_INPUTS [w] "r"(w), [o1] "i"(2 * pitch), [o2] "i"(4 * pitch), [o3] "i"(6 * pitch)
#define TML_DW22_STORES \
    [shift] "i"(zp), [row] "i"(row), [column] "i"(column), [both] "i"(row + column), [next] "i"(2 * column)
#define TML_DW22_CLOBBERS "r8", "r9", "r10", "r11", "r12", "memory"

/* `pairs` such blocks, and the left half of another where `odd`. */
TML_INLINE void tml_dw3x3_pairs_dsp(const int16_t *x, int pitch, const int32_t *w, int8_t *y, int row, int column,
                                    int pairs, int odd, int unroll, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    int32_t a, b, d, s, t;
    if (rounding == TML_LINEAR && lo == -128 && hi == 127 && row + column <= 4095) {
        if (pairs > 0) {
            const int16_t *const end = x + 2 * pairs;
            TML_NO_UNROLL
            do {
                TML_UNROLL(64)
                for (int i = 0; i < unroll; ++i)
                    __asm__ volatile(TML_DW22_SUMS TML_DW22_LEFT TML_DW22_RIGHT
                                     : TML_DW22_OUTPUTS, [y] "+r"(y)
                                     : TML_DW22_INPUTS, TML_DW22_STORES
                                     : TML_DW22_CLOBBERS);
            } while (x != end);
        }
        if (odd)
            __asm__ volatile(TML_DW21_SUMS TML_DW22_LEFT
                             : [a] "=&r"(a), [s] "=&r"(s), [t] "=&r"(t)
                             : [x] "r"(x), [y] "r"(y), TML_DW22_INPUTS, TML_DW22_STORES
                             : TML_DW22_CLOBBERS);
    } else {
        TML_NO_UNROLL
        for (int i = 0; i < pairs + odd; ++i, y += 2 * column) {
            int32_t c;
            __asm__ volatile(TML_DW22_SUMS "mov %[c], r10"
                             : TML_DW22_OUTPUTS, [c] "=&r"(c)
                             : TML_DW22_INPUTS
                             : TML_DW22_CLOBBERS);
            y[0] = (int8_t)tml_requant_dsp(a, w[7], w[8], rounding, zp, lo, hi);
            y[row] = (int8_t)tml_requant_dsp(c, w[7], w[8], rounding, zp, lo, hi);
            if (!odd || i < pairs) {
                y[column] = (int8_t)tml_requant_dsp(b, w[7], w[8], rounding, zp, lo, hi);
                y[row + column] = (int8_t)tml_requant_dsp(d, w[7], w[8], rounding, zp, lo, hi);
            }
        }
    }
}

/* `rows` (at least 2) rows of a 3x3 at stride 1; where they are odd the last but one is computed again. */
TML_INLINE void tml_dw3x3_rows_dsp(const int16_t *plane, const int32_t *w, int8_t *y, int rows, int out_w, int stride,
                                   int pitch, int unroll, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    TML_PUBLISH(plane);
    TML_NO_UNROLL
    for (int i = 0; i < rows; i += 2) {
        if (i + 1 == rows) {
            plane -= pitch;
            y -= out_w * stride;
        }
        tml_dw3x3_pairs_dsp(plane, pitch, w, y, out_w * stride, stride, out_w / 2, out_w % 2, unroll, rounding, zp, lo,
                            hi);
        plane += 2 * pitch;
        y += 2 * out_w * stride;
    }
}

#define TML_DW_FIRST(ROW) "ldr %[d], [%[w]], #4\n\t" ROW("%[d]", "%[d]", "%[d]")
#define TML_DW_THEN(ROW) "add %[x], %[x], %[pitch]\n\t" ROW("%[a]", "%[b]", "%[c]")
/* All kernel rows in one statement for the usual heights. Registers named here are high: GCC wants the low ones. */
#define TML_DW_ASM(IO, TEXT, ...) \
    __asm__ volatile(TEXT \
                     : [a] IO(a), [b] IO(b), [c] IO(c), [d] IO(d), [x] "+r"(x), [w] "+r"(w) \
                     : [pitch] "i"(2 * pitch) \
                     : "r8", "r9", "r10", "r11", "r12", "lr", __VA_ARGS__)
#define TML_DW_BLOCK(ROW, ...) \
    do { \
        if (kernel_h == 3) { \
            TML_DW_ASM("=&r", TML_DW_FIRST(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW), __VA_ARGS__); \
        } else if (kernel_h == 5) { \
            TML_DW_ASM("=&r", TML_DW_FIRST(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW), \
                       __VA_ARGS__); \
        } else if (kernel_h == 7) { \
            TML_DW_ASM("=&r", \
                       TML_DW_FIRST(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) TML_DW_THEN(ROW) \
                           TML_DW_THEN(ROW) TML_DW_THEN(ROW), \
                       __VA_ARGS__); \
        } else { \
            TML_DW_ASM("=&r", TML_DW_FIRST(ROW), __VA_ARGS__); \
            TML_NO_UNROLL \
            for (int k = 1; k < kernel_h; ++k) TML_DW_ASM("+r", TML_DW_THEN(ROW), __VA_ARGS__); \
        } \
    } while (0)

/* `rows` rows of any kernel of width 3, 5 or 7 at horizontal stride 1 or 2, four columns at a time. */
TML_INLINE void tml_dw_rows_dsp(const int16_t *plane, const int32_t *stream, int8_t *y, int rows, int kernel_h,
                                int kernel_w, int stride_h, int stride_w, int out_w, int stride, int pitch,
                                int rounding, int32_t zp, int32_t lo, int32_t hi) {
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

/* Part of a row of one channel, as int16. The barriers keep GCC's vectoriser from packing pairs, which costs more. */
TML_INLINE void tml_dw_gather_part_dsp(int16_t *to, const int8_t *x, int columns, int channels) {
    TML_UNROLL(32)
    for (int j = 0; j + 2 <= columns; j += 2) {
        const int16_t a = x[j * channels], b = x[(j + 1) * channels];
        to[j] = a;
        to[j + 1] = b;
        __asm__ volatile("" : : : "memory");
    }
    if (columns % 2 == 1) to[columns - 1] = x[(columns - 1) * channels];
    __asm__ volatile("" : : : "memory");
}

TML_INLINE void tml_dw_gather_dsp(int16_t *to, const int8_t *x, int width, int channels, int unroll) {
    if (unroll == width) {
        tml_dw_gather_part_dsp(to, x, width, channels);
    } else {
        const int16_t *const end = to + width;
        TML_NO_UNROLL
        do {
            tml_dw_gather_part_dsp(to, x, unroll, channels);
            to += unroll;
            x += unroll * channels;
        } while (to != end);
    }
}

/* A packed stream as words; `before` of them (2 for a 3x3 at stride 1, else none) stand before the bias. */
TML_INLINE void tml_dw_unpack_dsp(int32_t *to, const int32_t *from, int kernel_h, int kw, int stride_w, int before) {
    const int8_t *taps = (const int8_t *)(const void *)(from + 3);
    if (before == 0) *to++ = from[0];
    for (int k = 0; k < kernel_h; ++k, taps += kw) {
        int32_t t[8] = {0};
        TML_UNROLL(8)
        for (int j = 0; j < kw; ++j) t[j] = taps[j];
        TML_UNROLL(4)
        for (int j = 0; j + 3 - stride_w <= kw; j += 2) *to++ = tml_pack_dsp(t[j], t[j + 1]);
        if (stride_w == 1) {
            TML_UNROLL(4)
            for (int j = 1; j + 1 < kw; j += 2) *to++ = tml_pack_dsp(t[j], t[j + 1]);
        }
        if (before != 0 && k == 0) *to++ = from[0];
    }
    to[0] = from[1];
    to[1] = from[2];
}

/* Scratch: 2 * pitch * ((tile - 1) * stride_h + kernel_h) bytes and 32 more, since the last columns' blocks read on;
 * where streams are packed, those of one input channel as words besides.
 * y may be x where multiplier = 1 and the output is no wider and no taller: a channel's bytes are gathered before they
 * are overwritten. `gather` divides width and gather_rows the rows gathered; `unroll` divides out_w / 2. LDRD reaches 3
 * rows of a pitch up to 170. The pixels of input and output begin in_pitch and out_pitch bytes apart. */
TML_INLINE void tml_depthwise_conv2d_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int height,
                                         int width, int channels, int multiplier, int kernel_h, int kernel_w,
                                         int stride_h, int stride_w, int pad_top, int pad_left, int out_h, int out_w,
                                         int pitch, int tile, int gather, int gather_rows, int unroll, int packed,
                                         int in_pitch, int out_pitch, int32_t zero_point, int rounding, int32_t zp,
                                         int32_t lo, int32_t hi) {
    const int square =
        kernel_h == 3 && kernel_w == 3 && stride_h == 1 && stride_w == 1 && out_h >= 2 && out_w >= 2 && pitch <= 170;
    const int band = (tile - 1) * stride_h + kernel_h, again = kernel_h > stride_h ? kernel_h - stride_h : 0;
    const int row_words = stride_w == 1 ? kernel_w - 1 : (kernel_w + 1) / 2, stream_words = 3 + kernel_h * row_words,
              whole = tile == out_h;
    const int flash_words = packed ? 3 + (kernel_h * kernel_w + 3) / 4 : stream_words;
    int16_t *const plane = (int16_t *)scratch;
    int32_t *const expanded = (int32_t *)(void *)(plane + pitch * band + 16);
    tml_dw_fill_dsp(plane, band * pitch / 2, zero_point);
    TML_NO_UNROLL
    for (int c = 0; c < channels; ++c, ++x, y += multiplier) {
        for (int m = 0; packed && m < multiplier; ++m)
            tml_dw_unpack_dsp(expanded + m * stream_words, w + m * flash_words, kernel_h, kernel_w, stride_w,
                              2 * square);
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
                    for (int k = 0; k < gather_rows; ++k, row += pitch, s += width * in_pitch)
                        tml_dw_gather_dsp(row, s, width, in_pitch, gather);
                }
            }
            TML_NO_UNROLL
            for (int i = whole ? band : start == 0 ? 0 : again; i < band; ++i) {
                if ((unsigned)(above + i) < (unsigned)height)
                    tml_dw_gather_dsp(plane + i * pitch + pad_left, x + (above + i) * width * in_pitch, width, in_pitch,
                                      gather);
                else
                    tml_dw_fill_dsp(plane + i * pitch, pitch / 2, zero_point);
            }
            const int rows = whole || start + tile <= out_h ? tile : out_h - start;
            int8_t *const to = y + start * out_w * out_pitch;
            const int32_t *stream = packed ? expanded : w;
            TML_NO_UNROLL
            for (int m = 0; m < multiplier; ++m, stream += stream_words) {
                if (square)
                    tml_dw3x3_rows_dsp(plane, stream, to + m, rows, out_w, out_pitch, pitch, unroll, rounding, zp, lo,
                                       hi);
                else
                    tml_dw_rows_dsp(plane, stream, to + m, rows, kernel_h, kernel_w, stride_h, stride_w, out_w,
                                    out_pitch, pitch, rounding, zp, lo, hi);
            }
        }
        w += flash_words * multiplier;
    }
}

#endif
