/* CONCATENATION, portable: part_bytes[i] bytes of each part in turn, repeats times. */
#ifndef TML_CONCATENATE_H
#define TML_CONCATENATE_H

#include "tml_common.h"

TML_INLINE void tml_concatenate(const void *const *parts, const int32_t *part_bytes, int part_count, int repeats,
                                void *output) {
    uint8_t *out = (uint8_t *)output;
    for (int repeat = 0; repeat < repeats; repeat++) {
        for (int part = 0; part < part_count; part++) {
            const int32_t bytes = part_bytes[part];
            memcpy(out, (const uint8_t *)parts[part] + repeat * bytes, (size_t)bytes);
            out += bytes;
        }
    }
}

#endif
