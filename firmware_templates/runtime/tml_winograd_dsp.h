/* CONV_2D 3x3, stride 1, on cores with the DSP extension by Winograd's F(2x2, 3x3) in integers: 16 products for every
 * 2x2 outputs of a channel in place of 36 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015).
 *
 * Inputs are transformed by B'dB, which needs no fractions, weights offline by (2G)g(2G)', so that A'MA is exactly four
 * times the accumulator; the compiler proves that this and every int16 operand fits (tinyml/lower/dsp/winograd.py).
 * Three tiles by two output channels go at once. The weights are one stream for each pair of output channels (A, B):
 *     16 positions x depth/2 x [A word, B word], 4 * biasA, 4 * biasB, mulA, parA, mulB, parB
 * A word holds two inputs; the inputs of each group of four are in the order 0, 2, 1, 3. */
#ifndef TML_WINOGRAD_DSP_H
#define TML_WINOGRAD_DSP_H

#include "tml_conv2d_dsp.h"

#define TML_WINOGRAD_TILES 3
#define TML_WINOGRAD_SUMS 6

/* B'd: one row of four pixels `depth` bytes apart, two channels of each. */
TML_INLINE void tml_winograd_row_dsp(int32_t *h, const int8_t *x, int depth, int high) {
    int32_t d[4];
    TML_UNROLL(4)
    for (int j = 0; j < 4; ++j) {
        const int32_t word = (int32_t)*(const tml_word *)(const void *)(x + j * depth);
        d[j] = high ? tml_sxtb16_high(word) : (int32_t)__sxtb16((uint32_t)word);
    }
    h[0] = (int32_t)__ssub16(d[0], d[2]);
    h[1] = (int32_t)__sadd16(d[1], d[2]);
    h[2] = (int32_t)__ssub16(d[2], d[1]);
    h[3] = (int32_t)__ssub16(d[1], d[3]);
}

/* B'dB of a tile of 4x4 pixels to its words in v, `step` words from position to position. Rows 1 and 2 go first, since
 * then eight sums are alive at a time; the barriers keep that order, and the rows' addresses out of registers. */
TML_INLINE void tml_winograd_tile_dsp(int32_t *v, const int8_t *x, int pitch, int depth, int step) {
    TML_NO_UNROLL
    for (int c = 0; c < depth; c += 4, x += 4) {
        TML_UNROLL(2)
        for (int high = 0; high < 2; ++high, v += TML_WINOGRAD_TILES) {
            const int8_t *row = x + pitch;
            int32_t a[4], b[4], other[4];
            __asm__ volatile("" : "+r"(row) : : "memory");
            tml_winograd_row_dsp(a, row, depth, high);
            row += pitch;
            __asm__ volatile("" : "+r"(row) : : "memory");
            tml_winograd_row_dsp(b, row, depth, high);
            TML_UNROLL(4)
            for (int j = 0; j < 4; ++j) {
                v[(4 + j) * step] = (int32_t)__sadd16(a[j], b[j]);
                v[(8 + j) * step] = (int32_t)__ssub16(b[j], a[j]);
            }
            row += pitch;
            __asm__ volatile("" : "+r"(row) : : "memory");
            tml_winograd_row_dsp(other, row, depth, high);
            TML_UNROLL(4)
            for (int j = 0; j < 4; ++j) v[(12 + j) * step] = (int32_t)__ssub16(a[j], other[j]);
            row = x;
            __asm__ volatile("" : "+r"(row) : : "memory");
            tml_winograd_row_dsp(other, row, depth, high);
            TML_UNROLL(4)
            for (int j = 0; j < 4; ++j) v[j * step] = (int32_t)__ssub16(other[j], b[j]);
            __asm__ volatile("" : : : "memory");
        }
    }
}

/* Two inputs of three tiles by two channels: 8 instructions for 12 products. */
#define TML_WINOGRAD_LOADS "ldrd r2, r3, [%[w]], #8\n\tldm %[v]!, {r11, r12, lr}\n\t"
#define TML_WINOGRAD_STEP(IO, TEXT) \
    __asm__ volatile(TML_WINOGRAD_LOADS TEXT \
                     : [s0] IO(s0), [s1] IO(s1), [s2] IO(s2), [s3] IO(s3), [s4] IO(s4), [s5] IO(s5), [w] "+r"(w), \
                       [v] "+r"(v) \
                     : \
                     : "r2", "r3", "r11", "r12", "lr")
#define TML_WINOGRAD_FIRST \
    "smuad %[s0], r2, r11\n\t" \
    "smuad %[s1], r2, r12\n\t" \
    "smuad %[s2], r2, lr\n\t" \
    "smuad %[s3], r3, r11\n\t" \
    "smuad %[s4], r3, r12\n\t" \
    "smuad %[s5], r3, lr"
#define TML_WINOGRAD_THEN \
    "smlad %[s0], r2, r11, %[s0]\n\t" \
    "smlad %[s1], r2, r12, %[s1]\n\t" \
    "smlad %[s2], r2, lr, %[s2]\n\t" \
    "smlad %[s3], r3, r11, %[s3]\n\t" \
    "smlad %[s4], r3, r12, %[s4]\n\t" \
    "smlad %[s5], r3, lr, %[s5]"

/* The 16 products of three tiles by a pair of channels, each `steps` words long; the sums go behind each position's
 * words. Returns where the stream goes on. */
TML_INLINE const int32_t *tml_winograd_products_dsp(int32_t *v, const int32_t *w, int steps, int unroll) {
    const int32_t *const end = w + 32 * steps;
    TML_NO_UNROLL
    do {
        register int32_t s0 __asm__("r4");
        register int32_t s1 __asm__("r5");
        register int32_t s2 __asm__("r6");
        register int32_t s3 __asm__("r8");
        register int32_t s4 __asm__("r9");
        register int32_t s5 __asm__("r10");
        if (unroll == steps) {
            TML_WINOGRAD_STEP("=&r", TML_WINOGRAD_FIRST);
            TML_UNROLL(64)
            for (int i = 1; i < steps; ++i) TML_WINOGRAD_STEP("+r", TML_WINOGRAD_THEN);
        } else {
            const int32_t *const stop = w + 2 * steps;
            s0 = s1 = s2 = s3 = s4 = s5 = 0;
            TML_NO_UNROLL
            do {
                TML_UNROLL(64)
                for (int i = 0; i < unroll; ++i) TML_WINOGRAD_STEP("+r", TML_WINOGRAD_THEN);
            } while (w != stop);
        }
        __asm__ volatile("stm %[v]!, {%[s0], %[s1], %[s2], %[s3], %[s4], %[s5]}"
                         : [v] "+r"(v)
                         : [s0] "r"(s0), [s1] "r"(s1), [s2] "r"(s2), [s3] "r"(s3), [s4] "r"(s4), [s5] "r"(s5)
                         : "memory");
    } while (w != end);
    return w;
}

/* A'MA of one tile and channel, requantised to its four outputs. */
TML_INLINE void tml_winograd_outputs_dsp(int8_t *const *to, int channel, const int32_t *sums, int step, int32_t bias,
                                         int32_t mul, int32_t par, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    int32_t p[4], q[4];
    TML_UNROLL(4)
    for (int i = 0; i < 4; ++i) {
        const int32_t *const m = sums + 4 * i * step;
        const uint32_t b = (uint32_t)m[step] + (i == 1 ? (uint32_t)bias : 0), c = (uint32_t)m[2 * step];
        p[i] = (int32_t)((uint32_t)m[0] + b + c);
        q[i] = (int32_t)(b - c - (uint32_t)m[3 * step]);
    }
    TML_UNROLL(2)
    for (int i = 0; i < 2; ++i) {
        const int32_t *const r = i == 0 ? p : q;
        const uint32_t above = (uint32_t)r[0] + (uint32_t)r[1] + (uint32_t)r[2];
        const uint32_t below = (uint32_t)r[1] - (uint32_t)r[2] - (uint32_t)r[3];
        to[i][channel] = (int8_t)tml_requant_dsp((int32_t)above >> 2, mul, par, rounding, zp, lo, hi);
        to[2 + i][channel] = (int8_t)tml_requant_dsp((int32_t)below >> 2, mul, par, rounding, zp, lo, hi);
    }
}

/* Any padding, depth a multiple of four, channels even. `unroll` divides depth / 2. Outputs that a last tile has too many
 * go to the stage. Scratch: 16 * (6 * depth + 24) bytes for transformed inputs and sums, 48 for where outputs go,
 * max(16 * depth, channels) for the stage, which holds a tile that reaches over the border. */
TML_INLINE void tml_winograd_dsp(const int8_t *x, int8_t *y, const int32_t *weights, void *scratch, int height,
                                 int width, int depth, int pad_top, int pad_left, int out_h, int out_w, int channels,
                                 int unroll, int32_t zero_point, int rounding, int32_t zp, int32_t lo, int32_t hi) {
    const int steps = depth / 2, step = TML_WINOGRAD_TILES * steps + TML_WINOGRAD_SUMS;
    int32_t *const v = (int32_t *)scratch;
    int8_t **const to = (int8_t **)(void *)(v + 16 * step);
    int8_t *const stage = (int8_t *)(to + 4 * TML_WINOGRAD_TILES);
    const int32_t *const end = weights + channels / 2 * (32 * steps + 6);
    int oy = 0, ox = 0;
    TML_NO_UNROLL
    do {
        int8_t **outputs = to;
        TML_NO_UNROLL
        for (int t = 0; t < TML_WINOGRAD_TILES; ++t, outputs += 4) {
            const int row = oy - pad_top, column = ox - pad_left, right = ox + 1 < out_w, under = oy + 1 < out_h;
            const int8_t *from = x + (row * width + column) * depth;
            int8_t *const corner = y + (oy * out_w + ox) * channels;
            int pitch = width * depth;
            outputs[0] = outputs[1] = outputs[2] = outputs[3] = stage;
            if (oy >= out_h) continue;
            outputs[0] = corner;
            if (right) outputs[1] = corner + channels;
            if (under) outputs[2] = corner + out_w * channels;
            if (right && under) outputs[3] = corner + (out_w + 1) * channels;
            if (row < 0 || row + 4 > height || column < 0 || column + 4 > width) {
                tml_patch_dsp(stage, x, row, column, height, width, depth, 4, 4, 1, 1, zero_point);
                from = stage;
                pitch = 4 * depth;
            }
            tml_winograd_tile_dsp(v + t, from, pitch, depth, step);
            ox += 2;
            if (ox >= out_w) {
                ox = 0;
                oy += 2;
            }
        }
        const int32_t *w = weights;
        int channel = 0;
        TML_NO_UNROLL
        do {
            int32_t *at = v;
            TML_PUBLISH(at);
            w = tml_winograd_products_dsp(at, w, steps, unroll);
            const int32_t *sums = v + TML_WINOGRAD_TILES * steps;
            TML_NO_UNROLL
            for (int k = 0; k < 2; ++k, ++channel) {
                const int32_t bias = w[k], mul = w[2 + 2 * k], par = w[3 + 2 * k];
                int8_t *const *target = to;
                TML_NO_UNROLL
                for (int t = 0; t < TML_WINOGRAD_TILES; ++t, ++sums, target += 4)
                    tml_winograd_outputs_dsp(target, channel, sums, step, bias, mul, par, rounding, zp, lo, hi);
            }
            w += 6;
        } while (w != end);
    } while (oy < out_h);
}

#endif
