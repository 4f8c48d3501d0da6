/* MLPerf Tiny's MFCC in single precision, stage by stage: the definition of tinyml/features/mfcc.py. No libm. */
#ifndef TML_FRONTEND_FLOAT_H
#define TML_FRONTEND_FLOAT_H

#include <stdint.h>

#define TML_FRONTEND_INLINE static inline __attribute__((always_inline))
#define TML_FRONTEND_STAGE static __attribute__((noinline))

typedef struct {
    float re, im;
} tml_complex;

/* A mel band: the first bin it weighs, how many, and where its weights begin. */
typedef struct {
    uint16_t first_bin, bins, weights;
} tml_mel_band;

TML_FRONTEND_INLINE uint32_t tml_float_bits(float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

TML_FRONTEND_INLINE float tml_bits_float(uint32_t bits) {
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/* Square root by three of Newton's steps from a guess by the exponent; relative error below 2^-22. */
TML_FRONTEND_INLINE float tml_sqrt(float value) {
    if (value <= 0.0f) return 0.0f;
    float inverse = tml_bits_float(0x5F3759DFu - (tml_float_bits(value) >> 1));
    for (int n = 0; n < 3; ++n) inverse *= 1.5f - 0.5f * value * inverse * inverse;
    return value * inverse;
}

/* Natural logarithm of a positive, normal number: with m in [sqrt(1/2), sqrt(2)) and s = (m - 1) / (m + 1) it is
 * e ln 2 + 2 (s + s^3/3 + s^5/5 + s^7/7 + s^9/9); the terms left out are below 2^-28. */
TML_FRONTEND_INLINE float tml_log(float value) {
    const uint32_t bits = tml_float_bits(value) - 0x3F3504F3u;
    const int32_t exponent = (int32_t)bits >> 23;
    const float m = tml_bits_float((bits & 0x007FFFFFu) + 0x3F3504F3u);
    const float s = (m - 1.0f) / (m + 1.0f), square = s * s;
    const float series =
        1.0f + square * (0.333333333f + square * (0.2f + square * (0.142857143f + square * 0.111111111f)));
    return (float)exponent * 0.693147181f + 2.0f * s * series;
}

/* Windowed samples in bit-reversed order, two a complex number; zeros past the window. The window is scaled. */
TML_FRONTEND_INLINE void tml_float_window(tml_complex *bins, const int16_t *ring, uint32_t mask, uint32_t first,
                                          const float *window, uint32_t samples, uint32_t half) {
    uint32_t reversed = 0;
    for (uint32_t n = 0; n < half; ++n) {
        const uint32_t at = 2 * n;
        bins[reversed].re = at < samples ? (float)ring[(first + at) & mask] * window[at] : 0.0f;
        bins[reversed].im = at + 1 < samples ? (float)ring[(first + at + 1) & mask] * window[at + 1] : 0.0f;
        uint32_t bit = half >> 1;
        while (reversed & bit) {
            reversed ^= bit;
            bit >>= 1;
        }
        reversed |= bit;
    }
}

TML_FRONTEND_INLINE tml_complex tml_float_rotate(tml_complex z, tml_complex w) {
    const tml_complex product = {z.re * w.re - z.im * w.im, z.im * w.re + z.re * w.im};
    return product;
}

/* The complex transform of `half` points, radix 2, decimation in time. */
TML_FRONTEND_INLINE void tml_float_transform(tml_complex *bins, const tml_complex *twiddles, uint32_t half) {
    for (uint32_t span = 1; span < half; span *= 2) {
        const uint32_t step = half / (2 * span);
        for (uint32_t j = 0; j < span; ++j) {
            const tml_complex w = twiddles[j * step];
            for (tml_complex *a = bins + j; a < bins + half; a += 2 * span) {
                const tml_complex t = tml_float_rotate(a[span], w), z = *a;
                a->re = z.re + t.re;
                a->im = z.im + t.im;
                a[span].re = z.re - t.re;
                a[span].im = z.im - t.im;
            }
        }
    }
}

TML_FRONTEND_INLINE float tml_float_magnitude(tml_complex z, tml_complex mirror, tml_complex w) {
    const tml_complex b = {0.5f * (z.im + mirror.im), 0.5f * (mirror.re - z.re)};
    const tml_complex t = tml_float_rotate(b, w);
    const float re = 0.5f * (z.re + mirror.re) + t.re, im = 0.5f * (z.im - mirror.im) + t.im;
    return tml_sqrt(re * re + im * im);
}

/* Magnitudes of bins 1 to half of the real transform, in place in the real parts. */
TML_FRONTEND_INLINE void tml_float_magnitudes(tml_complex *bins, const tml_complex *twiddles, uint32_t half) {
    const float last = bins[0].re - bins[0].im;
    for (uint32_t k = 1; k <= half / 2; ++k) {
        const tml_complex z = bins[k], mirror = bins[half - k];
        bins[k].re = tml_float_magnitude(z, mirror, twiddles[k]);
        if (half - k != k) bins[half - k].re = tml_float_magnitude(mirror, z, twiddles[half - k]);
    }
    bins[half].re = last < 0.0f ? -last : last;
}

TML_FRONTEND_INLINE float tml_float_mel(const tml_complex *bins, const tml_mel_band *band, const float *weights) {
    float sum = 0.0f;
    for (uint32_t n = 0; n < band->bins; ++n) sum += bins[band->first_bin + n].re * weights[band->weights + n];
    return sum;
}

/* `value` is in steps of the network's input already. */
TML_FRONTEND_INLINE int8_t tml_float_int8(float value, int32_t zero_point) {
    const float held = value < -512.0f ? -512.0f : (value > 512.0f ? 512.0f : value);
    const float shifted = held + 0.5f + 1024.0f; /* positive, so that the conversion floors */
    const int32_t code = (int32_t)shifted - 1024 + zero_point;
    return (int8_t)(code < -128 ? -128 : (code > 127 ? 127 : code));
}

#endif
