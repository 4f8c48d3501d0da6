/* Moving elements without changing them, portable: strided views, positions from tables, rows chosen at run time.
 *
 * Source of what is moved where: the compiler. Elements are 1, 2, 4 or 8 bytes. Copies are __builtin_memcpy: firmware is
 * compiled freestanding, where memcpy of a single byte would be a call.
 */
#ifndef TML_MOVE_H
#define TML_MOVE_H

#include "tml_common.h"

/* Elements offset + sum of i[d] * strides[d], for i[d] < sizes[d], one after the other; the output's runs of out_run of
 * them begin out_pitch elements apart, and out_run is a multiple of sizes[5]. */
TML_INLINE void tml_move(const void *input, void *output, const int32_t *sizes, const int32_t *strides, int offset,
                         int element_bytes, int out_run, int out_pitch) {
    const uint8_t *in = (const uint8_t *)input + offset * element_bytes;
    const int gap = (out_pitch - out_run) * element_bytes;
    uint8_t *out = (uint8_t *)output;
    int left = out_run;
    for (int i0 = 0; i0 < sizes[0]; i0++) {
        for (int i1 = 0; i1 < sizes[1]; i1++) {
            for (int i2 = 0; i2 < sizes[2]; i2++) {
                for (int i3 = 0; i3 < sizes[3]; i3++) {
                    for (int i4 = 0; i4 < sizes[4]; i4++) {
                        const uint8_t *from = in + (i0 * strides[0] + i1 * strides[1] + i2 * strides[2] +
                                                    i3 * strides[3] + i4 * strides[4]) *
                                                       element_bytes;
                        if (strides[5] == 1) {
                            __builtin_memcpy(out, from, (size_t)(sizes[5] * element_bytes));
                            out += sizes[5] * element_bytes;
                        } else {
                            for (int i5 = 0; i5 < sizes[5]; i5++) {
                                __builtin_memcpy(out, from + i5 * strides[5] * element_bytes, (size_t)element_bytes);
                                out += element_bytes;
                            }
                        }
                        if (gap != 0) {
                            left -= sizes[5];
                            if (left == 0) {
                                left = out_run;
                                out += gap;
                            }
                        }
                    }
                }
            }
        }
    }
}

/* Pieces of run_bytes at the sum of four offsets in bytes, each from its table; the tables lie one behind the other. */
TML_INLINE void tml_move_tables(const void *input, void *output, const int32_t *offsets, const int32_t *sizes,
                                int run_bytes) {
    const uint8_t *in = (const uint8_t *)input;
    uint8_t *out = (uint8_t *)output;
    const int32_t *table1 = offsets + sizes[0];
    const int32_t *table2 = table1 + sizes[1];
    const int32_t *table3 = table2 + sizes[2];
    for (int i0 = 0; i0 < sizes[0]; i0++) {
        for (int i1 = 0; i1 < sizes[1]; i1++) {
            for (int i2 = 0; i2 < sizes[2]; i2++) {
                const uint8_t *from = in + offsets[i0] + table1[i1] + table2[i2];
                for (int i3 = 0; i3 < sizes[3]; i3++) {
                    __builtin_memcpy(out, from + table3[i3], (size_t)run_bytes);
                    out += run_bytes;
                }
            }
        }
    }
}

/* GATHER: for each of outer blocks of rows, the rows of row_bytes that indices name. TFLite refuses an index outside;
 * here it is the nearest row, so that nothing outside is read. */
TML_INLINE void tml_gather(const void *input, const int32_t *indices, void *output, int outer, int rows, int count,
                           int row_bytes) {
    const uint8_t *in = (const uint8_t *)input;
    uint8_t *out = (uint8_t *)output;
    for (int block = 0; block < outer; block++) {
        for (int i = 0; i < count; i++) {
            __builtin_memcpy(out, in + tml_clamp_int(indices[i], 0, rows - 1) * row_bytes, (size_t)row_bytes);
            out += row_bytes;
        }
        in += rows * row_bytes;
    }
}

#endif
