/* QUANTIZE of floats and DEQUANTIZE, portable; between 8-bit types QUANTIZE is a table.
 *
 * Sources: TFLite kernels/internal/reference/quantize.h (AffineQuantize), dequantize.h.
 */
#ifndef TML_QUANTIZE_H
#define TML_QUANTIZE_H

#include "tml_common.h"

/* round(value / scale) with halves away from zero, limited to +-2^17, far outside of what 8 bits hold. */
TML_INLINE int32_t tml_round_quotient(float value, float scale) {
    const float limit = 131072.0f;
    float quotient = value / scale;
    if (!(quotient > -limit)) {
        quotient = -limit;
    }
    if (!(quotient < limit)) {
        quotient = limit;
    }
    const int32_t truncated = (int32_t)quotient;
    const float fraction = quotient - (float)truncated;
    return truncated + (fraction >= 0.5f ? 1 : 0) - (fraction <= -0.5f ? 1 : 0);
}

TML_INLINE void tml_quantize_float_int8(const float *input, int8_t *output, int elements, float scale, int zero_point) {
    for (int i = 0; i < elements; i++) {
        output[i] = (int8_t)tml_clamp_int(tml_round_quotient(input[i], scale) + zero_point, INT8_MIN, INT8_MAX);
    }
}

TML_INLINE void tml_quantize_float_uint8(const float *input, uint8_t *output, int elements, float scale,
                                         int zero_point) {
    for (int i = 0; i < elements; i++) {
        output[i] = (uint8_t)tml_clamp_int(tml_round_quotient(input[i], scale) + zero_point, 0, UINT8_MAX);
    }
}

/* LLVM turns the product with a power of two into a vector VCVT with too many fraction bits (2^-8 became 2^-11), so the
 * scale is hidden from it on cores with vectors. */
#if defined(__clang__) && defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#define TML_HIDDEN_SCALE(scale) __asm__("" : "+t"(scale))
#else
#define TML_HIDDEN_SCALE(scale) ((void)0)
#endif

TML_INLINE void tml_dequantize_int8(const int8_t *input, float *output, int elements, float scale, int zero_point) {
    TML_HIDDEN_SCALE(scale);
    for (int i = 0; i < elements; i++) {
        output[i] = scale * (float)(input[i] - zero_point);
    }
}

TML_INLINE void tml_dequantize_uint8(const uint8_t *input, float *output, int elements, float scale, int zero_point) {
    TML_HIDDEN_SCALE(scale);
    for (int i = 0; i < elements; i++) {
        output[i] = scale * (float)(input[i] - zero_point);
    }
}

#endif
