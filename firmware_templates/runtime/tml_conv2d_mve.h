/* CONV_2D on cores with MVE, as a matrix product of four output channels by two pixels at a time.
 *
 * The weights are one stream for each four output channels:
 *     { int32 bias[4], multiplier[4], shift[4]; int8 weight[vectors][4][16] }
 * with the inputs of a pixel filled up to whole vectors of 16 by weights of 0, so that what lies behind a pixel does not
 * matter. The last four channels overlap those before where the number is no multiple of four; with fewer than four,
 * the last channel is there again. `places` is where the eight results of a block go, relative to its first byte. */
#ifndef TML_CONV2D_MVE_H
#define TML_CONV2D_MVE_H

#include "tml_common_mve.h"

/* Sixteen inputs of two pixels by four channels: 14 instructions for 128 products. */
#define TML_MVE_GEMM_STEP(a)                                                                                     \
    " vldrb.u8 q0, [%[x0]], #16\n vldrb.u8 q1, [%[x1]], #16\n"                                                   \
    " vldrb.u8 q2, [%[w]], #16\n vmladav" a ".s8 r0, q2, q0\n vmladav" a ".s8 r8, q2, q1\n"                      \
    " vldrb.u8 q3, [%[w]], #16\n vmladav" a ".s8 r2, q3, q0\n vmladav" a ".s8 r10, q3, q1\n"                     \
    " vldrb.u8 q2, [%[w]], #16\n vmladav" a ".s8 r4, q2, q0\n vmladav" a ".s8 r12, q2, q1\n"                     \
    " vldrb.u8 q3, [%[w]], #16\n vmladav" a ".s8 r6, q3, q0\n vmladav" a ".s8 lr, q3, q1\n"

/* The same for vector v of at most two, by offsets from one pointer each. */
#define TML_MVE_GEMM_SMALL_STEP(a, v)                                                                            \
    " vldrb.u8 q0, [%[x0], #16 * " v "]\n vldrb.u8 q1, [%[x0], #%c[stride] + 16 * " v "]\n"                      \
    " vldrb.u8 q2, [%[w], #64 * " v "]\n vmladav" a ".s8 r0, q2, q0\n vmladav" a ".s8 r8, q2, q1\n"              \
    " vldrb.u8 q3, [%[w], #64 * " v " + 16]\n vmladav" a ".s8 r2, q3, q0\n vmladav" a ".s8 r10, q3, q1\n"        \
    " vldrb.u8 q2, [%[w], #64 * " v " + 32]\n vmladav" a ".s8 r4, q2, q0\n vmladav" a ".s8 r12, q2, q1\n"        \
    " vldrb.u8 q3, [%[w], #64 * " v " + 48]\n vmladav" a ".s8 r6, q3, q0\n vmladav" a ".s8 lr, q3, q1\n"

#define TML_MVE_GEMM_FINISH(narrow)                                                                              \
    TML_MVE_SUMS " vadd.i32 q0, q0, %q[bias]\n vadd.i32 q1, q1, %q[bias]\n"                                      \
    TML_MVE_IF("%c[rounding] == 0", " vqrdmulh.s32 q0, q0, %q[mul]\n vqrdmulh.s32 q1, q1, %q[mul]\n")            \
    TML_MVE_IF("%c[rounding] == 1", " vmulh.s32 q0, q0, %q[mul]\n vmulh.s32 q1, q1, %q[mul]\n")                  \
    TML_MVE_IF("%c[repair]", TML_MVE_REPAIR("q0", "q2") TML_MVE_REPAIR("q1", "q3"))                              \
    " vrshl.s32 q0, q0, %q[shift]\n vrshl.s32 q1, q1, %q[shift]\n"                                               \
    narrow " vstrb.16 q0, [%[y], %q[places]]\n"

/* All output channels of `pairs` pairs of pixels, whose inputs are `stride` and outputs `pitch` bytes apart. The input has
 * 15 readable bytes behind it where its last vector is not whole. */
TML_INLINE void tml_gemm_mve(const int8_t *x, int stride, int pairs, const int8_t *stream, const uint16_t *places,
                             int8_t *y, int channels, int pitch, int vectors, int rounding, int zp, int lo, int hi) {
    const uint16x8_t to = vldrhq_u16(places);
    const int small = vectors <= 2 && stride + 16 <= 127;
    int8_t *column = y;
    int32_t zero = zp;
    TML_MVE_HIDE(zero);
    TML_MVE_NO_UNROLL
    for (int c = 0; c < channels; c += 4) {
        const int32_t *const head = (const int32_t *)(const void *)stream;
        const int32x4_t bias = vldrwq_s32(head);
        const int32x4_t mul = vldrwq_s32(head + 4);
        const int32x4_t shift = vldrwq_s32(head + 8);
        const int8_t *w = stream + 48;
        const int8_t *x0 = x;
        const int8_t *x1 = x + stride;
        int8_t *out = column;
        int n = pairs;
        stream += 48 + 64 * vectors;
        column += channels % 4 != 0 && c + 8 > channels ? channels - 4 - c : 4;
        /* Operands by name: GCC 12 does not always find the registers that the sums leave. */
        if (small) {
            TML_MVE_NO_UNROLL
            do {
                register const int8_t *x0_ __asm__("r1") = x0;
                register const int8_t *w_ __asm__("r3") = w;
                register int8_t *y_ __asm__("r5") = out;
                register int32_t zero_ __asm__("r9") = zero;
                __asm__ volatile(TML_MVE_GEMM_SMALL_STEP("", "0")
                                 TML_MVE_IF("%c[n] > 1", TML_MVE_GEMM_SMALL_STEP("a", "1"))
                                 TML_MVE_GEMM_FINISH(TML_MVE_NARROW_BY("", "%[zero]"))
                                 :
                                 : [x0] "r"(x0_), [zero] "r"(zero_), [w] "r"(w_), [y] "r"(y_), [bias] "w"(bias),
                                   [mul] "w"(mul), [shift] "w"(shift), [places] "w"(to), [n] "i"(vectors), [stride] "i"(stride),
                                   [rounding] "i"(rounding), [repair] "i"(rounding == TML_MVE_DOUBLE && lo < zp),
                                   [zp] "i"(zp), [lo] "i"(lo), [hi] "i"(hi)
                                 : TML_MVE_SUM_REGISTERS, "q0", "q1", "q2", "q3", "cc", "memory");
                x0 += 2 * stride;
                out += 2 * pitch;
            } while (--n != 0);
        } else {
            TML_MVE_NO_UNROLL
            do {
                register const int8_t *x0_ __asm__("r1") = x0;
                register const int8_t *x1_ __asm__("r3") = x1;
                register const int8_t *w_ __asm__("r5") = w;
                register int8_t *y_ __asm__("r9") = out;
                register int32_t k __asm__("r11");
                __asm__ volatile(TML_MVE_GEMM_STEP("") TML_MVE_UPTO7("((%c[n] - 1) %% 8)", TML_MVE_GEMM_STEP("a"))
                                 TML_MVE_IF("%c[n] > 16", " mov %[k], #(%c[n] - 1) / 8\n 1:\n")
                                 TML_MVE_IF("%c[n] > 8", TML_MVE_X8(TML_MVE_GEMM_STEP("a")))
                                 TML_MVE_IF("%c[n] > 16", " subs %[k], #1\n bne 1b\n")
                                 TML_MVE_GEMM_FINISH(TML_MVE_NARROW)
                                 : [x0] "+&r"(x0_), [x1] "+&r"(x1_), [w] "+&r"(w_), [k] "=&r"(k)
                                 : [y] "r"(y_), [bias] "w"(bias), [mul] "w"(mul), [shift] "w"(shift), [places] "w"(to),
                                   [n] "i"(vectors), [rounding] "i"(rounding),
                                   [repair] "i"(rounding == TML_MVE_DOUBLE && lo < zp), [zp] "i"(zp), [lo] "i"(lo),
                                   [hi] "i"(hi)
                                 : TML_MVE_SUM_REGISTERS, "q0", "q1", "q2", "q3", "cc", "memory");
                w = w_ - 64 * vectors;
                x0 = x0_ + 2 * stride - 16 * vectors;
                x1 = x1_ + 2 * stride - 16 * vectors;
                out += 2 * pitch;
            } while (--n != 0);
        }
    }
}

/* All output channels of `pixels` pixels, at least two; with an odd number the last two overlap those before. The last
 * `staged` pixels lie in `stage`, not in the input; neither those nor the others are ever a single one. */
TML_INLINE void tml_gemm_staged_mve(const int8_t *x, const int8_t *stage, int stride, int pixels, int staged,
                                    const int8_t *stream, const uint16_t *places, int8_t *y, int channels, int pitch,
                                    int vectors, int rounding, int zp, int lo, int hi) {
    const int direct = pixels - staged;
    int first = direct > 0 ? 0 : direct;
    int count = direct > 0 ? direct : staged;
    const int8_t *from = direct > 0 ? x : stage;
    TML_MVE_NO_UNROLL
    while (count != 0) {
        tml_gemm_mve(from, stride, count / 2, stream, places, y + first * pitch, channels, pitch, vectors, rounding, zp,
                     lo, hi);
        if (count % 2 != 0) {
            first += count - 2;
            from += (count - 2) * stride;
            count = 2;
        } else if (first < direct && staged > 0) {
            first = direct;
            from = stage;
            count = staged;
        } else {
            count = 0;
        }
    }
}

/* 1x1, stride 1, at least two pixels. Where a pixel is no whole number of vectors the last `staged` pixels run from
 * scratch, which holds them and 15 bytes more. The output's pixels begin out_pitch bytes apart. */
TML_INLINE void tml_pointwise_mve(const int8_t *x, int8_t *y, const int8_t *stream, const uint16_t *places,
                                  void *scratch, int pixels, int depth, int channels, int vectors, int staged,
                                  int out_pitch, int rounding, int zp, int lo, int hi) {
    int8_t *const stage = (int8_t *)scratch;
    if (staged > 0) {
        tml_copy_mve(stage, x + (pixels - staged) * depth, staged * depth);
    }
    tml_gemm_staged_mve(x, stage, depth, pixels, staged, stream, places, y, channels, out_pitch, vectors, rounding, zp,
                        lo, hi);
}

/* The window at (row, column), all of it inside the input, to `to`: kernel_h runs, the last vector of each a whole one. */
TML_INLINE void tml_inner_patch_mve(int8_t *to, const int8_t *from, int pitch, int kernel_h, int run) {
    if (run % 4 == 0 && run <= 12) {
        TML_MVE_UNROLL(16)
        for (int i = 0; i < kernel_h; i++) {
            for (int j = 0; j < run; j += 4) {
                __builtin_memcpy(to + i * run + j, from + i * pitch + j, 4);
            }
        }
        return;
    }
    if (run <= 16) {
        TML_MVE_UNROLL(16)
        for (int i = 0; i < kernel_h; i++) {
            vstrbq_s8(to + i * run, vldrbq_s8(from + i * pitch));
        }
        return;
    }
    TML_MVE_UNROLL(5)
    for (int i = 0; i < kernel_h; i++) {
        TML_MVE_UNROLL(36)
        for (int j = 0; j < run; j += 16) {
            __asm__ volatile(" vldrb.u8 q0, [%[from]], #16\n vstrb.8 q0, [%[to]], #16"
                             : [from] "+r"(from), [to] "+r"(to) : : "q0", "memory");
        }
        from += pitch - (run + 15) / 16 * 16;
        to += run - (run + 15) / 16 * 16;
    }
}

/* Any window, in the order of the weights; what lies outside of the input is filled with its zero point. */
TML_INLINE void tml_border_patch_mve(int8_t *to, const int8_t *x, int row, int column, int height, int width, int depth,
                                     int kernel_h, int kernel_w, int dilation_h, int dilation_w, int zero_point) {
    const int run = kernel_w * depth;
    const int first = column < 0 ? -column : 0;
    const int end = column + kernel_w > width ? width - column : kernel_w;
    TML_MVE_NO_UNROLL
    for (int i = 0; i < kernel_h; i++, row += dilation_h, to += run) {
        if (row < 0 || row >= height) {
            tml_fill_mve(to, zero_point, run);
        } else if (dilation_w == 1 && depth % 16 != 0) {
            tml_fill_mve(to, zero_point, run);
            if (first < end) {
                tml_move_mve(to + first * depth, x + (row * width + column + first) * depth, (end - first) * depth);
            }
        } else {
            const int8_t *from = x + (row * width + column) * depth;
            int at = column;
            TML_MVE_UNROLL(3)
            for (int j = 0; j < run; j += depth) {
                if ((unsigned)at < (unsigned)width) {
                    tml_copy_mve(to + j, from, depth);
                } else {
                    tml_fill_mve(to + j, zero_point, depth);
                }
                at += dilation_w;
                from += dilation_w * depth;
            }
        }
    }
}

/* Any kernel, stride, dilation and padding; at least two pixels come out. `block` pixels at a time, an even number, are
 * gathered to scratch: block * 16 * vectors + 16 bytes. The last block overlaps the one before it. A small input is
 * padded first, to `padded_h` rows of `padded_w` pixels behind the patches (both 0 where it is not), and 16 bytes more.
 * The output's pixels begin out_pitch bytes apart. */
TML_INLINE void tml_conv2d_mve(const int8_t *x, int8_t *y, const int8_t *stream, const uint16_t *places, void *scratch,
                               int height, int width, int depth, int kernel_h, int kernel_w, int stride_h, int stride_w,
                               int dilation_h, int dilation_w, int pad_top, int pad_left, int out_h, int out_w,
                               int channels, int vectors, int block, int padded_h, int padded_w, int out_pitch,
                               int zero_point, int rounding, int zp, int lo, int hi) {
    const int is_padded = padded_h > 0;
    const int pixels = out_h * out_w;
    const int run = kernel_w * depth;
    const int from_h = is_padded ? padded_h : height;
    const int from_w = is_padded ? padded_w : width;
    const int first_row = is_padded ? 0 : -pad_top;
    const int first_column = is_padded ? 0 : -pad_left;
    const int pitch = dilation_h * from_w * depth;
    const int reach_h = (kernel_h - 1) * dilation_h + 1;
    int8_t *const image = (int8_t *)scratch + block * 16 * vectors + 16;
    const int8_t *const source = is_padded ? image : x;
    /* Whole vectors may end behind the last run of an input that is not in scratch. */
    const int8_t *const last = source + (from_h - reach_h + 1) * from_w * depth - (run + 15) / 16 * 16;
    const int checked = run % 16 != 0 && !is_padded;
    if (is_padded) {
        tml_fill_mve(image, zero_point, padded_h * padded_w * depth);
        tml_load_band_mve(image, x, -pad_top, 0, padded_h, height, width, depth, depth, padded_w, pad_left, zero_point,
                          0);
    }
    TML_MVE_NO_UNROLL
    for (int n = 0; n < pixels; n += block) {
        int8_t *to = (int8_t *)scratch;
        if (n + block > pixels) {
            n = pixels - block;
        }
        int ox = n % out_w;
        int row = n / out_w * stride_h + first_row;
        int column = ox * stride_w + first_column;
        const int8_t *from = source + (row * from_w + column) * depth;
        TML_MVE_NO_UNROLL
        for (int p = 0; p < block; p++) {
            if (dilation_w == 1 &&
                (is_padded ||
                 (from_h >= reach_h && from_w >= kernel_w && (unsigned)row <= (unsigned)(from_h - reach_h) &&
                  (unsigned)column <= (unsigned)(from_w - kernel_w) && (!checked || from <= last)))) {
                tml_inner_patch_mve(to, from, pitch, kernel_h, run);
            } else {
                tml_border_patch_mve(to, source, row, column, from_h, from_w, depth, kernel_h, kernel_w, dilation_h,
                                     dilation_w, zero_point);
            }
            to += 16 * vectors;
            from += stride_w * depth;
            column += stride_w;
            if (++ox == out_w) {
                ox = 0;
                row += stride_h;
                column = first_column;
                from += (stride_h * from_w - out_w * stride_w) * depth;
            }
            TML_MVE_HIDE(from);
        }
        tml_gemm_mve((const int8_t *)scratch, 16 * vectors, block / 2, stream, places, y + n * out_pitch, channels,
                     out_pitch, vectors, rounding, zp, lo, hi);
    }
}

#endif
