/* QUANTIZE and DEQUANTIZE at a model's borders, portable.
 *
 * Sources: TFLite kernels/internal/reference/quantize.h (AffineQuantize), requantize.h, dequantize.h.
 */
#ifndef TML_QUANTIZE_H
#define TML_QUANTIZE_H

#include "tml_common.h"

/* round(value / scale) with halves away from zero, limited to +-2^17, which is far outside of what 16 bits hold. */
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

TML_INLINE void tml_quantize_float_int16(const float *input, int16_t *output, int elements, float scale,
                                         int zero_point) {
    for (int i = 0; i < elements; i++) {
        output[i] = (int16_t)tml_clamp_int(tml_round_quotient(input[i], scale) + zero_point, INT16_MIN, INT16_MAX);
    }
}

TML_INLINE void tml_requantize_int16_int8(const int16_t *input, int8_t *output, int elements, int in_zero_point,
                                          int out_zero_point, int32_t multiplier, int shift, int out_min, int out_max) {
    for (int i = 0; i < elements; i++) {
        output[i] = tml_requantize(input[i] - in_zero_point, multiplier, shift, shift, out_zero_point, out_min,
                                   out_max);
    }
}

TML_INLINE void tml_dequantize_int8(const int8_t *input, float *output, int elements, float scale, int zero_point) {
    for (int i = 0; i < elements; i++) {
        output[i] = scale * (float)(input[i] - zero_point);
    }
}

TML_INLINE void tml_dequantize_uint8(const uint8_t *input, float *output, int elements, float scale, int zero_point) {
    for (int i = 0; i < elements; i++) {
        output[i] = scale * (float)(input[i] - zero_point);
    }
}

TML_INLINE void tml_dequantize_int16(const int16_t *input, float *output, int elements, float scale, int zero_point) {
    for (int i = 0; i < elements; i++) {
        output[i] = scale * (float)(input[i] - zero_point);
    }
}

#endif
