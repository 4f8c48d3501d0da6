/* CONCATENATION, portable: repeats rows of row_bytes, in each part_bytes[i] bytes of part i from part_at[i] on; what no
 * part fills is written by others. A part's rows begin part_pitch[i] bytes apart. */
#ifndef TML_CONCATENATE_H
#define TML_CONCATENATE_H

#include "tml_common.h"

/* Unrolled, as clang does by itself, the copies have known sizes, and small ones are no calls. */
#if defined(__clang__)
#define TML_UNROLL_PARTS
#else
#define TML_UNROLL_PARTS _Pragma("GCC unroll 4")
#endif

TML_INLINE void tml_concatenate(const void *const *parts, const int32_t *part_bytes, const int32_t *part_at,
                                const int32_t *part_pitch, int row_bytes, int part_count, int repeats, void *output) {
    uint8_t *out = (uint8_t *)output;
    for (int repeat = 0; repeat < repeats; repeat++) {
        TML_UNROLL_PARTS
        for (int part = 0; part < part_count; part++) {
            const uint8_t *const from = (const uint8_t *)parts[part] + repeat * part_pitch[part];
            __builtin_memcpy(out + part_at[part], from, (size_t)part_bytes[part]);
        }
        out += row_bytes;
    }
}

#endif
