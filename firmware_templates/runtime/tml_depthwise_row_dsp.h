/* DEPTHWISE_CONV_2D 3x3 of one row of output on cores with the DSP extension, with no scratch.
 *
 * A channel runs from left to right over columns of three bytes, two columns a step: P and R are the two upper rows of
 * the left and the right column as pairs, Q is the lowest row of both. Nine taps are five words for SMLAD. Sums of
 * outputs to which later columns belong stay in registers.
 *
 * Rows outside of the input cost the others nothing: their taps are taken out, what the input's zero point adds to them
 * (it is folded into the biases) goes to the bias, and their loads read the first row that is there.
 *
 * Streams, one for each channel, w0 .. w8 the taps by rows:
 *     { [w6 w7], [w7 w8], mul, par, bias, [w0 w3], [w1 w4], [w2 w5] } */
#ifndef TML_DEPTHWISE_ROW_DSP_H
#define TML_DEPTHWISE_ROW_DSP_H

#include "tml_common_dsp.h"

/* The next byte of the first row or of the output, where LDRSB and STRB can add the channels and where they cannot. */
#define TML_DWR_LOAD_NEAR(TO) "ldrsb " TO ", [%[x]], %[channels]\n\t"
#define TML_DWR_LOAD_FAR(TO) "ldrsb " TO ", [%[x]]\n\tadd %[x], %[x], %[channels]\n\t"
#define TML_DWR_STORE_NEAR(FROM) "strb " FROM ", [%[y]], %[channels]\n\t"
#define TML_DWR_STORE_FAR(FROM) "strb " FROM ", [%[y]]\n\tadd %[y], %[y], %[channels]\n\t"

/* One column, its two upper rows in P, the lowest in Q. */
#define TML_DWR_COLUMN(P, R, Q, AT) \
    "ldrsb " R ", [%[x], %[o1]]\n\t" \
    "ldrsb " Q ", [%[x], %[o2]]\n\t" \
    TML_DWR_LOAD_##AT(P) \
    "pkhbt " P ", " P ", " R ", lsl #16\n\t"
#define TML_DWR_COLUMNS(P, R, Q, S, AT) \
    "ldrsb " R ", [%[x], %[o1]]\n\t" \
    "ldrsb " Q ", [%[x], %[o2]]\n\t" \
    TML_DWR_LOAD_##AT(P) \
    "ldrsb " S ", [%[x], %[o2]]\n\t" \
    "pkhbt " P ", " P ", " R ", lsl #16\n\t" \
    "ldrsb " R ", [%[x], %[o1]]\n\t" \
    "pkhbt " Q ", " Q ", " S ", lsl #16\n\t" \
    TML_DWR_LOAD_##AT(S) \
    "pkhbt " R ", " S ", " R ", lsl #16\n\t"
/* The zero point, and as a pair. */
#define TML_DWR_ZEROS(ONE, PAIR) "movw " ONE ", %[zero]\n\tpkhbt " PAIR ", " ONE ", " ONE ", lsl #16\n\t"
/* The two first columns, of which the left one may be padding. */
#define TML_DWR_FIRST(P, R, Q, S, AT) \
    ".if %c[pad]\n\t" \
    TML_DWR_COLUMN(R, P, Q, AT) \
    TML_DWR_ZEROS(S, P) \
    "pkhbt " Q ", " S ", " Q ", lsl #16\n\t" \
    ".else\n\t" \
    TML_DWR_COLUMNS(P, R, Q, S, AT) \
    ".endif\n\t"
/* The zero point in FREE where the requantisation needs it; an output by LINEAR or DOUBLE_FAST. */
#define TML_DWR_PREPARE(FREE) ".if %c[twice]\n\tmov " FREE ", %[offset]\n\t.endif\n\t"
#define TML_DWR_OUTPUT(A, M, PAR, FREE, AT) \
    ".if %c[twice]\n\t" \
    "smmlar " A ", " A ", " M ", " A "\n\t" \
    ".if %c[offset] > -128\n\t" \
    "add " A ", " A ", " A ", asr #31\n\t" \
    ".endif\n\t" \
    "smmlar " A ", " A ", " PAR ", " FREE "\n\t" \
    "ssat " A ", #8, " A "\n\t" \
    ".else\n\t" \
    "smmla " A ", " A ", " M ", " PAR "\n\t" \
    "ssat " A ", #8, " A ", asr %[offset]\n\t" \
    ".endif\n\t" \
    TML_DWR_STORE_##AT(A)

/* Stride 1: r6, r8 the sums, r4 P, r5 R, r9 Q, r10 .. r12 the upper taps, lr and w free; what registers are too few for
 * is on the stack. A step completes the sums A and B of two outputs and begins the next two in P and R: 28
 * instructions. */
#define TML_DWR_BEGIN_1(P, R, BIAS) \
    "smlad " P ", r10, " P ", " BIAS "\n\t" \
    "smlad " P ", r11, " R ", " P "\n\t" \
    "smlad " R ", r10, " R ", " BIAS "\n\t"
#define TML_DWR_STEP_1(A, B, P, R, AT) \
    TML_DWR_COLUMNS(P, R, "r9", "lr", AT) \
    "ldrd %[w], lr, [sp]\n\t" \
    "smlad " A ", r12, " P ", " A "\n\t" \
    "smlatb " A ", lr, r9, " A "\n\t" \
    "smlad " B ", r11, " P ", " B "\n\t" \
    "smlad " B ", r12, " R ", " B "\n\t" \
    "smlad " B ", lr, r9, " B "\n\t" \
    "ldr lr, [sp, #16]\n\t" \
    TML_DWR_BEGIN_1(P, R, "lr") \
    "smlad " P ", %[w], r9, " P "\n\t" \
    "smlabt " R ", %[w], r9, " R "\n\t" \
    "ldrd %[w], lr, [sp, #8]\n\t" \
    TML_DWR_PREPARE("r9") \
    TML_DWR_OUTPUT(A, "%[w]", "lr", "r9", AT) \
    TML_DWR_OUTPUT(B, "%[w]", "lr", "r9", AT)
/* What is left at the right end: 1: one output, whose last column is in the input; 2: one, whose last column is
 * padding; 3: two, the second's last column padding. */
#define TML_DWR_LAST_1(A, B, P, R, AT) \
    ".if %c[last] != 0\n\t" \
    ".if %c[last] != 2\n\t" \
    TML_DWR_COLUMN(P, R, "r9", AT) \
    ".endif\n\t" \
    ".if %c[last] == 2\n\t" \
    TML_DWR_ZEROS("r9", P) \
    ".endif\n\t" \
    ".if %c[last] == 3\n\t" \
    TML_DWR_ZEROS("lr", R) \
    "pkhbt r9, r9, lr, lsl #16\n\t" \
    ".endif\n\t" \
    "ldr lr, [sp, #4]\n\t" \
    "smlad " A ", r12, " P ", " A "\n\t" \
    "smlatb " A ", lr, r9, " A "\n\t" \
    ".if %c[last] == 3\n\t" \
    "smlad " B ", r11, " P ", " B "\n\t" \
    "smlad " B ", r12, " R ", " B "\n\t" \
    "smlad " B ", lr, r9, " B "\n\t" \
    ".endif\n\t" \
    "ldrd %[w], lr, [sp, #8]\n\t" \
    TML_DWR_PREPARE("r9") \
    TML_DWR_OUTPUT(A, "%[w]", "lr", "r9", AT) \
    ".if %c[last] == 3\n\t" \
    TML_DWR_OUTPUT(B, "%[w]", "lr", "r9", AT) \
    ".endif\n\t" \
    ".endif\n\t"
#define TML_DWR_START_1(AT) \
    TML_DWR_FIRST("r6", "r8", "lr", "%[w]", AT) \
    TML_DWR_BEGIN_1("r6", "r8", "r9") \
    "smlad r6, r4, lr, r6\n\t" \
    "smlabt r8, r4, lr, r8\n\t"
#define TML_DWR_ONE_1(AT) TML_DWR_STEP_1("r6", "r8", "r4", "r5", AT)
#define TML_DWR_TWO_1(AT) TML_DWR_ONE_1(AT) TML_DWR_STEP_1("r4", "r5", "r6", "r8", AT)
#define TML_DWR_MOVE_1 "mov r6, r4\n\tmov r8, r5\n\t"
#define TML_DWR_END_1(AT) TML_DWR_LAST_1("r6", "r8", "r4", "r5", AT)
#define TML_DWR_END_ODD_1(AT) TML_DWR_LAST_1("r4", "r5", "r6", "r8", AT)

/* Stride 2: r4, r5 the lowest taps, r6 the sum, r8 P, r9 R, lr Q. A step completes the sum A of an output and begins
 * the next one in P: 19 instructions. */
#define TML_DWR_BEGIN_2(P) \
    "smlad " P ", r10, " P ", %[w]\n\t" \
    "smlad " P ", r11, r9, " P "\n\t" \
    "smlad " P ", r4, lr, " P "\n\t"
#define TML_DWR_STEP_2(A, P, AT) \
    TML_DWR_COLUMNS(P, "r9", "lr", "%[w]", AT) \
    "ldr %[w], [sp, #16]\n\t" \
    "smlad " A ", r12, " P ", " A "\n\t" \
    "smlatb " A ", r5, lr, " A "\n\t" \
    TML_DWR_BEGIN_2(P) \
    "ldrd %[w], lr, [sp, #8]\n\t" \
    TML_DWR_PREPARE("r9") \
    TML_DWR_OUTPUT(A, "%[w]", "lr", "r9", AT)
#define TML_DWR_LAST_2(A, P, AT) \
    ".if %c[last] != 0\n\t" \
    ".if %c[last] == 1\n\t" \
    TML_DWR_COLUMN(P, "r9", "lr", AT) \
    ".else\n\t" \
    TML_DWR_ZEROS("lr", P) \
    ".endif\n\t" \
    "smlad " A ", r12, " P ", " A "\n\t" \
    "smlatb " A ", r5, lr, " A "\n\t" \
    "ldrd %[w], lr, [sp, #8]\n\t" \
    TML_DWR_PREPARE("r9") \
    TML_DWR_OUTPUT(A, "%[w]", "lr", "r9", AT) \
    ".endif\n\t"
#define TML_DWR_START_2(AT) \
    TML_DWR_FIRST("r6", "r8", "lr", "%[w]", AT) \
    "smlad r6, r10, r6, r9\n\t" \
    "smlad r6, r11, r8, r6\n\t" \
    "smlad r6, r4, lr, r6\n\t"
#define TML_DWR_ONE_2(AT) TML_DWR_STEP_2("r6", "r8", AT)
#define TML_DWR_TWO_2(AT) TML_DWR_ONE_2(AT) TML_DWR_STEP_2("r8", "r6", AT)
#define TML_DWR_MOVE_2 "mov r6, r8\n\t"
#define TML_DWR_END_2(AT) TML_DWR_LAST_2("r6", "r8", AT)
#define TML_DWR_END_ODD_2(AT) TML_DWR_LAST_2("r8", "r6", AT)

/* Back from the end of a row to its next channel. */
#define TML_DWR_BACK(P, BY) \
    ".if " BY " < 4096\n\t" \
    "sub " P ", " P ", #" BY "\n\t" \
    ".else\n\t" \
    "movw lr, #" BY "\n\t" \
    "sub " P ", " P ", lr\n\t" \
    ".endif\n\t"
/* Channels from stream to end: `turns` of `unroll` double steps, and a single one where `odd`; unroll = 0: `turns` of
 * one step. On the stack: lowest taps, mul, par, bias, x where the turns end, the next stream, the last. */
#define TML_DWR_CHANNELS(S, AT) \
    __asm__ volatile("sub sp, #32\n\t" \
                     "str r4, [sp, #28]\n" \
                     "2:\n\t" \
                     "ldm %[w]!, {r4, r5, r6, r8, r9}\n\t" \
                     "stm sp, {r4, r5, r6, r8, r9}\n\t" \
                     "ldm %[w]!, {r10, r11, r12}\n\t" \
                     "str %[w], [sp, #24]\n\t" \
                     ".if %c[turns] > 1\n\t" \
                     "movw lr, %[span]\n\t" \
                     "add lr, lr, %[x]\n\t" \
                     "str lr, [sp, #20]\n\t" \
                     ".endif\n\t" \
                     TML_DWR_START_##S(AT) \
                     ".if %c[turns]\n" \
                     "1:\n\t" \
                     ".if %c[unroll]\n\t" \
                     TML_DWR_TWO_##S(AT) \
                     ".if %c[unroll] > 1\n\t" \
                     TML_DWR_TWO_##S(AT) \
                     ".endif\n\t" \
                     ".else\n\t" \
                     TML_DWR_ONE_##S(AT) \
                     TML_DWR_MOVE_##S \
                     ".endif\n\t" \
                     ".if %c[turns] > 1\n\t" \
                     "ldr lr, [sp, #20]\n\t" \
                     "cmp %[x], lr\n\t" \
                     "bne 1b\n\t" \
                     ".endif\n\t" \
                     ".endif\n\t" \
                     ".if %c[odd]\n\t" \
                     TML_DWR_ONE_##S(AT) \
                     TML_DWR_END_ODD_##S(AT) \
                     ".else\n\t" \
                     TML_DWR_END_##S(AT) \
                     ".endif\n\t" \
                     TML_DWR_BACK("%[x]", "%c[back_x]") \
                     TML_DWR_BACK("%[y]", "%c[back_y]") \
                     "ldrd %[w], lr, [sp, #24]\n\t" \
                     "cmp %[w], lr\n\t" \
                     "bne 2b\n\t" \
                     "add sp, #32" \
                     : [x] "+r"(x), [y] "+r"(y), [w] "+r"(stream), "+r"(end) \
                     : [o1] "r"(o1), [o2] "r"(o2), [channels] "i"(channels), [offset] "i"(zp), \
                       [twice] "i"(rounding == TML_DOUBLE_FAST), [span] "i"(span), [pad] "i"(pad_left), \
                       [zero] "i"(zero_point & 0xFFFF), [turns] "i"(turns), [unroll] "i"(unroll), [odd] "i"(odd), \
                       [last] "i"(last), [back_x] "i"(back_x), [back_y] "i"(back_y) \
                     : "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")

/* A column's two upper rows as a pair and its lowest row; the zero point where it is outside of the input. */
TML_INLINE int32_t tml_dwr_column_dsp(const int8_t *x, int inside, int o1, int o2, int32_t zero_point, int32_t *q) {
    *q = inside ? x[o2] : zero_point;
    return inside ? tml_pack_dsp(x[0], x[o1]) : tml_pack_dsp(zero_point, zero_point);
}

/* A channel of a row in C, for any padding and rounding. Columns are read once, since y may be x. */
TML_INLINE void tml_dwr_channel_dsp(const int8_t *x, int8_t *y, const int32_t *w, int o1, int o2, int width,
                                    int channels, int stride_w, int pad_left, int out_w, int32_t zero_point,
                                    int rounding, int32_t zp, int32_t lo, int32_t hi) {
    int32_t p[3], q[3];
    int column = -pad_left;
    x += column * channels;
    TML_UNROLL(2)
    for (int i = stride_w; i < 3; ++i, ++column, x += channels)
        p[i] = tml_dwr_column_dsp(x, (unsigned)column < (unsigned)width, o1, o2, zero_point, &q[i]);
    TML_NO_UNROLL
    for (int j = 0; j < out_w; ++j, y += channels) {
        TML_UNROLL(3)
        for (int i = 0; i < 3; ++i) {
            if (i + stride_w < 3) {
                p[i] = p[i + stride_w];
                q[i] = q[i + stride_w];
            } else {
                p[i] = tml_dwr_column_dsp(x, (unsigned)column < (unsigned)width, o1, o2, zero_point, &q[i]);
                x += channels;
                ++column;
            }
        }
        int32_t acc = __smlad(w[7], p[2], __smlad(w[6], p[1], __smlad(w[5], p[0], w[4])));
        acc = __smlatb(w[1], q[2], __smlad(w[0], tml_pack_dsp(q[0], q[1]), acc));
        y[0] = (int8_t)tml_requant_dsp(acc, w[2], w[3], rounding, zp, lo, hi);
    }
}

/* One row of output from the `height` rows of its window that are there, the first of them at x, `pad_top` rows of zero
 * points above them; both need not be constants. `unroll`: how many double steps the loop has, 0 to 2, of as many as
 * lie inside of the input; they are a multiple of it. y may be x: a column's bytes are read before the output that ends
 * with it is written. */
TML_INLINE void tml_depthwise_row3_dsp(const int8_t *x, int8_t *y, const int32_t *w, int height, int width,
                                       int channels, int stride_w, int pad_top, int pad_left, int out_w, int unroll,
                                       int32_t zero_point, int rounding, int32_t zp, int32_t lo, int32_t hi) {
#define TML_DWR_THERE(I) ((unsigned)((I)-pad_top) < (unsigned)height)
    const int row = width * channels;
    const int o1 = TML_DWR_THERE(1) ? (1 - pad_top) * row : 0, o2 = TML_DWR_THERE(2) ? (2 - pad_top) * row : 0;
    const int32_t above = (TML_DWR_THERE(0) ? 0xFFFF : 0) | (TML_DWR_THERE(1) ? -0x10000 : 0);
    const int32_t lowest = TML_DWR_THERE(2) ? -1 : 0;
#undef TML_DWR_THERE
    const int each = stride_w == 1 ? 2 : 1, start = 2 - pad_left, in_input = width > start ? (width - start) / 2 : 0;
    const int whole = out_w / each < in_input ? out_w / each : in_input, left = out_w - whole * each;
    const int last = left == 0 ? 0 : start + 2 * whole >= width ? 2 : 2 * left - 1, near = channels <= 255;
    const int turns = unroll == 0 ? whole : whole / 2 / unroll, odd = unroll == 0 ? 0 : whole % 2;
    const int span = channels * (start + 2 * (whole - odd));
    const int quick = (rounding == TML_LINEAR || rounding == TML_DOUBLE_FAST) && lo == -128 && hi == 127;
    const int fast = quick && pad_left <= 1 && width >= start && (left <= 1 || (left == each && last == 3)) &&
                     width * channels < 65536;
    const int read = start + 2 * whole + (last == 1 || last == 3), back_x = channels * read - 1;
    const int back_y = channels * out_w - 1;
    int masks = above != -1 || lowest != -1, together = masks || !fast ? 1 : channels;
    /* So that the compiler makes no two loops of this one. */
    if (!__builtin_constant_p(together)) __asm__("" : "+r"(together));
    TML_NO_UNROLL
    for (int c = 0; c < channels; c += together, w += 8 * together) {
        const int32_t *stream = w;
        int32_t masked[8];
        if (!__builtin_constant_p(masks)) __asm__ volatile("" : "+r"(masks));
        if (masks) {
            const int32_t zeros = tml_pack_dsp(zero_point, zero_point), a = zeros & ~above, b = zeros & ~lowest;
            const int32_t bias = __smlatb(w[1], b, __smlad(w[0], b, w[4]));
            masked[0] = w[0] & lowest;
            masked[1] = w[1] & lowest;
            masked[2] = w[2];
            masked[3] = w[3];
            masked[4] = __smlad(w[7], a, __smlad(w[6], a, __smlad(w[5], a, bias)));
            masked[5] = w[5] & above;
            masked[6] = w[6] & above;
            masked[7] = w[7] & above;
            stream = masked;
        }
        if (!fast) {
            tml_dwr_channel_dsp(x++, y++, stream, o1, o2, width, channels, stride_w, pad_left, out_w, zero_point,
                                rounding, zp, lo, hi);
        } else {
            register const int32_t *end __asm__("r4") = stream + 8 * together;
            if (stride_w == 1 && near)
                TML_DWR_CHANNELS(1, NEAR);
            else if (stride_w == 1)
                TML_DWR_CHANNELS(1, FAR);
            else if (near)
                TML_DWR_CHANNELS(2, NEAR);
            else
                TML_DWR_CHANNELS(2, FAR);
        }
    }
}

#endif
