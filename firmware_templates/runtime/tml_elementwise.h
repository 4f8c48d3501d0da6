/* Functions of one 8-bit value, portable: a clamp or a table of the results for the 256 bit patterns. */
#ifndef TML_ELEMENTWISE_H
#define TML_ELEMENTWISE_H

#include "tml_common.h"

TML_INLINE void tml_clamp(const int8_t *input, int8_t *output, int elements, int out_min, int out_max) {
    for (int i = 0; i < elements; i++) {
        output[i] = (int8_t)tml_clamp_int(input[i], out_min, out_max);
    }
}

TML_INLINE void tml_lookup(const void *input, void *output, const uint8_t *table, int elements) {
    const uint8_t *in = (const uint8_t *)input;
    uint8_t *out = (uint8_t *)output;
    for (int i = 0; i < elements; i++) {
        out[i] = table[in[i]];
    }
}

#endif
