/* CONV_2D and FULLY_CONNECTED of bits, plain C: weights of -v and v, inputs that are one of two codes.
 *
 * A weight is a bit (1 for v), an input a bit of its code in which the two codes differ. A row of either is words of 32
 * bits: code i of a group of 32 lies at bit 8 * (i % 4) + i / 4, and bits that stand for nothing are 0. Where X bits of
 * the window differ from the channel's weights, the output is (X * multiplier + start) >> shift, clamped: the compiler
 * proves it for every X that can occur (tinyml/lower/bits/line.py), and where it cannot, the sum is the accumulator of
 * TFLite's two roundings. What lies outside of the input counts as bits of 0,
 * and start is corrected by the sums of the weights there.
 *
 * Bits are counted with carry-save adders, eight words to one (Harley and Seal; Warren, Hacker's Delight, 2nd ed.,
 * section 5-1): these cores have no instruction that counts them. */
#ifndef TML_BITS_H
#define TML_BITS_H

#include "tml_common.h"

/* low + a + b, bit by bit: the sum in low, the carry in high. */
#define TML_ADD_BITS(high, low, a, b)                        \
    do {                                                     \
        const uint32_t first_ = (a), second_ = (b);          \
        const uint32_t either_ = (low) ^ first_;             \
        (high) = ((low) & first_) | (either_ & second_);     \
        (low) = either_ ^ second_;                           \
    } while (0)

#define TML_BITS_MOST_ROWS 16

/* `depth` codes to bits, of each code bit `bit`. Returns the end of the words. */
TML_INLINE uint32_t *tml_bits_pack(const int8_t *x, uint32_t *to, int depth, int bit) {
#define TML_PACK_FOUR(j) (memcpy(&four, x + 4 * (j), 4), bits |= ((four >> bit) & 0x01010101u) << (j))
    const int rest = depth % 32;
    uint32_t four;
    TML_LOOP
    for (int i = 0; i < depth / 32; i++) {
        uint32_t bits = 0;
        TML_PACK_FOUR(0);
        TML_PACK_FOUR(1);
        TML_PACK_FOUR(2);
        TML_PACK_FOUR(3);
        TML_PACK_FOUR(4);
        TML_PACK_FOUR(5);
        TML_PACK_FOUR(6);
        TML_PACK_FOUR(7);
        *to++ = bits;
        x += 32;
    }
    if (rest > 0) {
        uint32_t bits = 0;
        TML_LOOP
        for (int i = 0; i < rest; i++) {
            bits |= (((uint32_t)(uint8_t)x[i] >> bit) & 1u) << (8 * (i % 4) + i / 4);
        }
        *to++ = bits;
    }
    return to;
#undef TML_PACK_FOUR
}

/* In every four bits how many of them are set. */
TML_INLINE uint32_t tml_bits_of_four(uint32_t v) {
    v -= (v >> 1) & 0x55555555u;
    return (v & 0x33333333u) + ((v >> 2) & 0x33333333u);
}

/* The same in every byte. */
TML_INLINE uint32_t tml_bits_of_eight(uint32_t v) {
    v = tml_bits_of_four(v);
    return (v + (v >> 4)) & 0x0f0f0f0fu;
}

/* The sum of four bytes, which is below 256. */
TML_INLINE uint32_t tml_bits_sum(uint32_t v) { return (v * 0x01010101u) >> 24; }

/* In how many bits two rows of `words` words differ. */
TML_INLINE uint32_t tml_bits_differ(const uint32_t *h, const uint32_t *w, int words) {
#define TML_DIFFER(i) (h[i] ^ w[i])
#define TML_REST(i) ((i) < rest ? TML_DIFFER(i) : 0u)
    const int rest = words % 8, blocks = words / 8;
    uint32_t ones = TML_REST(0), twos, fours, a, b, c, d, eights, counts = 0;
    TML_ADD_BITS(twos, ones, TML_REST(1), TML_REST(2));
    TML_ADD_BITS(a, ones, TML_REST(3), TML_REST(4));
    TML_ADD_BITS(b, ones, TML_REST(5), TML_REST(6));
    TML_ADD_BITS(fours, twos, a, b);
    h += rest;
    w += rest;
    /* Seven blocks of eight words have at most 224 bits in eights; more are counted in halfwords. */
    TML_LOOP
    for (int i = 0; i < blocks; i++) {
        TML_ADD_BITS(a, ones, TML_DIFFER(0), TML_DIFFER(1));
        TML_ADD_BITS(b, ones, TML_DIFFER(2), TML_DIFFER(3));
        TML_ADD_BITS(c, twos, a, b);
        TML_ADD_BITS(a, ones, TML_DIFFER(4), TML_DIFFER(5));
        TML_ADD_BITS(b, ones, TML_DIFFER(6), TML_DIFFER(7));
        TML_ADD_BITS(d, twos, a, b);
        TML_ADD_BITS(eights, fours, c, d);
        eights = tml_bits_of_eight(eights);
        counts += blocks > 7 ? (eights + (eights >> 8)) & 0x00ff00ffu : eights;
        h += 8;
        w += 8;
    }
    counts = blocks > 7 ? (counts + (counts >> 16)) & 0xffffu : tml_bits_sum(counts);
    /* Two bits of ones and twos are numbers of two bits: at most 3 of four bits are 12, of eight 24. */
    a = (ones & 0x55555555u) + ((twos & 0x55555555u) << 1);
    b = ((ones >> 1) & 0x55555555u) + ((twos >> 1 & 0x55555555u) << 1);
    a = (a & 0x33333333u) + ((a >> 2) & 0x33333333u) + (b & 0x33333333u) + ((b >> 2) & 0x33333333u);
    a = (a & 0x0f0f0f0fu) + ((a >> 4) & 0x0f0f0f0fu);
    return 8u * counts + tml_bits_sum(a + 4u * tml_bits_of_eight(fours));
#undef TML_REST
#undef TML_DIFFER
}

/* sum >> shift, clamped. */
TML_INLINE int8_t tml_bits_output(int32_t sum, int shift, int out_min, int out_max) {
#if defined(__ARM_FEATURE_SAT)
    int32_t q;
    __asm__("ssat %0, #8, %1, asr %2" : "=r"(q) : "r"(sum), "n"(shift));
    q = out_min > -128 && q < out_min ? out_min : q;
    return (int8_t)(out_max < 127 && q > out_max ? out_max : q);
#else
    return (int8_t)tml_clamp_int(sum >> shift, out_min, out_max);
#endif
}

/* What start becomes where taps of the window lie outside of the input: those of rows and columns whose bit is set. */
TML_INLINE void tml_bits_start(int32_t *to, const int32_t *starts, const int32_t *outside, const int16_t *taps, int out_c,
                               int kernel_h, int kernel_w, uint32_t rows_out, uint32_t columns_out) {
    memset(to, 0, (size_t)out_c * sizeof *to);
    TML_LOOP
    for (int ky = 0; ky < kernel_h; ky++) {
        TML_LOOP
        for (int kx = 0; kx < kernel_w; kx++, taps += out_c) {
            if (((rows_out >> ky | columns_out >> kx) & 1u) != 0) {
                TML_LOOP
                for (int c = 0; c < out_c; c++) to[c] += taps[c];
            }
        }
    }
    TML_LOOP
    for (int c = 0; c < out_c; c++) {
        to[c] = (int32_t)((uint32_t)starts[c] + (uint32_t)outside[c] * (uint32_t)to[c]);
    }
}

/* Weights are [out_c][kernel_h][kernel_w][words of in_c], taps [kernel_h][kernel_w][out_c] the sums of the signs of a
 * tap's weights, scales a multiplier and a shift for each channel where the sums are requantised in two roundings.
 * `padded`: windows may leave the input; without it outside and taps are not read. Each row of input is packed once:
 * scratch holds the rows of a window as bits, then a window, then starts where padded. A row of output is written after
 * all rows that its windows cover have been read. */
TML_INLINE void tml_bits_conv2d(const int8_t *x, int8_t *y, const uint32_t *weights, const int32_t *multipliers,
                                const int32_t *starts, const int32_t *outside, const int16_t *taps,
                                const int32_t *scales, void *scratch, int in_h, int in_w, int in_c, int out_h, int out_w, int out_c, int kernel_h,
                                int kernel_w, int stride_h, int stride_w, int dilation_h, int dilation_w, int pad_top,
                                int pad_left, int padded, int bit, int shift, int two_roundings, int max_shift,
                                int out_zero_point, int out_min, int out_max) {
    const int pixel = (in_c + 31) / 32, row = in_w * pixel, words = kernel_h * kernel_w * pixel;
    const int ring = (kernel_h - 1) * dilation_h + 1;
    uint32_t *const rows = (uint32_t *)scratch, *const window = rows + ring * row;
    int32_t *const corrected = (int32_t *)(window + words);
    const int32_t *const start = padded ? corrected : starts;
    uint32_t known = UINT32_MAX;
    int packed = 0, slot = 0;
    TML_LOOP
    for (int oy = 0; oy < out_h; oy++) {
        const uint32_t *from[TML_BITS_MOST_ROWS];
        const int top = oy * stride_h - pad_top;
        uint32_t rows_out = 0;
        const int needed = top + ring < in_h ? top + ring : in_h;
        TML_LOOP
        for (; packed < needed; packed++) {
            uint32_t *to = rows + slot * row;
            TML_LOOP
            for (int i = 0; i < in_w; i++) to = tml_bits_pack(x + (packed * in_w + i) * in_c, to, in_c, bit);
            slot = slot + 1 == ring ? 0 : slot + 1;
        }
        TML_LOOP
        for (int ky = 0; ky < kernel_h; ky++) {
            const int iy = top + ky * dilation_h;
            const int inside = iy >= 0 && iy < in_h;
            from[ky] = rows + (inside ? iy % ring * row : 0);
            rows_out |= (uint32_t)!inside << ky;
        }
        TML_LOOP
        for (int ox = 0; ox < out_w; ox++) {
            const int left = ox * stride_w - pad_left;
            const uint32_t *w = weights;
            uint32_t *to = window;
            uint32_t columns_out = 0;
            if (padded) {
                TML_LOOP
                for (int kx = 0; kx < kernel_w; kx++) {
                    const int ix = left + kx * dilation_w;
                    if (ix < 0 || ix >= in_w) columns_out |= 1u << kx;
                }
                if (known != (rows_out << 16 | columns_out)) {
                    known = rows_out << 16 | columns_out;
                    tml_bits_start(corrected, starts, outside, taps, out_c, kernel_h, kernel_w, rows_out, columns_out);
                }
            }
            TML_LOOP
            for (int ky = 0; ky < kernel_h; ky++) {
                TML_LOOP
                for (int kx = 0; kx < kernel_w; kx++, to += pixel) {
                    if (padded && ((rows_out >> ky | columns_out >> kx) & 1u) != 0) {
                        memset(to, 0, (size_t)pixel * sizeof *to);
                    } else {
                        memcpy(to, from[ky] + (left + kx * dilation_w) * pixel, (size_t)pixel * sizeof *to);
                    }
                }
            }
            TML_LOOP
            for (int c = 0; c < out_c; c++, w += words) {
                const uint32_t sum = tml_bits_differ(window, w, words) * (uint32_t)multipliers[c] + (uint32_t)start[c];
                if (two_roundings) {
                    *y++ = tml_requantize((int32_t)sum, scales[2 * c], scales[2 * c + 1], max_shift, out_zero_point,
                                          out_min, out_max);
                } else {
                    *y++ = tml_bits_output((int32_t)sum, shift, out_min, out_max);
                }
            }
        }
    }
}

#endif
