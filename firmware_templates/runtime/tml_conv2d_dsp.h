/* CONV_2D on cores with the DSP extension, as a matrix product of three pixels by two channels at a time.
 *
 * The weights are one stream for each pair of output channels (A, B):
 *     { 256 * biasA + biasB, biasB, P weight words, mulA, parA, mulB, parB }
 * A weight word holds two inputs, each as int16 256 * wA + wB. With x as two int16, SMLAD(word, x) adds 256 * A + B and
 * SMLAD(SXTB16(word), x) adds B, so A = (sum - B) >> 8, exact while |A| < 2^23; all sums may wrap. The order of the
 * inputs is the order in which tml_expand3_dsp delivers them. The compiler packs the stream, folds the input's zero
 * point into the biases and proves the bound for each channel (tinyml/lower/dsp/gemm.py). An odd last channel is paired
 * with the one before it, which is then computed twice. Sums that may leave 24 bits are taken in `parts` of at most 254
 * words (508 * 128 * 128 < 2^23), and A's are added up apart; the stream then begins with biasA alone. */
#ifndef TML_CONV2D_DSP_H
#define TML_CONV2D_DSP_H

#include "tml_common_dsp.h"
#include "tml_gemm_rest_dsp.h"

/* Three pixels, two channels, two weight words: 17 instructions for 24 products. GCC left to intrinsics hoists the
 * loads and spills (1.3 instructions a product). The first step takes the biases as addends instead of moving them. */
#define TML_GEMM_STEP(IO, S0, S1, B0, B1) \
    __asm__ volatile( \
        "ldrd r9, r10, [%[w]], #8\n\t" \
        "ldm %[x]!, {r11, r12, lr}\n\t" \
        "smlad %[s0], r9, r11, " S0 "\n\t" \
        "smlad %[s1], r9, r12, " S1 "\n\t" \
        "smlad %[s2], r9, lr, %[s2]\n\t" \
        "sxtb16 r9, r9\n\t" \
        "smlad %[b0], r9, r11, " B0 "\n\t" \
        "smlad %[b1], r9, r12, " B1 "\n\t" \
        "smlad %[b2], r9, lr, %[b2]\n\t" \
        "ldm %[x]!, {r11, r12, lr}\n\t" \
        "smlad %[s0], r10, r11, %[s0]\n\t" \
        "smlad %[s1], r10, r12, %[s1]\n\t" \
        "smlad %[s2], r10, lr, %[s2]\n\t" \
        "sxtb16 r10, r10\n\t" \
        "smlad %[b0], r10, r11, %[b0]\n\t" \
        "smlad %[b1], r10, r12, %[b1]\n\t" \
        "smlad %[b2], r10, lr, %[b2]" \
        : [s0] IO(s0), [s1] IO(s1), [b0] IO(b0), [b1] IO(b1), [s2] "+r"(s2), [b2] "+r"(b2), [w] "+r"(w), [x] "+r"(x) \
        : \
        : "r9", "r10", "r11", "r12", "lr")

/* One block: three pixels (*next: words of pixel 0, 1, 2 in turn) by one stream; `words` a pixel in `parts`, `unroll` of
 * them unrolled (an even divisor of a part's). The results go to y, y + stride, y + 2 * stride. Returns the next stream
 * and leaves the next block in *next. */
TML_INLINE const int32_t *tml_gemm_3x2_dsp(const int32_t **next, const int32_t *w, int8_t *y, int stride, int second,
                                           int words, int unroll, int parts, int rounding, int32_t zp, int32_t lo,
                                           int32_t hi) {
    register int32_t s0 __asm__("r0");
    register int32_t s1 __asm__("r1");
    register int32_t s2 __asm__("r2");
    register int32_t b0 __asm__("r3");
    register int32_t b1 __asm__("r4");
    register int32_t b2 __asm__("r5");
    const int32_t *x = *next;
    int32_t m, p, a0 = 0, a1 = 0, a2 = 0;
    TML_NEXT(s2, b2, w);
    if (parts > 1) {
        int left = parts;
        a0 = a1 = a2 = s2;
        b0 = b1 = b2;
        TML_NO_UNROLL
        do {
            const int32_t *const end = w + words / parts;
            s0 = b0;
            s1 = b1;
            s2 = b2;
            TML_NO_UNROLL
            do {
                TML_UNROLL(128)
                for (int i = 0; i < unroll; i += 2) TML_GEMM_STEP("+r", "%[s0]", "%[s1]", "%[b0]", "%[b1]");
            } while (w != end);
            a0 = tml_add_part_dsp(a0, s0, b0);
            a1 = tml_add_part_dsp(a1, s1, b1);
            a2 = tml_add_part_dsp(a2, s2, b2);
        } while (--left != 0);
    } else if (unroll == words) {
        TML_GEMM_STEP("=&r", "%[s2]", "%[s2]", "%[b2]", "%[b2]");
        TML_UNROLL(128)
        for (int i = 2; i < words; i += 2) TML_GEMM_STEP("+r", "%[s0]", "%[s1]", "%[b0]", "%[b1]");
    } else {
        const int32_t *const end = w + words;
        s0 = s1 = s2;
        b0 = b1 = b2;
        TML_NO_UNROLL
        do {
            TML_UNROLL(128)
            for (int i = 0; i < unroll; i += 2) TML_GEMM_STEP("+r", "%[s0]", "%[s1]", "%[b0]", "%[b1]");
        } while (w != end);
    }
    TML_NEXT(m, p, w);
    if (parts > 1) {
        y[0] = (int8_t)tml_requant_dsp(a0, m, p, rounding, zp, lo, hi);
        y[stride] = (int8_t)tml_requant_dsp(a1, m, p, rounding, zp, lo, hi);
        y[2 * stride] = (int8_t)tml_requant_dsp(a2, m, p, rounding, zp, lo, hi);
    } else {
        y[0] = (int8_t)tml_requant256_dsp(s0 - b0, m, p, rounding, zp, lo, hi);
        y[stride] = (int8_t)tml_requant256_dsp(s1 - b1, m, p, rounding, zp, lo, hi);
        y[2 * stride] = (int8_t)tml_requant256_dsp(s2 - b2, m, p, rounding, zp, lo, hi);
    }
    TML_NEXT(m, p, w);
    y[second] = (int8_t)tml_requant_dsp(b0, m, p, rounding, zp, lo, hi);
    y[stride + second] = (int8_t)tml_requant_dsp(b1, m, p, rounding, zp, lo, hi);
    y[2 * stride + second] = (int8_t)tml_requant_dsp(b2, m, p, rounding, zp, lo, hi);
    *next = x;
    return w;
}

/* All output channels of three pixels, whose outputs are `pitch` bytes apart. */
TML_INLINE void tml_gemm_block_dsp(const int32_t *x, const int32_t *w, int8_t *y, int channels, int pitch, int words,
                                   int unroll, int parts, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int32_t *const end = w + (channels + 1) / 2 * (words + 6);
    TML_PUBLISH(x);
    TML_NO_UNROLL
    do {
        const int32_t *block = x;
        w = tml_gemm_3x2_dsp(&block, w, y, pitch, channels > 1, words, unroll, parts, rounding, zp, lo, hi);
        y += 2;
        if (channels % 2 == 1 && w + (words + 6) == end) y -= 1;
    } while (w != end);
}

/* All output channels of `blocks` times three pixels, whose words lie one after the other. Each stream is read
 * for all of them in turn: only the first reads it from flash where it fits the cache in front of that. */
TML_INLINE void tml_gemm_blocks_dsp(const int32_t *x, const int32_t *w, int8_t *y, int blocks, int channels, int pitch,
                                    int words, int unroll, int parts, int rounding, int32_t zp, int32_t lo,
                                    int32_t hi) {
    const int32_t *const end = w + (channels + 1) / 2 * (words + 6), *const last = x + 3 * words * blocks;
    TML_PUBLISH(x);
    TML_NO_UNROLL
    do {
        const int32_t *block = x, *stream = w;
        int8_t *to = y;
        TML_NO_UNROLL
        do {
            w = tml_gemm_3x2_dsp(&block, stream, to, pitch, channels > 1, words, unroll, parts, rounding, zp, lo, hi);
            to += 3 * pitch;
        } while (block != last);
        y += 2;
        if (channels % 2 == 1 && w + (words + 6) == end) y -= 1;
    } while (w != end);
}

/* Four bytes of each of three pixels `stride` bytes apart to six words: inputs 0 and 2, then 1 and 3, of each pixel. */
TML_INLINE void tml_expand3_words_dsp(int32_t **out, const int8_t **x, int stride, int words) {
    int32_t *o = *out;
    const int8_t *s = *x;
#define TML_EXPAND3(C) \
    __asm__ volatile("ldr r1, [%0, %2]\n\t" \
                     "ldr r2, [%0, %3]\n\t" \
                     "ldr r0, [%0], #4\n\t" \
                     "sxtb16 r3, r0, ror #8\n\t" \
                     "sxtb16 r4, r1, ror #8\n\t" \
                     "sxtb16 r5, r2, ror #8\n\t" \
                     "sxtb16 r0, r0\n\t" \
                     "sxtb16 r1, r1\n\t" \
                     "sxtb16 r2, r2\n\t" \
                     "stm %1!, {r0, r1, r2, r3, r4, r5}" \
                     : "+r"(s), "+r"(o) \
                     : C(stride), C(2 * stride) \
                     : "r0", "r1", "r2", "r3", "r4", "r5", "memory")
    TML_UNROLL(4)
    for (int i = 0; i < words; ++i) {
        if (2 * stride <= 4095)
            TML_EXPAND3("i");
        else
            TML_EXPAND3("r");
    }
#undef TML_EXPAND3
    *out = o;
    *x = s;
}

/* Patches of `rows` runs of `run` bytes, `pitch` bytes from run to run, of three pixels `stride` bytes apart: first the
 * whole words of every run, then what is left of the runs, two bytes a word. A last odd word is left as it is. */
TML_INLINE void tml_expand3_dsp(int32_t *o, const int8_t *x, int rows, int run, int pitch, int stride) {
    const int8_t *s = x;
    TML_UNROLL(3)
    for (int i = 0; i < rows; ++i) {
        const int8_t *row = s;
        tml_expand3_words_dsp(&o, &row, stride, run / 4);
        s += pitch;
    }
    if (run % 4 != 0) {
        const int rest = run % 4, total = rows * rest;
        TML_UNROLL(32)
        for (int i = 0; i < total; i += 2) {
            const int8_t *a = x + (i / rest) * pitch + run - rest + i % rest;
            const int8_t *b = x + ((i + 1) / rest) * pitch + run - rest + (i + 1) % rest;
            TML_UNROLL(3)
            for (int p = 0; p < 3; ++p) {
                const uint32_t low = (uint16_t)a[p * stride];
                o[p] = (int32_t)(i + 1 < total ? low | (uint32_t)b[p * stride] << 16 : low);
            }
            o += 3;
        }
    }
}

/* 1x1, stride 1: `pixels` (at least 3) of `depth` inputs, `blocks` times three at a time. One or two that are left are
 * expanded with those before them and computed alone, `tail` words a turn; for tail = 0 all three are, behind the first
 * block's words, and the new ones kept. Scratch: 12 * words bytes a block, for tail = 0 at least 3 * channels behind
 * the first block's. The inputs of blocks are all read before their outputs are written, so y may be x where channels <=
 * depth. The output's pixels begin out_pitch bytes apart; where that is not channels, what is left is never staged. */
TML_INLINE void tml_pointwise_deep_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int pixels,
                                       int depth, int channels, int words, int unroll, int parts, int blocks, int tail,
                                       int out_pitch, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int rest = pixels % 3, staged = rest != 0 && tail == 0 && out_pitch == channels;
    int32_t *const xb = (int32_t *)scratch;
    int8_t *const last = (int8_t *)(xb + 3 * words);
    if (blocks > 1) {
        const int8_t *from = x;
        int8_t *out = y;
        int left = pixels / 3;
        TML_NO_UNROLL
        do {
            int count = left < blocks ? left : blocks;
            int32_t *o = xb;
            if (staged && left == 0) {
                count = 1;
                from -= (3 - rest) * depth;
                out = last;
            }
            __asm__("" : "+r"(count)); /* so that GCC writes no code for each count */
            TML_NO_UNROLL
            for (int i = 0; i < count; ++i, o += 3 * words, from += 3 * depth)
                tml_expand3_dsp(o, from, 1, depth, 0, depth);
            tml_gemm_blocks_dsp(xb, w, out, count, channels, out_pitch, words, unroll, parts, rounding, zp, lo, hi);
            out += count * 3 * out_pitch;
            left -= count;
        } while (left >= !staged);
        if (rest != 0 && !staged) tml_expand3_dsp(xb, x + (pixels - 3) * depth, 1, depth, 0, depth);
    } else {
        TML_NO_UNROLL
        for (int n = 0; n < pixels; n += 3) {
            const int whole = rest == 0 || n + 3 <= pixels;
            tml_expand3_dsp(xb, x + (whole ? n : pixels - 3) * depth, 1, depth, 0, depth);
            if (!whole && !staged) break;
            tml_gemm_block_dsp(xb, w, whole ? y + n * out_pitch : last, channels, out_pitch, words, unroll, parts,
                               rounding, zp, lo, hi);
        }
    }
    if (staged)
        tml_copy_dsp(y + (pixels - rest) * channels, last + (3 - rest) * channels, rest * channels, channels % 4 == 0);
    else if (rest != 0)
        tml_gemm_rest_dsp(xb + 3 - rest, w, y + (pixels - rest) * out_pitch, rest, channels, out_pitch, words,
                          tail == 0 ? 2 : tail, parts, rounding, zp, lo, hi);
}

/* The same for accumulators within 24 bits. */
TML_INLINE void tml_pointwise_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int pixels, int depth,
                                  int channels, int words, int unroll, int blocks, int tail, int out_pitch, int rounding,
                                  int32_t zp, int32_t lo, int32_t hi) {
    tml_pointwise_deep_dsp(x, y, w, scratch, pixels, depth, channels, words, unroll, 1, blocks, tail, out_pitch, rounding,
                           zp, lo, hi);
}

/* One pixel's patch as bytes, padded with the zero point where it leaves the input. */
TML_INLINE void tml_patch_dsp(int8_t *to, const int8_t *x, int row, int column, int height, int width, int depth,
                              int kernel_h, int kernel_w, int dilation_h, int dilation_w, int32_t zero_point) {
    TML_NO_UNROLL
    for (int i = 0; i < kernel_h; ++i, row += dilation_h) {
        if ((unsigned)row >= (unsigned)height) {
            tml_fill_dsp(to, zero_point, kernel_w * depth);
            to += kernel_w * depth;
        } else if (dilation_w == 1 && column >= 0 && column + kernel_w <= width) {
            tml_copy_dsp(to, x + (row * width + column) * depth, kernel_w * depth, depth % 4 == 0);
            to += kernel_w * depth;
        } else {
            TML_NO_UNROLL
            for (int j = 0; j < kernel_w; ++j) {
                const int c = column + j * dilation_w;
                if ((unsigned)c < (unsigned)width)
                    tml_copy_dsp(to, x + (row * width + c) * depth, depth, depth % 4 == 0);
                else
                    tml_fill_dsp(to, zero_point, depth);
                to += depth;
            }
        }
    }
}

/* The same as the words of one of three pixels, for a depth that is a multiple of four. */
TML_INLINE void tml_patch_words_dsp(int32_t *o, const int8_t *x, int row, int column, int height, int width, int depth,
                                    int kernel_h, int kernel_w, int dilation_h, int dilation_w, int32_t zero_point) {
    const int32_t border = tml_pack_dsp(zero_point, zero_point);
    TML_NO_UNROLL
    for (int i = 0; i < kernel_h; ++i, row += dilation_h) {
        TML_NO_UNROLL
        for (int j = 0, c = column; j < kernel_w; ++j, c += dilation_w) {
            int32_t *const end = o + depth / 2 * 3;
            if ((unsigned)row < (unsigned)height && (unsigned)c < (unsigned)width) {
                const int8_t *s = x + (row * width + c) * depth;
                TML_NO_UNROLL
                do {
                    __asm__ volatile("ldr r2, [%0], #4\n\t"
                                     "sxtb16 r3, r2\n\t"
                                     "sxtb16 r2, r2, ror #8\n\t"
                                     "str r3, [%1], #12\n\t"
                                     "str r2, [%1], #12"
                                     : "+r"(s), "+r"(o)
                                     :
                                     : "r2", "r3", "memory");
                } while (o != end);
            } else {
                TML_NO_UNROLL
                do {
                    __asm__ volatile("str %1, [%0], #12\n\t"
                                     "str %1, [%0], #12"
                                     : "+r"(o)
                                     : "r"(border)
                                     : "memory");
                } while (o != end);
            }
        }
    }
}

/* Any kernel, stride, dilation and padding. Three pixels in a row inside the input are expanded straight from it;
 * others (borders, ends of rows) one by one, for a depth that is no multiple of four through a copy of their bytes.
 * `blocks` times three pixels are expanded before they read the weights. A last block of less than three pixels reads
 * `tail` words a turn; for tail = 0 it is computed whole, in scratch. Scratch: 12 * words * blocks, and behind it 3 *
 * patch bytes rounded up to 4 for the copy or, for tail = 0, 3 * channels, the larger of these. The output's pixels begin
 * out_pitch bytes apart; where that is not channels, a last block is never computed whole. */
TML_INLINE void tml_conv2d_deep_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int height, int width,
                                    int depth, int kernel_h, int kernel_w, int stride_h, int stride_w, int dilation_h,
                                    int dilation_w, int pad_top, int pad_left, int out_h, int out_w, int channels,
                                    int words, int unroll, int parts, int blocks, int tail, int out_pitch,
                                    int32_t zero_point, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int run = kernel_w * depth, pixels = out_h * out_w, rest = pixels % 3;
    const int patch = (kernel_h * run + 3) / 4 * 4, staged = rest != 0 && tail == 0 && out_pitch == channels;
    int32_t *const xb = (int32_t *)scratch;
    int8_t *const stage = (int8_t *)(xb + 3 * words * blocks);
    int32_t *xs = xb;
    int oy = 0, ox = 0, held = 0;
    TML_NO_UNROLL
    for (int n = 0; n < pixels; n += 3) {
        const int iy = oy * stride_h - pad_top, ix = ox * stride_w - pad_left;
        const int whole = rest == 0 || n + 3 <= pixels;
        if (dilation_w == 1 && ox + 3 <= out_w && iy >= 0 && iy + (kernel_h - 1) * dilation_h < height && ix >= 0 &&
            ix + 2 * stride_w + kernel_w <= width) {
            tml_expand3_dsp(xs, x + (iy * width + ix) * depth, kernel_h, run, dilation_h * width * depth,
                            stride_w * depth);
            ox += 3;
        } else {
            int8_t *t = stage;
            TML_NO_UNROLL
            for (int p = 0; p < 3; ++p, t += patch) {
                if (ox == out_w) {
                    ox = 0;
                    ++oy;
                }
                if (rest != 0 && oy >= out_h) break;
                if (depth % 4 == 0)
                    tml_patch_words_dsp(xs + p, x, oy * stride_h - pad_top, ox * stride_w - pad_left, height, width,
                                        depth, kernel_h, kernel_w, dilation_h, dilation_w, zero_point);
                else
                    tml_patch_dsp(t, x, oy * stride_h - pad_top, ox * stride_w - pad_left, height, width, depth,
                                  kernel_h, kernel_w, dilation_h, dilation_w, zero_point);
                ++ox;
            }
            if (depth % 4 != 0) tml_expand3_dsp(xs, stage, kernel_h, run, run, patch);
        }
        if (ox == out_w) {
            ox = 0;
            ++oy;
        }
        if (!whole && !staged) break;
        if (blocks == 1) {
            tml_gemm_block_dsp(xb, w, whole ? y + n * out_pitch : stage, channels, out_pitch, words, unroll, parts,
                               rounding, zp, lo, hi);
        } else {
            xs += 3 * words;
            ++held;
            if (held == blocks || n + 3 >= pixels || (rest != 0 && n + 6 > pixels)) {
                tml_gemm_blocks_dsp(xb, w, whole ? y + (n + 3 - 3 * held) * out_pitch : stage, held, channels,
                                    out_pitch, words, unroll, parts, rounding, zp, lo, hi);
                xs = xb;
                held = 0;
            }
        }
    }
    if (staged)
        tml_copy_dsp(y + (pixels - rest) * channels, stage, rest * channels, channels % 4 == 0);
    else if (rest != 0)
        tml_gemm_rest_dsp(xb, w, y + (pixels - rest) * out_pitch, rest, channels, out_pitch, words,
                          tail == 0 ? 2 : tail, parts, rounding, zp, lo, hi);
}

/* The same for accumulators within 24 bits. */
TML_INLINE void tml_conv2d_dsp(const int8_t *x, int8_t *y, const int32_t *w, void *scratch, int height, int width,
                               int depth, int kernel_h, int kernel_w, int stride_h, int stride_w, int dilation_h,
                               int dilation_w, int pad_top, int pad_left, int out_h, int out_w, int channels, int words,
                               int unroll, int blocks, int tail, int out_pitch, int32_t zero_point, int rounding,
                               int32_t zp, int32_t lo, int32_t hi) {
    tml_conv2d_deep_dsp(x, y, w, scratch, height, width, depth, kernel_h, kernel_w, stride_h, stride_w, dilation_h,
                        dilation_w, pad_top, pad_left, out_h, out_w, channels, words, unroll, 1, blocks, tail, out_pitch,
                        zero_point, rounding, zp, lo, hi);
}

#endif
