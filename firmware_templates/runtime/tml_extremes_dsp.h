/* MAXIMUM and MINIMUM of int8 of equal shapes on cores with the DSP extension, four at a time by SEL; the arguments are those
 * of tml_logic.h. The output may lie over an operand. */
#ifndef TML_EXTREMES_DSP_H
#define TML_EXTREMES_DSP_H

#include "tml_pool2d_dsp.h"

#define TML_EXTREMES_DSP(NAME, FOUR, BETTER)                                                                       \
    TML_INLINE void NAME(const int8_t *a, const int8_t *b, int8_t *y, const int32_t *sizes, const int32_t *strides_a, \
                         const int32_t *strides_b) {                                                               \
        const int elements = sizes[4];                                                                             \
        const int8_t *const end = a + elements / 4 * 4;                                                            \
        (void)strides_a, (void)strides_b;                                                                          \
        TML_NO_UNROLL                                                                                              \
        while (a != end) {                                                                                         \
            const int32_t left = (int32_t)*(const tml_word *)(const void *)a;                                      \
            *(tml_word *)(void *)y = (uint32_t)FOUR(left, (int32_t)*(const tml_word *)(const void *)b);            \
            a += 4;                                                                                                \
            b += 4;                                                                                                \
            y += 4;                                                                                                \
        }                                                                                                          \
        TML_NO_UNROLL                                                                                              \
        for (int i = 0; i < elements % 4; ++i) y[i] = a[i] BETTER b[i] ? a[i] : b[i];                              \
    }

TML_EXTREMES_DSP(tml_maximum_dsp, tml_max4_dsp, >)
TML_EXTREMES_DSP(tml_minimum_dsp, tml_min4_dsp, <)

#endif
