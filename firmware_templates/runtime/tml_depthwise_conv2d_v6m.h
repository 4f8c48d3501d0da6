/* DEPTHWISE_CONV_2D on cores without SIMD: three outputs of a channel in two words.
 *
 * The output is cut in three bands of equal size (the last two may overlap, which computes the same bytes again). One
 * input channel at a time is packed into a plane: a place of it holds the inputs a, b, c that the three bands have there,
 *     P1 = a + (c << 21)          P2 = b + (c << 10)          (modulo 2^32)
 * so that one weight multiplies two words for three products (see tml_gemm_v6m.h; the bound is proven for each channel
 * from its weights, tinyml/lower/v6m/depthwise_conv_2d.py). What lies outside of the input is the zero point. A channel
 * is read as a whole before its outputs are written and no other channel lies at its places, so that y may be x where
 * multiplier is 1. */
#ifndef TML_DEPTHWISE_CONV2D_V6M_H
#define TML_DEPTHWISE_CONV2D_V6M_H

#include "tml_common_v6m.h"

/* A channel's outputs; the assembly has it on its stack, the second half first. */
typedef struct {
    int32_t plane_skip;    /* 28: bytes of the plane from the end of a row of outputs to the next row */
    int32_t y_skip;        /* 32: the same of y */
    int32_t y_pitch;       /* 36: from row to row of y */
    uintptr_t y_last;      /* 40: where row_end is after the last row, beyond y */
    const int32_t *plane;  /* 44 */
    int8_t *y;             /* 48 */
    const int8_t *row_end; /* 52: of y */
    const int32_t *words;  /* 0: weights, then the line three times */
    int32_t plane_step;    /* 4: bytes from output to output */
    int32_t band1, band2;  /* 8, 12: of y, from the first band */
    int32_t y_step;        /* 16: from output to output */
    const int32_t *w_end;  /* 20 */
    int32_t row_skip;      /* 24: bytes of the plane from the end of a row of the kernel to the next row */
} tml_depthwise_v6m;

#if TML_V7M
#define TML_TAP(w) "ldmia r0!, {r2, r3}\n\t" "mla r8, r2, " w ", r8\n\t" "mla r9, r3, " w ", r9\n\t"
#define TML_FIRST_TAP(w) "ldmia r0!, {r2, r3}\n\t" "mul r8, r2, " w "\n\t" "mul r9, r3, " w "\n\t"
#define TML_NEXT_ROW "add r0, r0, r10\n\t"
#define TML_CLEAR "mov r8, #0\n\t" "mov r9, #0\n\t"
#define TML_REQUANT_LANE(acc) \
    "ldmia r6!, {r1, r2, r3}\n\t" "smlal r2, r3, " acc ", r1\n\t" \
    ".if %c[form] == 1\n\t" "ldmia r6!, {r4, r5}\n\t" "lsls r2, r2, #1\n\t" "adc r3, r3, r3\n\t" "add r3, r3, r3, asr #31\n\t" \
    "add r3, r3, r4\n\t" "asr r3, r3, r5\n\t" "ssat r3, #8, r3\n\t" ".else\n\t" "ssat r3, #8, r3, asr #4\n\t" ".endif\n\t"
#define TML_LANES \
    "sbfx r4, r8, #0, #21\n\t" "sub r8, r8, r4\n\t" "sub r9, r9, r8, asr #11\n\t" TML_REQUANT_LANE("r4") "strb r3, [r7]\n\t" \
    "sbfx r4, r9, #0, #21\n\t" "sub r9, r9, r4\n\t" TML_REQUANT_LANE("r4") "strb r3, [r7, r12]\n\t" \
    "asr r9, r9, #10\n\t" "add r4, r9, r8, asr #21\n\t" TML_REQUANT_LANE("r4") "ldr r0, [sp, #12]\n\t" "strb r3, [r7, r0]\n\t"
#else
#define TML_TAP(w) "ldmia r0!, {r2, r3}\n\t" "muls r2, " w ", r2\n\t" "muls r3, " w ", r3\n\t" "add r8, r2\n\t" "add r9, r3\n\t"
#define TML_FIRST_TAP(w) "ldmia r0!, {r2, r3}\n\t" "muls r2, " w ", r2\n\t" "muls r3, " w ", r3\n\t" "mov r8, r2\n\t" "mov r9, r3\n\t"
#define TML_NEXT_ROW "add r0, r10\n\t"
#define TML_CLEAR "movs r2, #0\n\t" "mov r8, r2\n\t" "mov r9, r2\n\t"
#define TML_REQUANT_LANE(acc) \
    "ldmia r6!, {r0, r1, r2, r5}\n\t" "muls r0, " acc ", r0\n\t" "asrs r0, r0, #13\n\t" "muls r1, " acc ", r1\n\t" \
    "adds r1, r1, r0\n\t" "adds r1, r1, r2\n\t" \
    ".if %c[form] == 1\n\t" "ldmia r6!, {r0, r2}\n\t" "bpl 5f\n\t" "subs r1, r1, r0\n" "5:\n\t" "adds r1, r1, r2\n\t" ".endif\n\t" \
    "asrs r1, r1, r5\n\t" "cmp r1, #255\n\t" "bls 4f\n\t" "asrs r1, r1, #31\n\t" "mvns r1, r1\n" "4:\n\t" "subs r1, #128\n\t"
#define TML_LANES \
    "mov r4, r8\n\t" "lsls r3, r4, #11\n\t" "asrs r3, r3, #11\n\t" "subs r4, r4, r3\n\t" TML_REQUANT_LANE("r3") "strb r1, [r7]\n\t" \
    "mov r5, r9\n\t" "asrs r0, r4, #11\n\t" "subs r5, r5, r0\n\t" "lsls r3, r5, #11\n\t" "asrs r3, r3, #11\n\t" "subs r5, r5, r3\n\t" \
    "asrs r4, r4, #21\n\t" "asrs r5, r5, #10\n\t" "adds r4, r4, r5\n\t" TML_REQUANT_LANE("r3") "mov r0, r12\n\t" "strb r1, [r7, r0]\n\t" \
    TML_REQUANT_LANE("r4") "ldr r0, [sp, #12]\n\t" "strb r1, [r7, r0]\n\t"
#endif

#define TML_W3 "ldmia r6!, {r1, r4, r5}\n\t"
#define TML_ROW3 TML_W3 TML_TAP("r1") TML_TAP("r4") TML_TAP("r5")
#define TML_ROW5 TML_ROW3 "ldmia r6!, {r1, r4}\n\t" TML_TAP("r1") TML_TAP("r4")
#define TML_ROW7 TML_ROW3 TML_ROW3 "ldmia r6!, {r1}\n\t" TML_TAP("r1")
#define TML_DOT_3X3 \
    TML_W3 TML_FIRST_TAP("r1") TML_TAP("r4") TML_TAP("r5") TML_NEXT_ROW TML_ROW3 TML_NEXT_ROW TML_ROW3
#define TML_DOT_ROWS(row) TML_CLEAR "3:\n\t" row TML_NEXT_ROW "ldr r2, [sp, #20]\n\t" "cmp r6, r2\n\t" "bne 3b\n\t"

/* r0 plane, r6 words, r7 y, r10 row_skip, r11 row_end, r12 band1, lr the next output's place in the plane. */
#define TML_DEFINE_DEPTHWISE(name, DOT, FORM) \
    TML_COMMON_COPY void name(const tml_depthwise_v6m *d) { \
        __asm__ volatile(".syntax unified\n\t" \
                         "ldmia %0!, {r1, r2, r3, r4, r5, r6, r7}\n\t" "push {r1, r2, r3, r4, r5, r6, r7}\n\t" \
                         "mov lr, r5\n\t" "mov r11, r7\n\t" "mov r8, r6\n\t" \
                         "ldmia %0!, {r1, r2, r3, r4, r5, r6, r7}\n\t" "push {r1, r2, r3, r4, r5, r6, r7}\n\t" \
                         "mov r10, r7\n\t" "mov r12, r3\n\t" "mov r7, r8\n" \
                         "1:\n\t" "ldr r6, [sp]\n\t" "mov r0, lr\n\t" "ldr r1, [sp, #4]\n\t" "add lr, r1\n\t" \
                         DOT TML_LANES \
                         "ldr r0, [sp, #16]\n\t" "adds r7, r7, r0\n\t" "cmp r7, r11\n\t" "beq 2f\n\t" "b 1b\n" \
                         "2:\n\t" "ldr r0, [sp, #28]\n\t" "add lr, r0\n\t" "ldr r0, [sp, #32]\n\t" "adds r7, r7, r0\n\t" \
                         "ldr r0, [sp, #36]\n\t" "add r11, r0\n\t" "ldr r0, [sp, #40]\n\t" "cmp r11, r0\n\t" "beq 3f\n\t" "b 1b\n" \
                         "3:\n\t" "add sp, #56\n\t" \
                         : "+l"(d) : [form] "n"(FORM) \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"); \
    }
TML_DEFINE_DEPTHWISE(tml_depthwise_3x3_line_v6m, TML_DOT_3X3, TML_LINE)
TML_DEFINE_DEPTHWISE(tml_depthwise_3x3_two_v6m, TML_DOT_3X3, TML_TWO_ROUNDINGS)
TML_DEFINE_DEPTHWISE(tml_depthwise_3_line_v6m, TML_DOT_ROWS(TML_ROW3), TML_LINE)
TML_DEFINE_DEPTHWISE(tml_depthwise_3_two_v6m, TML_DOT_ROWS(TML_ROW3), TML_TWO_ROUNDINGS)
TML_DEFINE_DEPTHWISE(tml_depthwise_5_line_v6m, TML_DOT_ROWS(TML_ROW5), TML_LINE)
TML_DEFINE_DEPTHWISE(tml_depthwise_5_two_v6m, TML_DOT_ROWS(TML_ROW5), TML_TWO_ROUNDINGS)
TML_DEFINE_DEPTHWISE(tml_depthwise_7_line_v6m, TML_DOT_ROWS(TML_ROW7), TML_LINE)
TML_DEFINE_DEPTHWISE(tml_depthwise_7_two_v6m, TML_DOT_ROWS(TML_ROW7), TML_TWO_ROUNDINGS)

/* Where tml_pack3_v6m reads and writes: bytes at a, b and c, `end` bytes of a row and every `step` of them, whole turns of
 * four until `fours`; the next row lies `row` bytes on, and `skip` bytes behind the last place of the plane's. */
typedef struct {
    const int8_t *a, *b, *c;
    int32_t *to, *to_end;
    int32_t step, fours, end, row, skip;
} tml_pack_v6m;

#if TML_V7M
#define TML_PACK_WORDS "add r5, r5, r7, lsl #21\n\t" "add r6, r6, r7, lsl #10\n\t"
#else
#define TML_PACK_WORDS "lsls r7, r7, #10\n\t" "adds r6, r6, r7\n\t" "lsls r7, r7, #11\n\t" "adds r5, r5, r7\n\t"
#endif
#define TML_PACK "ldrsb r5, [r0, r3]\n\t" "ldrsb r6, [r1, r3]\n\t" "ldrsb r7, [r2, r3]\n\t" TML_PACK_WORDS \
                 "stmia r4!, {r5, r6}\n\t" "add r3, r8\n\t"
/* Rows of places whose three bytes lie inside the input. r0, r1, r2 rows, r3 the way along them, r4 to; high: step, fours,
 * end, row, skip, to_end. */
TML_COMMON_COPY void tml_pack3_v6m(const tml_pack_v6m *p) {
    __asm__ volatile(".syntax unified\n\t"
                     "movs r1, %0\n\t" "adds r1, #16\n\t" "ldmia r1!, {r2, r3, r4, r5, r6, r7}\n\t" "mov lr, r2\n\t" "mov r8, r3\n\t"
                     "mov r9, r4\n\t" "mov r10, r5\n\t" "mov r11, r6\n\t" "mov r12, r7\n\t"
                     "movs r7, %0\n\t" "ldmia r7!, {r0, r1, r2, r4}\n"
                     "1:\n\t" "movs r3, #0\n\t" "cmp r3, r9\n\t" "beq 3f\n"
                     "2:\n\t" TML_X4(TML_PACK) "cmp r3, r9\n\t" "bne 2b\n"
                     "3:\n\t" "cmp r3, r10\n\t" "beq 5f\n"
                     "4:\n\t" TML_PACK "cmp r3, r10\n\t" "bne 4b\n"
                     "5:\n\t" "add r0, r11\n\t" "add r1, r11\n\t" "add r2, r11\n\t" "add r4, r12\n\t" "cmp r4, lr\n\t" "bne 1b\n\t"
                     : "+l"(p)
                     : : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

/* `rows` rows of `columns` places that lie inside the input in all three bands. */
TML_INLINE void tml_pack_whole_v6m(const int8_t *a, const int8_t *b, const int8_t *c, int32_t *to, int rows, int columns, int pitch,
                                   int row_bytes, int channels) {
    tml_pack_v6m p;
    p.a = a;
    p.b = b;
    p.c = c;
    p.to = to;
    p.to_end = to + 2 * pitch * rows;
    p.step = channels;
    p.fours = (columns & ~3) * channels;
    p.end = columns * channels;
    p.row = row_bytes;
    p.skip = 8 * (pitch - columns);
    tml_pack3_v6m(&p);
}

/* The same for one row with a step for each band: 0 where its bytes are a zero point outside of the input. */
typedef struct {
    const int8_t *a, *b, *c;
    int32_t *to, *to_end;
    int32_t step_a, step_b, step_c;
} tml_pack_steps_v6m;

/* r0, r1, r2 a, b, c, r3 to; high: to_end and the steps. */
TML_COMMON_COPY void tml_pack3_steps_v6m(const tml_pack_steps_v6m *p) {
    __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t"
                     "mov r8, r4\n\t" "mov r9, r5\n\t" "mov r10, r6\n\t" "mov r11, r7\n\t" "movs r4, #0\n"
                     "1:\n\t" "ldrsb r5, [r0, r4]\n\t" "ldrsb r6, [r1, r4]\n\t" "ldrsb r7, [r2, r4]\n\t" TML_PACK_WORDS
                     "stmia r3!, {r5, r6}\n\t" "add r0, r9\n\t" "add r1, r10\n\t" "add r2, r11\n\t" "cmp r3, r8\n\t" "bne 1b\n\t"
                     : "+l"(p) : : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "cc", "memory");
}

/* `n` places of which each band's bytes are inside the input or not. */
TML_INLINE void tml_pack_border_v6m(const int8_t *x, const int *at, const int *inside, int n, int step, const int8_t *zero_point,
                                    int32_t *to) {
    tml_pack_steps_v6m p;
    p.a = inside[0] ? x + at[0] : zero_point;
    p.b = inside[1] ? x + at[1] : zero_point;
    p.c = inside[2] ? x + at[2] : zero_point;
    p.to = to;
    p.to_end = to + 2 * n;
    p.step_a = inside[0] ? step : 0;
    p.step_b = inside[1] ? step : 0;
    p.step_c = inside[2] ? step : 0;
    tml_pack3_steps_v6m(&p);
}

/* Fills the plane of one channel from rows of the input, three at a time; `x` is the channel's first input. Places to the
 * left and right of the input hold zero points already. */
TML_INLINE void tml_pack_rows_v6m(const int8_t *x, int32_t *plane, const int *from, int pad_left, int plane_h, int pitch, int height,
                                  int width, int channels, const int8_t *zero_point) {
    const int columns = width < pitch - pad_left ? width : pitch - pad_left, row_bytes = width * channels;
    const int top = from[0] < 0 ? -from[0] : 0, inside = height - from[2] < plane_h ? height - from[2] : plane_h;
    const int bottom = inside > top ? inside : top;
    int32_t *to = plane + 2 * pad_left;
    if (columns <= 0) return;
    if (bottom > top) {
        const int8_t *const first = x + (from[0] + top) * row_bytes;
        tml_pack_whole_v6m(first, first + (from[1] - from[0]) * row_bytes, first + (from[2] - from[0]) * row_bytes, to + 2 * pitch * top,
                           bottom - top, columns, pitch, row_bytes, channels);
    }
    TML_LOOP
    for (int row = top > 0 ? 0 : bottom; row < plane_h; row = row + 1 == top ? bottom : row + 1) {
        int at[3], in[3];
        for (int band = 0; band < 3; ++band) {
            at[band] = (from[band] + row) * row_bytes;
            in[band] = (unsigned)(from[band] + row) < (unsigned)height;
        }
        tml_pack_border_v6m(x, at, in, columns, channels, zero_point, to + 2 * pitch * row);
    }
}

/* The same where the bands are columns. */
TML_INLINE void tml_pack_columns_v6m(const int8_t *x, int32_t *plane, const int *from, int pad_top, int plane_h, int pitch, int height,
                                     int width, int channels, const int8_t *zero_point) {
    const int rows = height < plane_h - pad_top ? height : plane_h - pad_top;
    const int left = from[0] < 0 ? -from[0] : 0, inside = width - from[2] < pitch ? width - from[2] : pitch;
    const int right = inside > left ? inside : left;
    int32_t *to = plane + 2 * pad_top * pitch;
    if (right > left && rows > 0) {
        const int8_t *const first = x + (from[0] + left) * channels;
        tml_pack_whole_v6m(first, first + (from[1] - from[0]) * channels, first + (from[2] - from[0]) * channels, to + 2 * left, rows,
                           right - left, pitch, width * channels, channels);
    }
    TML_LOOP
    for (int row = 0; row < rows; ++row, x += width * channels, to += 2 * pitch) {
        TML_LOOP
        for (int i = 0; i < pitch; ++i) {
            if (i < left || i >= right) {
                int at[3], in[3];
                for (int band = 0; band < 3; ++band) {
                    at[band] = (from[band] + i) * channels;
                    in[band] = (unsigned)(from[band] + i) < (unsigned)width;
                }
                tml_pack_border_v6m(x, at, in, 1, channels, zero_point, to + 2 * i);
            }
        }
    }
}

/* `rows` x `columns` outputs a band; the bands begin at outputs 0, band1 and band2 (rows or columns of the output, by
 * `vertical`). Weights: bytes [channels * multiplier][kernel_h][kernel_w], kernel_w filled up to 3, 5 or 7. Scratch: the
 * plane, 8 bytes a place, then the words of a channel. The pixels of input and output begin in_pitch and out_pitch bytes apart. */
TML_INLINE void tml_depthwise_conv2d_v6m(const int8_t *x, int8_t *y, const int8_t *weights, const int32_t *lines, void *scratch,
                                         int height, int width, int channels, int multiplier, int kernel_h, int kernel_w,
                                         int stride_h, int stride_w, int dilation_h, int pad_top, int pad_left, int out_w,
                                         int rows, int columns, int band1, int band2, int vertical, int in_pitch, int out_pitch,
                                         int in_zero_point, int form,
                                         int out_min, int out_max) {
    int8_t *const outputs = y;
    const int plane_h = (rows - 1) * stride_h + (kernel_h - 1) * dilation_h + 1;
    const int pitch = (columns - 1) * stride_w + kernel_w;
    const int taps = kernel_h * kernel_w, out_c = channels * multiplier;
    int32_t *const plane = (int32_t *)scratch;
    int32_t *const words = plane + 2 * plane_h * pitch;
    const int8_t zero_point = (int8_t)in_zero_point;
    const int starts[3] = {0, band1, band2};
    int from_row[3], from_column[3];
    tml_depthwise_v6m d;
    for (int band = 0; band < 3; ++band) {
        from_row[band] = (vertical ? starts[band] * stride_h : 0) - pad_top;
        from_column[band] = (vertical ? 0 : starts[band] * stride_w) - pad_left;
    }
    const int32_t nowhere = (int32_t)((uint32_t)in_zero_point + ((uint32_t)in_zero_point << 21));
    TML_LOOP
    for (int i = 0; i < plane_h * pitch; ++i) {
        plane[2 * i] = nowhere;
        plane[2 * i + 1] = (int32_t)((uint32_t)in_zero_point + ((uint32_t)in_zero_point << 10));
    }
    d.plane = plane;
    d.words = words;
    d.w_end = words + taps;
    d.plane_step = 8 * stride_w;
    d.plane_skip = 8 * (stride_h * pitch - columns * stride_w);
    d.row_skip = 8 * (dilation_h * pitch - kernel_w);
    d.y_step = out_pitch;
    d.y_pitch = out_w * out_pitch;
    d.y_skip = (out_w - columns) * out_pitch;
    d.band1 = band1 * (vertical ? out_w : 1) * out_pitch;
    d.band2 = band2 * (vertical ? out_w : 1) * out_pitch;
    TML_LOOP
    for (int channel = 0; channel < channels; ++channel) {
        if (vertical) {
            tml_pack_rows_v6m(x + channel, plane, from_row, pad_left, plane_h, pitch, height, width, in_pitch, &zero_point);
        } else {
            tml_pack_columns_v6m(x + channel, plane, from_column, pad_top, plane_h, pitch, height, width, in_pitch, &zero_point);
        }
        TML_LOOP
        for (int m = 0; m < multiplier; ++m, ++y) {
            TML_LOOP
            for (int i = 0; i < taps; ++i) words[i] = weights[i];
            for (int i = 0; i < TML_LINE_WORDS(form, 0); ++i)
                for (int band = 0; band < 3; ++band) words[taps + band * TML_LINE_WORDS(form, 0) + i] = lines[i];
            weights += taps;
            lines += TML_LINE_WORDS(form, 0);
            d.y = y;
            d.row_end = y + columns * out_pitch;
            d.y_last = (uintptr_t)d.row_end + (uintptr_t)(rows * out_w * out_pitch);
            if (kernel_h == 3 && kernel_w == 3) {
                if (form == TML_LINE) tml_depthwise_3x3_line_v6m(&d);
                else tml_depthwise_3x3_two_v6m(&d);
            } else if (kernel_w == 3) {
                if (form == TML_LINE) tml_depthwise_3_line_v6m(&d);
                else tml_depthwise_3_two_v6m(&d);
            } else if (kernel_w == 5) {
                if (form == TML_LINE) tml_depthwise_5_line_v6m(&d);
                else tml_depthwise_5_two_v6m(&d);
            } else {
                if (form == TML_LINE) tml_depthwise_7_line_v6m(&d);
                else tml_depthwise_7_two_v6m(&d);
            }
        }
    }
    const int pixels = out_w * (vertical ? band2 + rows : rows);
    if (out_pitch == out_c) {
        tml_clamp_v6m(outputs, out_c * pixels, out_min, out_max);
    } else if (out_min > -128 || out_max < 127) {
        TML_LOOP
        for (int i = 0; i < pixels; ++i) tml_clamp_v6m(outputs + i * out_pitch, out_c, out_min, out_max);
    }
}

#endif
