/* PAD and PADV2, portable, of up to five dimensions, outermost first. */
#ifndef TML_PAD_H
#define TML_PAD_H

#include "tml_common.h"

TML_INLINE int8_t *tml_fill(int8_t *output, int value, int bytes) {
    memset(output, value, (size_t)bytes);
    return output + bytes;
}

TML_INLINE void tml_pad(const int8_t *input, int8_t *output, const int32_t *sizes, const int32_t *before,
                        const int32_t *after, int value) {
    /* Bytes of one element of the output's dimension 3, 2, 1, 0. */
    const int bytes3 = before[4] + sizes[4] + after[4];
    const int bytes2 = bytes3 * (before[3] + sizes[3] + after[3]);
    const int bytes1 = bytes2 * (before[2] + sizes[2] + after[2]);
    const int bytes0 = bytes1 * (before[1] + sizes[1] + after[1]);
    output = tml_fill(output, value, before[0] * bytes0);
    for (int i0 = 0; i0 < sizes[0]; i0++) {
        output = tml_fill(output, value, before[1] * bytes1);
        for (int i1 = 0; i1 < sizes[1]; i1++) {
            output = tml_fill(output, value, before[2] * bytes2);
            for (int i2 = 0; i2 < sizes[2]; i2++) {
                output = tml_fill(output, value, before[3] * bytes3);
                for (int i3 = 0; i3 < sizes[3]; i3++) {
                    output = tml_fill(output, value, before[4]);
                    memcpy(output, input, (size_t)sizes[4]);
                    output = tml_fill(output + sizes[4], value, after[4]);
                    input += sizes[4];
                }
                output = tml_fill(output, value, after[3] * bytes3);
            }
            output = tml_fill(output, value, after[2] * bytes2);
        }
        output = tml_fill(output, value, after[1] * bytes1);
    }
    (void)tml_fill(output, value, after[0] * bytes0);
}

#endif
