/* DEPTHWISE_CONV_2D 5x5 or 7x7 of one row of output on cores with the DSP extension.
 *
 * One channel's window is gathered into a plane whose border holds the input's zero point (the zero point itself is
 * folded into the biases). Two rows lie in one row of words, the upper one in the low halves, so that one SMLAD takes
 * two taps of a column; the last row lies as halves, and two columns share a SMLAD.
 *
 * Streams, one for each channel, w0 .. the taps of a row, v0 .. those of the row below:
 *     { bias, for each pair of rows [w0 v0] [w1 v1] .., the last row's words, mul, par }
 * The last row's words are those of a row in tml_depthwise_conv2d_dsp.h. Packed streams, { bias, mul, par, bytes },
 * have the low and high halves of two words as bytes 0 and 2, 1 and 3 of a word; they are expanded to those above. */
#ifndef TML_DEPTHWISE_PLANE_ROW_DSP_H
#define TML_DEPTHWISE_PLANE_ROW_DSP_H

#include "tml_depthwise_conv2d_dsp.h"
#include "tml_depthwise_window_dsp.h"

/* Lines of the outputs b, c and d in a whole block and in a last one of `rest` outputs. */
#define TML_DWP_B_ALL(TEXT) TEXT
#define TML_DWP_C_ALL(TEXT) TEXT
#define TML_DWP_D_ALL(TEXT) TEXT
#define TML_DWP_B_REST(TEXT) ".if %c[rest] > 1\n\t" TEXT ".endif\n\t"
#define TML_DWP_C_REST(TEXT) ".if %c[rest] > 2\n\t" TEXT ".endif\n\t"
#define TML_DWP_D_REST(TEXT)

/* Two rows of a kernel for four outputs; A, B and C are what a, b and c are added to (d has the bias at first). They
 * leave x TML_DWP_READ_.. bytes further. */
#define TML_DWP_5_1(F, A, B, C) \
    "ldm %[w]!, {r5, r6, r8, r9, r10}\n\t" \
    "ldm %[x]!, {r11, r12, lr}\n\t" \
    "smlad %[a], r5, r11, " A "\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r5, r12, " B "\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r5, lr, " C "\n\t") \
    "smlad %[a], r6, r12, %[a]\n\t" \
    "smlad %[a], r8, lr, %[a]\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r6, lr, %[b]\n\t") \
    "ldm %[x]!, {r11, r12, lr}\n\t" \
    TML_DWP_D_##F( \
        "smlad %[d], r5, r11, %[d]\n\t" \
        "smlad %[d], r6, r12, %[d]\n\t" \
        "smlad %[d], r8, lr, %[d]\n\t") \
    "smlad %[a], r9, r11, %[a]\n\t" \
    "smlad %[a], r10, r12, %[a]\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r8, r11, %[b]\n\t" \
        "smlad %[b], r9, r12, %[b]\n\t" \
        "smlad %[b], r10, lr, %[b]\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r6, r11, %[c]\n\t" \
        "smlad %[c], r8, r12, %[c]\n\t" \
        "smlad %[c], r9, lr, %[c]\n\t") \
    "ldrd r11, r12, [%[x]]\n\t" \
    TML_DWP_C_##F( \
        "smlad %[c], r10, r11, %[c]\n\t") \
    TML_DWP_D_##F( \
        "smlad %[d], r9, r11, %[d]\n\t" \
        "smlad %[d], r10, r12, %[d]\n\t")
#define TML_DWP_7_1(F, A, B, C) \
    "ldm %[w]!, {r5, r6, r8, r9}\n\t" \
    "ldm %[x]!, {r10, r11, r12, lr}\n\t" \
    "smlad %[a], r5, r10, " A "\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r5, r11, " B "\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r5, r12, " C "\n\t") \
    TML_DWP_D_##F( \
        "smlad %[d], r5, lr, %[d]\n\t") \
    "smlad %[a], r6, r11, %[a]\n\t" \
    "smlad %[a], r8, r12, %[a]\n\t" \
    "smlad %[a], r9, lr, %[a]\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r6, r12, %[b]\n\t" \
        "smlad %[b], r8, lr, %[b]\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r6, lr, %[c]\n\t") \
    "ldm %[x]!, {r10, r11, r12}\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r9, r10, %[b]\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r8, r10, %[c]\n\t" \
        "smlad %[c], r9, r11, %[c]\n\t") \
    TML_DWP_D_##F( \
        "smlad %[d], r6, r10, %[d]\n\t" \
        "smlad %[d], r8, r11, %[d]\n\t" \
        "smlad %[d], r9, r12, %[d]\n\t") \
    "ldm %[w]!, {r5, r6, r8}\n\t" \
    "ldrd r9, lr, [%[x]]\n\t" \
    "smlad %[a], r5, r10, %[a]\n\t" \
    "smlad %[a], r6, r11, %[a]\n\t" \
    "smlad %[a], r8, r12, %[a]\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r5, r11, %[b]\n\t" \
        "smlad %[b], r6, r12, %[b]\n\t" \
        "smlad %[b], r8, r9, %[b]\n\t") \
    "ldr r10, [%[x], #8]\n\t" \
    TML_DWP_C_##F( \
        "smlad %[c], r5, r12, %[c]\n\t" \
        "smlad %[c], r6, r9, %[c]\n\t" \
        "smlad %[c], r8, lr, %[c]\n\t") \
    TML_DWP_D_##F( \
        "smlad %[d], r5, r9, %[d]\n\t" \
        "smlad %[d], r6, lr, %[d]\n\t" \
        "smlad %[d], r8, r10, %[d]\n\t")
#define TML_DWP_5_2(F, A, B, C) \
    "ldm %[w]!, {r5, r6, r8, r9, r10}\n\t" \
    "ldm %[x]!, {r11, r12, lr}\n\t" \
    "smlad %[a], r5, r11, " A "\n\t" \
    "smlad %[a], r6, r12, %[a]\n\t" \
    "smlad %[a], r8, lr, %[a]\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r5, lr, " B "\n\t") \
    "ldm %[x]!, {r11, r12, lr}\n\t" \
    "smlad %[a], r9, r11, %[a]\n\t" \
    "smlad %[a], r10, r12, %[a]\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r6, r11, %[b]\n\t" \
        "smlad %[b], r8, r12, %[b]\n\t" \
        "smlad %[b], r9, lr, %[b]\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r5, r12, " C "\n\t" \
        "smlad %[c], r6, lr, %[c]\n\t") \
    "ldm %[x]!, {r11, r12, lr}\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r10, r11, %[b]\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r8, r11, %[c]\n\t" \
        "smlad %[c], r9, r12, %[c]\n\t" \
        "smlad %[c], r10, lr, %[c]\n\t") \
    TML_DWP_D_##F( \
        "smlad %[d], r5, r11, %[d]\n\t" \
        "smlad %[d], r6, r12, %[d]\n\t" \
        "smlad %[d], r8, lr, %[d]\n\t") \
    "ldrd r11, r12, [%[x]]\n\t" \
    TML_DWP_D_##F( \
        "smlad %[d], r9, r11, %[d]\n\t" \
        "smlad %[d], r10, r12, %[d]\n\t")
#define TML_DWP_7_2(F, A, B, C) \
    "ldm %[w]!, {r5, r6, r8, r9}\n\t" \
    "ldm %[x]!, {r10, r11, r12, lr}\n\t" \
    "smlad %[a], r5, r10, " A "\n\t" \
    "smlad %[a], r6, r11, %[a]\n\t" \
    "smlad %[a], r8, r12, %[a]\n\t" \
    "smlad %[a], r9, lr, %[a]\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r5, r12, " B "\n\t" \
        "smlad %[b], r6, lr, %[b]\n\t") \
    "ldm %[x]!, {r10, r11, r12, lr}\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r8, r10, %[b]\n\t" \
        "smlad %[b], r9, r11, %[b]\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r5, r10, " C "\n\t" \
        "smlad %[c], r6, r11, %[c]\n\t" \
        "smlad %[c], r8, r12, %[c]\n\t" \
        "smlad %[c], r9, lr, %[c]\n\t") \
    TML_DWP_D_##F( \
        "smlad %[d], r5, r12, %[d]\n\t" \
        "smlad %[d], r6, lr, %[d]\n\t") \
    "ldrd r10, r11, [%[x]]\n\t" \
    TML_DWP_D_##F( \
        "smlad %[d], r8, r10, %[d]\n\t" \
        "smlad %[d], r9, r11, %[d]\n\t") \
    "ldm %[w]!, {r5, r6, r8}\n\t" \
    "ldr r9, [%[x], #-16]\n\t" \
    "smlad %[a], r5, r9, %[a]\n\t" \
    "ldr r9, [%[x], #-12]\n\t" \
    "smlad %[a], r6, r9, %[a]\n\t" \
    "smlad %[a], r8, r12, %[a]\n\t" \
    TML_DWP_B_##F( \
        "smlad %[b], r5, r12, %[b]\n\t" \
        "smlad %[b], r6, lr, %[b]\n\t" \
        "smlad %[b], r8, r10, %[b]\n\t") \
    TML_DWP_C_##F( \
        "smlad %[c], r5, r10, %[c]\n\t" \
        "smlad %[c], r6, r11, %[c]\n\t") \
    "ldrd r9, r12, [%[x], #8]\n\t" \
    TML_DWP_C_##F( \
        "smlad %[c], r8, r9, %[c]\n\t") \
    TML_DWP_D_##F( \
        "smlad %[d], r5, r9, %[d]\n\t" \
        "smlad %[d], r6, r12, %[d]\n\t") \
    "ldr lr, [%[x], #16]\n\t" \
    TML_DWP_D_##F( \
        "smlad %[d], r8, lr, %[d]\n\t")
#define TML_DWP_READ_5_1 24
#define TML_DWP_READ_7_1 28
#define TML_DWP_READ_5_2 36
#define TML_DWP_READ_7_2 32

#define TML_DWP_FIRST(ROWS, F) "ldr %[d], [%[w]], #4\n\t" ROWS(F, "%[d]", "%[d]", "%[d]")
#define TML_DWP_THEN(ROWS, F) "add %[x], %[x], %[next]\n\t" ROWS(F, "%[a]", "%[b]", "%[c]")
#define TML_DWP_ROWS_5(KIND, F) TML_DWP_FIRST(TML_DWP_##KIND, F) TML_DWP_THEN(TML_DWP_##KIND, F)
#define TML_DWP_ROWS_7(KIND, F) TML_DWP_ROWS_5(KIND, F) TML_DWP_THEN(TML_DWP_##KIND, F)
#define TML_DWP_CLOBBERS "r9", "r10", "r11", "r12", "lr", "cc", "memory"
#define TML_DWP_SUMS(K, KIND) \
    do { \
        __asm__ volatile(TML_DWP_ROWS_##K(KIND, ALL) \
                         : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [x] "+r"(x), [w] "+r"(w) \
                         : [next] "i"(4 * pitch - TML_DWP_READ_##KIND) \
                         : "r5", "r6", "r8", TML_DWP_CLOBBERS); \
        __asm__ volatile(TML_DW_##KIND("%[a]", "%[b]", "%[c]") \
                         : [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [x] "+r"(z), [w] "+r"(w) \
                         : \
                         : "r5", "r6", "r8", TML_DWP_CLOBBERS); \
    } while (0)

/* An output by LINEAR or DOUBLE_FAST; r5 mul, r6 par, r8 y, r9 the zero point. */
#define TML_DWP_OUTPUT(A) \
    ".if %c[twice]\n\t" \
    "smmlar " A ", " A ", r5, " A "\n\t" \
    ".if %c[offset] > -128\n\t" \
    "add " A ", " A ", " A ", asr #31\n\t" \
    ".endif\n\t" \
    "smmlar " A ", " A ", r6, r9\n\t" \
    "ssat " A ", #8, " A "\n\t" \
    ".else\n\t" \
    "smmla " A ", " A ", r5, r6\n\t" \
    "ssat " A ", #8, " A ", asr %[offset]\n\t" \
    ".endif\n\t" \
    ".if %c[channels] < 256\n\t" \
    "strb " A ", [r8], %[channels]\n\t" \
    ".else\n\t" \
    "strb " A ", [r8]\n\t" \
    "add r8, r8, %[channels]\n\t" \
    ".endif\n\t"
/* On the stack: y, the last row's address less half of x, the last x, x. */
#define TML_DWP_SUMS_ALL(K, KIND, F) \
    TML_DWP_ROWS_##K(KIND, F) \
    "str %[x], [sp, #12]\n\t" \
    "ldr lr, [sp, #4]\n\t" \
    "add %[x], lr, %[x], lsr #1\n\t" \
    TML_DW_##KIND("%[a]", "%[b]", "%[c]") \
    "ldrd r5, r6, [%[w]]\n\t" \
    "ldr r8, [sp]\n\t" \
    ".if %c[twice]\n\t" \
    "mov r9, %[offset]\n\t" \
    ".endif\n\t"
#define TML_DWP_CHANNEL(K, KIND) \
    __asm__ volatile("sub sp, #16\n\t" \
                     "strd r5, r6, [sp]\n\t" \
                     "str r8, [sp, #8]\n" \
                     ".if %c[blocks]\n" \
                     "1:\n\t" \
                     TML_DWP_SUMS_ALL(K, KIND, ALL) \
                     TML_DWP_OUTPUT("%[a]") TML_DWP_OUTPUT("%[b]") TML_DWP_OUTPUT("%[c]") TML_DWP_OUTPUT("%[d]") \
                     "str r8, [sp]\n\t" \
                     "ldrd lr, %[x], [sp, #8]\n\t" \
                     "sub %[w], %[w], %[stream]\n\t" \
                     ".if %c[back] < 4096\n\t" \
                     "sub %[x], %[x], %[back]\n\t" \
                     ".else\n\t" \
                     "movw r5, %[back]\n\t" \
                     "sub %[x], %[x], r5\n\t" \
                     ".endif\n\t" \
                     ".if %c[blocks] > 1\n\t" \
                     "cmp %[x], lr\n\t" \
                     "bne 1b\n\t" \
                     ".endif\n\t" \
                     ".endif\n\t" \
                     ".if %c[rest]\n\t" \
                     TML_DWP_SUMS_ALL(K, KIND, REST) \
                     TML_DWP_OUTPUT("%[a]") \
                     TML_DWP_B_REST(TML_DWP_OUTPUT("%[b]")) \
                     TML_DWP_C_REST(TML_DWP_OUTPUT("%[c]")) \
                     ".endif\n\t" \
                     "add sp, #16" \
                     : [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [x] "+r"(x), [w] "+r"(w), "+r"(r5), \
                       "+r"(r6), "+r"(r8) \
                     : [next] "i"(4 * pitch - TML_DWP_READ_##KIND), [channels] "i"(channels), [offset] "i"(zp), \
                       [twice] "i"(rounding == TML_DOUBLE_FAST), [stream] "i"(4 * words - 8), \
                       [back] "i"(4 * (kernel / 2 - 1) * pitch + TML_DWP_READ_##KIND - 16 * stride_w), \
                       [blocks] "i"(out_w / 4), [rest] "i"(out_w % 4) \
                     : TML_DWP_CLOBBERS)

/* A channel's outputs from its plane, four at a time. */
TML_INLINE void tml_dwp_channel_dsp(const int32_t *plane, const int32_t *w, int8_t *y, int kernel, int stride_w,
                                    int out_w, int channels, int pitch, int words, int rounding, int32_t zp) {
    const int read = kernel == 5 ? (stride_w == 1 ? TML_DWP_READ_5_1 : TML_DWP_READ_5_2)
                                 : (stride_w == 1 ? TML_DWP_READ_7_1 : TML_DWP_READ_7_2);
    const uintptr_t first = (uintptr_t)plane, end = first + 16 * (uintptr_t)(out_w / 4 * stride_w);
    const uintptr_t last = first + 4 * (uintptr_t)(kernel / 2 * pitch);
    const uintptr_t done = first + 4 * (uintptr_t)((kernel / 2 - 1) * pitch) + (uintptr_t)read;
    const int32_t *x = plane;
    int32_t a, b, c, d;
    register int8_t *r5 __asm__("r5") = y;
    register uintptr_t r6 __asm__("r6") = last - done / 2;
    register uintptr_t r8 __asm__("r8") = end;
    if (kernel == 5 && stride_w == 1) TML_DWP_CHANNEL(5, 5_1);
    if (kernel == 7 && stride_w == 1) TML_DWP_CHANNEL(7, 7_1);
    if (kernel == 5 && stride_w == 2) TML_DWP_CHANNEL(5, 5_2);
    if (kernel == 7 && stride_w == 2) TML_DWP_CHANNEL(7, 7_2);
}

/* The same for every requantisation. */
TML_INLINE void tml_dwp_outputs_dsp(const int32_t *plane, const int32_t *stream, int8_t *y, int kernel, int stride_w,
                                    int out_w, int channels, int pitch, int rounding, int32_t zp, int32_t lo,
                                    int32_t hi) {
    const int32_t *last = plane + kernel / 2 * pitch;
    TML_NO_UNROLL
    for (int j = 0; j < out_w; j += 4, plane += 4 * stride_w, last += 2 * stride_w, y += 4 * channels) {
        const int32_t *x = plane, *z = last, *w = stream;
        int32_t a, b, c, d, m, q;
        if (kernel == 5 && stride_w == 1) TML_DWP_SUMS(5, 5_1);
        if (kernel == 7 && stride_w == 1) TML_DWP_SUMS(7, 7_1);
        if (kernel == 5 && stride_w == 2) TML_DWP_SUMS(5, 5_2);
        if (kernel == 7 && stride_w == 2) TML_DWP_SUMS(7, 7_2);
        TML_LDRD(m, q, w);
        const int full = out_w % 4 == 0 || j + 4 <= out_w;
        y[0] = (int8_t)tml_requant_dsp(a, m, q, rounding, zp, lo, hi);
        if (full || out_w % 4 >= 2) y[channels] = (int8_t)tml_requant_dsp(b, m, q, rounding, zp, lo, hi);
        if (full || out_w % 4 >= 3) y[2 * channels] = (int8_t)tml_requant_dsp(c, m, q, rounding, zp, lo, hi);
        if (full) y[3 * channels] = (int8_t)tml_requant_dsp(d, m, q, rounding, zp, lo, hi);
    }
}

/* A packed stream as `words` words between the bias and the scale, in turns of `unpack` packed ones. */
TML_INLINE void tml_dwp_unpack_dsp(int32_t *to, const int32_t *from, int words, int unpack) {
    const int32_t *w = from + 3, *const end = w + (words + 1) / 2;
    int32_t *o = to + 1;
    TML_NO_UNROLL
    do {
        TML_UNROLL(16)
        for (int i = 0; i < unpack; ++i)
            __asm__ volatile("ldr r4, [%0], #4\n\t"
                             "sxtb16 r5, r4\n\t"
                             "sxtb16 r4, r4, ror #8\n\t"
                             "strd r5, r4, [%1], #8"
                             : "+r"(w), "+r"(o)
                             :
                             : "r4", "r5", "memory");
    } while (w != end);
    to[0] = from[0];
    to[1 + words] = from[1];
    to[2 + words] = from[2];
}

/* One row of output from the `height` rows of its window that are there, the first of them at x, `pad_top` rows of zero
 * points above them; both need not be constants. kernel_h = kernel_w. Scratch: the plane, 2 * pitch * kernel_h bytes in
 * whole words, and 32 more, since the last columns' blocks read on; for packed streams (unpack > 0) one expanded
 * besides. y may be x: a channel's bytes are gathered before
 * they are overwritten. Columns are gathered four at a time, `gather` fours a turn (a divisor of all of them, at most
 * 6; 0 where there are none) and last_gather of the last row, whose first column is alone where pad_left is odd. */
TML_INLINE void tml_depthwise_row_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int height,
                                      int width, int channels, int kernel_h, int kernel_w, int stride_w, int pad_top,
                                      int pad_left, int out_w, int pitch, int gather, int last_gather,
                                      int unpack, int32_t zero_point, int rounding, int32_t zp, int32_t lo,
                                      int32_t hi) {
    const int pairs = kernel_h / 2, row = width * channels;
    const int words = 3 + pairs * kernel_w + (stride_w == 1 ? kernel_w - 1 : (kernel_w + 1) / 2);
    const int fast = (rounding == TML_LINEAR || rounding == TML_DOUBLE_FAST) && lo == -128 && hi == 127;
    int32_t *const plane = (int32_t *)scratch;
    int32_t *const expanded = plane + pairs * pitch + (pitch + 1) / 2 + 8;
    tml_dw_fill_dsp((int16_t *)scratch, pairs * pitch + (pitch + 1) / 2, zero_point);
    TML_PUBLISH(x);
    TML_NO_UNROLL
    for (int c = 0; c < channels; ++c, ++x, ++y, w += unpack > 0 ? 3 + (words - 2) / 2 : words) {
        if (unpack > 0) tml_dwp_unpack_dsp(expanded, w, words - 3, unpack);
        const int32_t *stream = unpack > 0 ? expanded : w;
        if (pad_top <= 0 && pad_top + height >= kernel_h)
            tml_dwp_window_dsp(plane + pad_left, x - pad_top * row, width, channels, pairs, pad_left, pitch, gather,
                               last_gather);
        else
            tml_dwp_rows_dsp(plane, x, -pad_top, height, width, channels, kernel_h, pad_left, pitch);
        const int32_t *read = plane;
        TML_PUBLISH(read);
        TML_PUBLISH(stream);
        if (fast)
            tml_dwp_channel_dsp(read, stream, y, kernel_h, stride_w, out_w, channels, pitch, words, rounding, zp);
        else
            tml_dwp_outputs_dsp(read, stream, y, kernel_h, stride_w, out_w, channels, pitch, rounding, zp, lo, hi);
    }
}

#endif
