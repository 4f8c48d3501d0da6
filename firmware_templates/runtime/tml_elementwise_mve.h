/* Functions of one 8-bit value on cores with MVE, sixteen at a time: a clamp or a table of the results for the 256 bit
 * patterns, read by a gather. The output may be the input; its runs of out_run elements begin out_pitch elements apart. */
#ifndef TML_ELEMENTWISE_MVE_H
#define TML_ELEMENTWISE_MVE_H

#include "tml_common_mve.h"

TML_INLINE void tml_clamp_values_mve(const int8_t *input, int8_t *output, int elements, int out_run, int out_pitch,
                                     int out_min, int out_max) {
    const int8x16_t low = vdupq_n_s8((int8_t)out_min);
    const int8x16_t high = vdupq_n_s8((int8_t)out_max);
    TML_MVE_NO_UNROLL
    for (int start = 0; start < elements; start += out_run) {
        int8_t *out = output;
        TML_MVE_NO_UNROLL
        for (int n = out_run / 16; n > 0; n--) {
            vstrbq_s8(out, vminq_s8(vmaxq_s8(vldrbq_s8(input), low), high));
            input += 16;
            out += 16;
        }
        TML_MVE_NO_UNROLL
        for (int i = 0; i < out_run % 16; i++) {
            *out++ = (int8_t)tml_clamp_int(*input++, out_min, out_max);
        }
        output += out_pitch;
    }
}

TML_INLINE void tml_lookup_mve(const void *input, void *output, const uint8_t *table, int elements, int out_run,
                               int out_pitch) {
    const uint8_t *in = (const uint8_t *)input;
    TML_MVE_NO_UNROLL
    for (int start = 0, row = 0; start < elements; start += out_run, row += out_pitch) {
        uint8_t *out = (uint8_t *)output + row;
        TML_MVE_NO_UNROLL
        for (int n = out_run / 16; n > 0; n--) {
            vstrbq_u8(out, vldrbq_gather_offset_u8(table, vldrbq_u8(in)));
            in += 16;
            out += 16;
        }
        TML_MVE_NO_UNROLL
        for (int i = 0; i < out_run % 16; i++) {
            *out++ = table[*in++];
        }
    }
}

#endif
