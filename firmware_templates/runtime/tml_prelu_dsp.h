/* PRELU with one slope a channel, or one slope, on cores with the DSP extension, channel by channel.
 *
 * Values above and below zero are scaled to one accumulator, by `above` and by a slope times `below`, so that one linear
 * function gives both, each with a start of its own for its rounding: ((x - zero point) * factor + start) * mul / 2^32 + par,
 * shifted and saturated. Slopes below zero give results of the other sign, which round the other way, so that they have
 * their own start, too. The compiler proves each part for every pair of a value and a slope (tinyml/lower/dsp/prelu.py).
 *
 * Loops and out_pitch of tml_binary.h. The output may lie over the input. */
#ifndef TML_PRELU_DSP_H
#define TML_PRELU_DSP_H

#include "tml_common_dsp.h"

typedef struct {
    int32_t zero_point, above, above_start, below, below_start, mul, par;
} tml_slopes_dsp;

/* `count` elements of x, `step` apart; the results are out_step apart. */
TML_INLINE void tml_prelu_run_dsp(const int8_t *x, int8_t *y, int count, int step, int out_step, const tml_slopes_dsp s,
                                  int shift) {
#define TML_SLOPED(i)                                                                           \
    do {                                                                                        \
        int32_t sum = x[(i) * step];                                                            \
        __asm__("cmp %0, %1\n\t"                                                                \
                "ite lt\n\t"                                                                    \
                "mlalt %0, %0, %2, %3\n\t"                                                      \
                "mlage %0, %0, %4, %5\n\t"                                                      \
                "smmla %0, %0, %6, %7\n\t"                                                      \
                "ssat %0, #8, %0, asr %8"                                                       \
                : "+r"(sum)                                                                     \
                : "r"(s.zero_point), "r"(s.below), "r"(s.below_start), "r"(s.above),            \
                  "r"(s.above_start), "r"(s.mul), "r"(s.par), "i"(shift)                        \
                : "cc");                                                                        \
        y[(i) * out_step] = (int8_t)sum;                                                        \
    } while (0)
    if (count >= 4) {
        const int8_t *const end = x + count / 4 * 4 * step;
        TML_NO_UNROLL
        do {
            TML_SLOPED(0);
            TML_SLOPED(1);
            TML_SLOPED(2);
            TML_SLOPED(3);
            x += 4 * step;
            y += 4 * out_step;
        } while (x != end);
    }
    TML_NO_UNROLL
    for (int i = 0; i < count % 4; ++i) TML_SLOPED(i);
#undef TML_SLOPED
}

TML_INLINE void tml_prelu_dsp(const int8_t *a, const int8_t *b, int8_t *output, const int32_t *sizes,
                              const int32_t *strides_a, const int32_t *strides_b, int out_pitch, int a_zero_point,
                              int b_zero_point, int32_t above, int32_t above_start, int32_t below, int32_t below_start,
                              int32_t mirrored_start, int32_t mul, int32_t par, int shift) {
    const int channels = strides_b[4] == 0 ? 1 : sizes[4];
    const int count = strides_b[4] == 0 ? sizes[4] : sizes[3], step = strides_b[4] == 0 ? 1 : strides_a[3];
    const int out_step = strides_b[4] == 0 ? 1 : out_pitch, runs = strides_b[4] == 0 ? sizes[3] : 1;
    tml_slopes_dsp s = {a_zero_point, above, above_start - a_zero_point * above, 0, 0, mul, par};
    TML_NO_UNROLL
    for (int c = 0; c < channels; ++c) {
        const int32_t slope = b[c] - b_zero_point;
        s.below = slope * below;
        s.below_start = (slope < 0 ? mirrored_start : below_start) - a_zero_point * s.below;
        TML_NO_UNROLL
        for (int r = 0; r < runs; ++r)
            tml_prelu_run_dsp(a + c + r * strides_a[3], output + c + r * out_pitch, count, step, out_step, s, shift);
    }
}

#endif
