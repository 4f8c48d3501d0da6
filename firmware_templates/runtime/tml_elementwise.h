/* Functions of one 8-bit value, portable: a clamp or a table of the results for the 256 bit patterns. The output's runs of
 * out_run elements begin out_pitch elements apart. */
#ifndef TML_ELEMENTWISE_H
#define TML_ELEMENTWISE_H

#include "tml_common.h"

TML_INLINE void tml_clamp(const int8_t *input, int8_t *output, int elements, int out_run, int out_pitch, int out_min,
                          int out_max) {
    for (int start = 0; start < elements; start += out_run) {
        for (int i = 0; i < out_run; i++) {
            output[i] = (int8_t)tml_clamp_int(input[start + i], out_min, out_max);
        }
        output += out_pitch;
    }
}

TML_INLINE void tml_lookup(const void *input, void *output, const uint8_t *table, int elements, int out_run,
                           int out_pitch) {
    const uint8_t *in = (const uint8_t *)input;
    uint8_t *out = (uint8_t *)output;
    for (int start = 0; start < elements; start += out_run) {
        for (int i = 0; i < out_run; i++) {
            out[i] = table[in[start + i]];
        }
        out += out_pitch;
    }
}

#endif
