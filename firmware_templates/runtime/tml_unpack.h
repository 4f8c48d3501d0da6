/* Weights that lie packed in flash, expanded to memory in a step of their own before the layer that reads them. What comes
 * out is the array that would have been in flash, bit for bit (tinyml/lower/unpack.py makes and checks it). Plain C for
 * every core. Sizes stand in front of the packed words, so that layers of one scheme share code.
 *
 * A unit is one, two or four bytes: `unit_bytes` and `code_bits` are constants. `out` is aligned to words and filled up to
 * whole ones. */
#ifndef TML_UNPACK_H
#define TML_UNPACK_H

#include "tml_common.h"

/* Units of whatever type the layer reads. */
typedef uint16_t __attribute__((may_alias)) tml_unit16;
typedef uint32_t __attribute__((may_alias)) tml_unit32;

TML_INLINE uint32_t tml_unit(const void *units, uint32_t index, int unit_bytes) {
    if (unit_bytes == 1) return ((const uint8_t *)units)[index];
    if (unit_bytes == 2) return ((const tml_unit16 *)units)[index];
    return ((const tml_unit32 *)units)[index];
}

TML_INLINE tml_unit32 *tml_copy_words(tml_unit32 *to, const uint32_t *from, uint32_t words) {
    TML_LOOP
    for (; words > 0; words--) *to++ = *from++;
    return to;
}

/* The word of the units whose codes are the lowest bits of `codes`. */
TML_INLINE uint32_t tml_units_of(uint32_t codes, const void *palette, int unit_bytes, int code_bits) {
    const uint32_t mask = (1u << code_bits) - 1u;
    uint32_t value = tml_unit(palette, codes & mask, unit_bytes);
    if (unit_bytes == 2) value |= tml_unit(palette, codes >> code_bits & mask, 2) << 16;
    if (unit_bytes == 1) {
        value |= tml_unit(palette, codes >> code_bits & mask, 1) << 8;
        value |= tml_unit(palette, codes >> 2 * code_bits & mask, 1) << 16;
        value |= tml_unit(palette, codes >> 3 * code_bits & mask, 1) << 24;
    }
    return value;
}

/* Codes of 1, 2, 4 or 8 bits into a palette of units.
 * packed: runs, words of a run, then how many words stand as they are before the first run, between two and after the last;
 * these words; the codes of all runs, the first in the lowest bits. */
TML_INLINE void tml_unpack_codes(const uint32_t *packed, const void *palette, void *out, int unit_bytes, int code_bits) {
    const int bits_a_word = 4 / unit_bytes * code_bits;
    const uint32_t run_words = packed[1], between = packed[3], after = packed[4];
    const uint32_t *plain = packed + 5;
    const uint32_t *codes = plain + packed[2] + (packed[0] - 1) * between + after;
    tml_unit32 *to = tml_copy_words((tml_unit32 *)out, plain, packed[2]);
    uint32_t word = 0;
    int left = 0;
    plain += packed[2];
    TML_LOOP
    for (uint32_t run = packed[0]; run > 0; run--) {
        const uint32_t gap = run > 1 ? between : after;
        TML_LOOP
        for (uint32_t n = run_words; n > 0; n--) {
            if (left == 0) {
                word = *codes++;
                left = 32;
            }
            *to++ = tml_units_of(word, palette, unit_bytes, code_bits);
            word >>= bits_a_word;
            left -= bits_a_word;
        }
        to = tml_copy_words(to, plain, gap);
        plain += gap;
    }
}

/* Mostly zeros. packed: how many masks there are and how many words come out; then the masks, a bit a unit, the first in
 * the lowest bit. values: the units that are not zero. */
TML_INLINE void tml_unpack_zeros(const uint32_t *packed, const void *values, void *out, int unit_bytes) {
    uint32_t next = 0;
    uint8_t *to = (uint8_t *)out;
    TML_LOOP
    for (uint32_t i = 0; i < packed[1]; i++) ((tml_unit32 *)out)[i] = 0;
    TML_LOOP
    for (uint32_t i = 0; i < packed[0]; i++, to += 32 * unit_bytes) {
        uint8_t *unit = to;
        TML_LOOP
        for (uint32_t mask = packed[2 + i]; mask != 0; mask >>= 1, unit += unit_bytes) {
            TML_LOOP
            for (; (mask & 15u) == 0; mask >>= 4) unit += 4 * unit_bytes;
            if ((mask & 1u) == 0) continue;
            if (unit_bytes == 1) *unit = (uint8_t)tml_unit(values, next, 1);
            else if (unit_bytes == 2) *(tml_unit16 *)(void *)unit = (uint16_t)tml_unit(values, next, 2);
            else *(tml_unit32 *)(void *)unit = tml_unit(values, next, 4);
            next++;
        }
    }
}

#endif
