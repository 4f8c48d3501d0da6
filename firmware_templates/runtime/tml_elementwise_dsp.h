/* Functions of one 8-bit value on cores with the DSP extension: tml_lookup of tml_elementwise.h, eight elements a turn, which
 * takes three instructions each and one for the loop. */
#ifndef TML_ELEMENTWISE_DSP_H
#define TML_ELEMENTWISE_DSP_H

#include "tml_common_dsp.h"

TML_INLINE void tml_lookup_run_dsp(const uint8_t *x, uint8_t *y, const uint8_t *table, int count) {
    if (count >= 8) {
        const uint8_t *const end = x + count / 8 * 8;
        TML_NO_UNROLL
        do {
            TML_UNROLL(8)
            for (int i = 0; i < 8; ++i) y[i] = table[x[i]];
            x += 8;
            y += 8;
        } while (x != end);
    }
    TML_NO_UNROLL
    for (int i = 0; i < count % 8; ++i) y[i] = table[x[i]];
}

TML_INLINE void tml_lookup_dsp(const void *input, void *output, const uint8_t *table, int elements, int out_run,
                               int out_pitch) {
    const uint8_t *x = (const uint8_t *)input;
    uint8_t *y = (uint8_t *)output;
    TML_NO_UNROLL
    for (int start = 0; start < elements; start += out_run, x += out_run, y += out_pitch)
        tml_lookup_run_dsp(x, y, table, out_run);
}

#endif
