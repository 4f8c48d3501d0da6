/* AVERAGE_POOL_2D, MAX_POOL_2D and MEAN over height and width on cores with the DSP extension, four channels at a time:
 * averages as two pairs of int16, maxima by SEL on four bytes. Where channels are no multiple of four, the last four are
 * taken once more from the end, fewer than four one by one. What lies outside of the input is left out. */
#ifndef TML_POOL2D_DSP_H
#define TML_POOL2D_DSP_H

#include "tml_common_dsp.h"
#include "tml_pool2d.h"

/* Bytes 0 and 2, or 1 and 3, of word added to two int16. */
TML_INLINE int32_t tml_add_even_dsp(int32_t sums, int32_t word) {
    return (int32_t)__sxtab16((int16x2_t)sums, (int8x4_t)word);
}

TML_INLINE int32_t tml_add_odd_dsp(int32_t sums, int32_t word) {
    int32_t d;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(d) : "r"(sums), "r"(word));
    return d;
}

/* Adds `rows` x `columns` pixels of four channels to sum; rows are `pitch` bytes apart. */
TML_INLINE void tml_sum4_dsp(const int8_t *x, int32_t sum[4], int rows, int columns, int pitch, int channels) {
    const int group = 255 / columns; /* that many rows stay within int16 */
    sum[0] = sum[1] = sum[2] = sum[3] = 0;
    TML_NO_UNROLL
    for (int done = 0; done < rows; done += group) {
        const int8_t *const end = x + (rows - done < group ? rows - done : group) * pitch;
        int32_t even = 0, odd = 0;
        TML_NO_UNROLL
        do {
            const int8_t *p = x, *const last = x + columns * channels;
            TML_UNROLL(4)
            do {
                const int32_t word = (int32_t)*(const tml_word *)(const void *)p;
                even = tml_add_even_dsp(even, word);
                odd = tml_add_odd_dsp(odd, word);
                p += channels;
            } while (p != last);
            x += pitch;
        } while (x != end);
        sum[0] += (int16_t)even;
        sum[1] += (int16_t)odd;
        sum[2] += even >> 16;
        sum[3] += odd >> 16;
    }
}

/* The larger byte of each of four pairs. */
TML_INLINE int32_t tml_max4_dsp(int32_t a, int32_t b) {
    int32_t difference;
    __asm__("ssub8 %1, %2, %0\n\t"
            "sel %0, %2, %0"
            : "+r"(a), "=&r"(difference)
            : "r"(b)
            : "cc");
    return a;
}

/* The smaller one. */
TML_INLINE int32_t tml_min4_dsp(int32_t a, int32_t b) {
    int32_t difference;
    __asm__("ssub8 %1, %2, %0\n\t"
            "sel %0, %0, %2"
            : "+r"(a), "=&r"(difference)
            : "r"(b)
            : "cc");
    return a;
}

/* What goes over a window of rows x columns pixels at x does with the word or byte `value` of each; loops over a `whole`
 * window are unrolled. */
#define TML_OVER_PIXELS(UNROLL, type, ...)                                                                  \
    UNROLL                                                                                                  \
    for (int r = 0; r < rows; ++r) {                                                                        \
        UNROLL                                                                                              \
        for (int n = 0; n < columns; ++n) {                                                                 \
            const int32_t value = (int32_t)*(const type *)(const void *)(x + r * pitch + n * channels);     \
            __VA_ARGS__                                                                                     \
        }                                                                                                   \
    }
#define TML_OVER_WINDOW(type, ...)                          \
    if (whole) {                                            \
        TML_OVER_PIXELS(TML_UNROLL(3), type, __VA_ARGS__)   \
    } else {                                                \
        TML_OVER_PIXELS(TML_NO_UNROLL, type, __VA_ARGS__)   \
    }

/* One pixel's channels in fours (`words`) or one by one, at `first` and to `out` on. */
#define TML_OVER_CHANNELS(words, bytes)                                        \
    if (channels >= 4) {                                                       \
        TML_NO_UNROLL                                                          \
        for (int c = 0; c < channels; c += 4) {                                \
            const int at = c + 4 > channels ? channels - 4 : c;                \
            const int8_t *const x = first + at;                                \
            int8_t *const y = out + at;                                        \
            words;                                                             \
        }                                                                      \
    } else {                                                                   \
        TML_NO_UNROLL                                                          \
        for (int c = 0; c < channels; ++c) {                                   \
            const int8_t *const x = first + c;                                 \
            int8_t *const y = out + c;                                         \
            bytes;                                                             \
        }                                                                      \
    }

TML_INLINE void tml_max_four_dsp(const int8_t *x, int8_t *y, int rows, int columns, int pitch, int channels, int whole,
                                 int32_t lo, int32_t hi) {
    int32_t best = (int32_t)0x80808080;
    TML_OVER_WINDOW(tml_word, best = tml_max4_dsp(best, value);)
    if (lo > -128) best = tml_max4_dsp(best, (int32_t)((uint32_t)(uint8_t)lo * 0x01010101u));
    if (hi < 127) best = tml_min4_dsp(best, (int32_t)((uint32_t)(uint8_t)hi * 0x01010101u));
    *(tml_word *)(void *)y = (uint32_t)best;
}

TML_INLINE void tml_max_one_dsp(const int8_t *x, int8_t *y, int rows, int columns, int pitch, int channels, int whole,
                                int32_t lo, int32_t hi) {
    int32_t best = -128;
    TML_OVER_WINDOW(int8_t, best = value > best ? value : best;)
    *y = (int8_t)tml_clamp_dsp(best, lo, hi);
}

TML_INLINE void tml_max_window_dsp(const int8_t *first, int8_t *out, int rows, int columns, int pitch, int channels, int whole,
                                   int32_t lo, int32_t hi) {
    TML_OVER_CHANNELS(tml_max_four_dsp(x, y, rows, columns, pitch, channels, whole, lo, hi),
                      tml_max_one_dsp(x, y, rows, columns, pitch, channels, whole, lo, hi))
}

/* The quotient of a sum in the lower half of `sums` by a count to 255, to nearest, halves away from zero, as (quotient *
 * 2^14) and less: `part` is 2^30 / count rounded down, and 1 more, which takes the halves of both signs over the edge
 * (tried for every sum of every count). */
#define TML_AVERAGE_SHIFT 14

TML_INLINE void tml_average_four_dsp(const int8_t *x, int8_t *y, int rows, int columns, int pitch, int channels,
                                     int whole, int32_t part, int32_t lo, int32_t hi) {
    const int32_t half = 1 << (TML_AVERAGE_SHIFT - 1);
    int32_t even = 0, odd = 0;
    TML_OVER_WINDOW(tml_word, even = tml_add_even_dsp(even, value); odd = tml_add_odd_dsp(odd, value);)
    y[0] = (int8_t)tml_clamp_dsp(__smlawb(part, even, half) >> TML_AVERAGE_SHIFT, lo, hi);
    y[1] = (int8_t)tml_clamp_dsp(__smlawb(part, odd, half) >> TML_AVERAGE_SHIFT, lo, hi);
    y[2] = (int8_t)tml_clamp_dsp(__smlawt(part, even, half) >> TML_AVERAGE_SHIFT, lo, hi);
    y[3] = (int8_t)tml_clamp_dsp(__smlawt(part, odd, half) >> TML_AVERAGE_SHIFT, lo, hi);
}

TML_INLINE void tml_average_one_dsp(const int8_t *x, int8_t *y, int rows, int columns, int pitch, int channels,
                                    int whole, int32_t part, int32_t lo, int32_t hi) {
    int32_t sum = 0;
    TML_OVER_WINDOW(int8_t, sum += value;)
    *y = (int8_t)tml_clamp_dsp(__smlawb(part, sum, 1 << (TML_AVERAGE_SHIFT - 1)) >> TML_AVERAGE_SHIFT, lo, hi);
}

TML_INLINE void tml_average_window_dsp(const int8_t *first, int8_t *out, int rows, int columns, int pitch, int channels,
                                       int whole, int32_t lo, int32_t hi) {
    const int32_t part = (int32_t)((1u << 30) / (uint32_t)(rows * columns)) + 1;
    TML_OVER_CHANNELS(tml_average_four_dsp(x, y, rows, columns, pitch, channels, whole, part, lo, hi),
                      tml_average_one_dsp(x, y, rows, columns, pitch, channels, whole, part, lo, hi))
}

/* Every pixel of the output; whole windows have literal sizes. The output's pixels begin out_pitch bytes apart. */
#define TML_POOL_DSP(WINDOW)                                                                                    \
    TML_NO_UNROLL                                                                                               \
    for (int oy = 0; oy < out_h; ++oy) {                                                                        \
        TML_NO_UNROLL                                                                                           \
        for (int ox = 0; ox < out_w; ++ox, y += out_pitch) {                                                    \
            const tml_window window = tml_clip_window(oy * stride_h - pad_top, ox * stride_w - pad_left,        \
                                                      filter_h, filter_w, in_h, in_w);                          \
            const int8_t *const first = x + (window.y0 * in_w + window.x0) * channels;                          \
            const int rows = window.y1 - window.y0, columns = window.x1 - window.x0;                            \
            if (rows == filter_h && columns == filter_w)                                                        \
                WINDOW(first, y, filter_h, filter_w, in_w * channels, channels, 1, lo, hi);                     \
            else                                                                                                \
                WINDOW(first, y, rows, columns, in_w * channels, channels, 0, lo, hi);                          \
        }                                                                                                       \
    }

TML_INLINE void tml_max_pool2d_dsp(const int8_t *x, int8_t *y, int in_h, int in_w, int channels, int out_h, int out_w,
                                   int filter_h, int filter_w, int stride_h, int stride_w, int pad_top, int pad_left,
                                   int out_pitch, int32_t lo, int32_t hi) {
    TML_POOL_DSP(tml_max_window_dsp)
}

/* Windows of at most 255 pixels. */
TML_INLINE void tml_average_pool2d_dsp(const int8_t *x, int8_t *y, int in_h, int in_w, int channels, int out_h, int out_w,
                                       int filter_h, int filter_w, int stride_h, int stride_w, int pad_top, int pad_left,
                                       int out_pitch, int32_t lo, int32_t hi) {
    TML_POOL_DSP(tml_average_window_dsp)
}

/* Windows of more pixels, at most 255 wide, that are inside of the input, and channels a multiple of four. */
TML_INLINE void tml_average_large_dsp(const int8_t *x, int8_t *y, int in_h, int in_w, int channels, int out_h, int out_w,
                                      int filter_h, int filter_w, int stride_h, int stride_w, int pad_top, int pad_left,
                                      int out_pitch, int32_t lo, int32_t hi) {
    (void)in_h, (void)pad_top, (void)pad_left;
    TML_NO_UNROLL
    for (int oy = 0; oy < out_h; ++oy) {
        TML_NO_UNROLL
        for (int ox = 0; ox < out_w; ++ox) {
            const int8_t *const window = x + (oy * stride_h * in_w + ox * stride_w) * channels;
            TML_NO_UNROLL
            for (int c = 0; c < channels; c += 4) {
                int32_t sum[4];
                tml_sum4_dsp(window + c, sum, filter_h, filter_w, in_w * channels, channels);
                TML_UNROLL(4)
                for (int i = 0; i < 4; ++i)
                    y[c + i] = (int8_t)tml_clamp_int(tml_rounded_quotient(sum[i], filter_h * filter_w), lo, hi);
            }
            y += out_pitch;
        }
    }
}

/* `offset` is the zero point times the number of pixels; the multiplier has the division in it. */
TML_INLINE void tml_mean_dsp(const int8_t *x, int8_t *y, int height, int width, int channels, int32_t offset,
                             int32_t multiplier, int shift, int32_t zero_point) {
    TML_NO_UNROLL
    for (int c = 0; c < channels; c += 4) {
        const int at = c + 4 > channels ? channels - 4 : c;
        int32_t sum[4];
        tml_sum4_dsp(x + at, sum, height, width, width * channels, channels);
        TML_UNROLL(4)
        for (int i = 0; i < 4; ++i)
            y[at + i] = tml_requantize(sum[i] - offset, multiplier, shift, shift, zero_point, -128, 127);
    }
}

#endif
