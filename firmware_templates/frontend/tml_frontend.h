/* The audio front-end, stage by stage, in integers: bit for bit the arithmetic of tinyml/features/arithmetic.py, where the
 * bit widths are proven. One call of each stage a frame; the sizes are literals at the call.
 *
 * The window reads the samples where they lie, in a ring whose length is a power of two. The transform works in place,
 * and so do the powers: a bin holds a complex number first and its power, 64 bits wide, afterwards.
 */
#ifndef TML_FRONTEND_H
#define TML_FRONTEND_H

#include <stdint.h>

#define TML_FRONTEND_INLINE static inline __attribute__((always_inline))
#define TML_FRONTEND_STAGE static __attribute__((noinline))

typedef union {
    struct {
        int32_t re, im;
    } z;
    uint64_t power;
} tml_bin;

/* A Q15 twiddle. Index 0 is 1.0, which no int16 holds, and is never read. A transform of 2,048 points has another one
 * that rounds to 1.0, so its tables are wider. */
#if defined(TML_FRONTEND_WIDE)
typedef struct {
    int32_t cos, sin;
} tml_twiddle;
#else
typedef struct __attribute__((aligned(4))) {
    int16_t cos, sin;
} tml_twiddle;
#endif

/* A mel band: the first bin it weighs, how many, and where its weights begin. */
typedef struct {
    uint16_t first_bin, bins, weights;
} tml_mel_band;

/* (value * factor) >> 16, floored; the factor is at most 2^15 in magnitude. */
TML_FRONTEND_INLINE int32_t tml_multiply_high(int32_t value, int32_t factor) {
#if defined(__ARM_ARCH) && __ARM_ARCH == 6
    /* Armv6-M has no long multiplication: both products fit 32 bits. */
    return (value >> 16) * factor + (((int32_t)((uint32_t)value & 0xFFFFu) * factor) >> 16);
#else
    return (int32_t)(((int64_t)value * factor) >> 16);
#endif
}

/* z * w / 2, each product floored. */
TML_FRONTEND_INLINE void tml_rotate(int32_t re, int32_t im, const tml_twiddle *w, int32_t *out_re, int32_t *out_im) {
#if defined(__ARM_FEATURE_DSP) && !defined(TML_FRONTEND_WIDE)
    /* SMULWB and SMULWT take the halves of one word. */
    uint32_t pair;
    int32_t a, b, c, d;
    __builtin_memcpy(&pair, w, sizeof pair);
    __asm__("smulwb %0, %1, %2" : "=r"(a) : "r"(re), "r"(pair));
    __asm__("smulwt %0, %1, %2" : "=r"(b) : "r"(im), "r"(pair));
    __asm__("smulwb %0, %1, %2" : "=r"(c) : "r"(im), "r"(pair));
    __asm__("smlawt %0, %1, %2, %3" : "=r"(d) : "r"(re), "r"(pair), "r"(c));
    *out_re = a - b;
    *out_im = d;
#else
    *out_re = tml_multiply_high(re, w->cos) - tml_multiply_high(im, w->sin);
    *out_im = tml_multiply_high(im, w->cos) + tml_multiply_high(re, w->sin);
#endif
}

/* (a / 2 + t, a / 2 - t). */
TML_FRONTEND_INLINE void tml_butterfly(tml_bin *a, tml_bin *b, int32_t t_re, int32_t t_im) {
    const int32_t a_re = a->z.re >> 1, a_im = a->z.im >> 1;
    a->z.re = a_re + t_re;
    a->z.im = a_im + t_im;
    b->z.re = a_re - t_re;
    b->z.im = a_im - t_im;
}

/* Windowed samples in bit-reversed order, two a complex number; zeros past the window. */
TML_FRONTEND_INLINE void tml_frontend_window(tml_bin *bins, const int16_t *ring, uint32_t mask, uint32_t first,
                                             const int16_t *window, uint32_t samples, uint32_t half) {
    uint32_t reversed = 0;
    for (uint32_t n = 0; n < half; ++n) {
        const uint32_t at = 2 * n;
        tml_bin *const bin = bins + reversed;
        bin->z.re = at < samples ? (int32_t)ring[(first + at) & mask] * window[at] : 0;
        bin->z.im = at + 1 < samples ? (int32_t)ring[(first + at + 1) & mask] * window[at + 1] : 0;
        /* one more, counted from the top bit down */
        uint32_t bit = half >> 1;
        while (reversed & bit) {
            reversed ^= bit;
            bit >>= 1;
        }
        reversed |= bit;
    }
}

/* The complex transform of `half` points, radix 2, decimation in time; every stage halves. */
TML_FRONTEND_INLINE void tml_frontend_transform(tml_bin *bins, const tml_twiddle *twiddles, uint32_t half) {
    for (uint32_t n = 0; n < half; n += 2) {
        tml_butterfly(bins + n, bins + n + 1, bins[n + 1].z.re >> 1, bins[n + 1].z.im >> 1);
    }
    for (uint32_t span = 2; span < half; span *= 2) {
        tml_bin *const end = bins + half;
        for (tml_bin *a = bins; a < end; a += 2 * span) {
            tml_butterfly(a, a + span, a[span].z.re >> 1, a[span].z.im >> 1);
        }
        const uint32_t step = half / (2 * span);
        const tml_twiddle *w = twiddles + step;
        for (uint32_t j = 1; j < span; ++j, w += step) {
            for (tml_bin *a = bins + j; a < end; a += 2 * span) {
                int32_t t_re, t_im;
                tml_rotate(a[span].z.re, a[span].z.im, w, &t_re, &t_im);
                tml_butterfly(a, a + span, t_re, t_im);
            }
        }
    }
}

TML_FRONTEND_INLINE uint64_t tml_power(int32_t re, int32_t im, uint64_t floor_power) {
    return (uint64_t)((int64_t)re * re) + (uint64_t)((int64_t)im * im) + floor_power;
}

/* The power of bin k of the real transform out of Z[k] and Z[half - k]; w is its twiddle. */
TML_FRONTEND_INLINE uint64_t tml_split_power(tml_bin z, tml_bin mirror, const tml_twiddle *w, uint64_t floor_power) {
    const int32_t b_re = z.z.im + mirror.z.im, b_im = mirror.z.re - z.z.re;
    int32_t t_re, t_im;
    tml_rotate(b_re, b_im, w, &t_re, &t_im);
    return tml_power(((z.z.re + mirror.z.re) >> 1) + t_re, ((z.z.im - mirror.z.im) >> 1) + t_im, floor_power);
}

/* Powers of the bins first_bin to end_bin - 1 in place, bins[half] among them; returns the bitwise OR of all. */
TML_FRONTEND_INLINE uint64_t tml_frontend_powers(tml_bin *bins, const tml_twiddle *twiddles, uint32_t half,
                                                 uint32_t first_bin, uint32_t end_bin, uint64_t floor_power) {
    uint64_t all = 0;
    for (uint32_t k = 1; k <= half / 2; ++k) {
        const tml_bin z = bins[k], mirror = bins[half - k];
        if (k >= first_bin && k < end_bin) {
            bins[k].power = tml_split_power(z, mirror, twiddles + k, floor_power);
            all |= bins[k].power;
        }
        if (half - k != k && half - k >= first_bin && half - k < end_bin) {
            bins[half - k].power = tml_split_power(mirror, z, twiddles + (half - k), floor_power);
            all |= bins[half - k].power;
        }
    }
    /* Bins 0 and half come from Z[0] alone; their twiddles are 1 and -1. */
    const tml_bin z = bins[0];
    if (end_bin > half) {
        bins[half].power = tml_power(z.z.re - z.z.im, 0, floor_power);
        all |= bins[half].power;
    }
    if (first_bin == 0) {
        bins[0].power = tml_power(z.z.re + z.z.im, 0, floor_power);
        all |= bins[0].power;
    }
    return all;
}

TML_FRONTEND_INLINE int32_t tml_bit_length(uint64_t value) {
    const uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value;
    if (high != 0) return 64 - __builtin_clz(high);
    return low != 0 ? 32 - __builtin_clz(low) : 0;
}

/* Shifts all powers so that the largest fits 32 bits; returns by how much. */
TML_FRONTEND_INLINE int32_t tml_frontend_block_shift(tml_bin *bins, uint32_t first_bin, uint32_t end_bin, uint64_t all) {
    const int32_t length = tml_bit_length(all);
    const int32_t shift = length > 32 ? length - 32 : 0;
    for (uint32_t k = first_bin; k < end_bin; ++k) bins[k].power >>= shift;
    return shift;
}

TML_FRONTEND_INLINE uint64_t tml_mel_energy(const tml_bin *bins, const tml_mel_band *band, const uint16_t *weights) {
    const tml_bin *bin = bins + band->first_bin;
    const uint16_t *weight = weights + band->weights;
    uint64_t sum = 0;
    for (uint32_t n = band->bins; n != 0; --n) sum += (uint64_t)(uint32_t)(bin++)->power * *weight++;
    return sum;
}

/* 512 * log2(energy * 2^shift); an energy of 0 counts as 1. */
TML_FRONTEND_INLINE int32_t tml_log2_q9(uint64_t energy, int32_t shift, const uint16_t *table) {
    const uint64_t safe = energy != 0 ? energy : 1;
    const int32_t exponent = tml_bit_length(safe) - 1;
    const uint32_t fraction = (uint32_t)(exponent >= 16 ? safe >> (exponent - 16) : safe << (16 - exponent)) & 0xFFFFu;
    const uint32_t segment = fraction >> 10;
    const int32_t low = table[segment], high = table[segment + 1];
    const int32_t mantissa = low + (((high - low) * (int32_t)(fraction & 1023u)) >> 10);
    return ((exponent + shift) << 9) + ((mantissa + 32) >> 6);
}

/* A band's energy in one unit for all frames: the floor is 2^16; saturates at 2^47 - 1. */
TML_FRONTEND_INLINE int64_t tml_plain_energy(uint64_t energy, int32_t shift) {
    if (tml_bit_length(energy) + shift > 47) return ((int64_t)1 << 47) - 1;
    return (int64_t)(shift >= 0 ? energy << shift : energy >> -shift);
}

/* The smoothed energy after one more frame; smoothing in Q15. */
TML_FRONTEND_INLINE int64_t tml_smooth_energy(int64_t noise, int64_t energy, int32_t smoothing) {
    return noise + (((energy - noise) * smoothing) >> 15);
}

/* One coefficient of the cosine transform. */
TML_FRONTEND_INLINE int32_t tml_cosine_row(const int16_t *logs, const int16_t *row, uint32_t bands) {
    int32_t sum = 0;
    for (uint32_t n = 0; n < bands; ++n) sum += logs[n] * row[n];
    return (sum + 64) >> 7;
}

TML_FRONTEND_INLINE int8_t tml_frontend_int8(int32_t value, int32_t offset, int32_t gain, int32_t zero_point) {
    const int64_t scaled = (int64_t)(value - offset) * gain;
    const int32_t rounded = (int32_t)((scaled + (1 << 19)) >> 20);
    /* clamped before the zero point is added, which cannot overflow then */
    const int32_t held = rounded < -512 ? -512 : (rounded > 512 ? 512 : rounded);
    const int32_t code = held + zero_point;
    return (int8_t)(code < -128 ? -128 : (code > 127 ? 127 : code));
}

#endif
