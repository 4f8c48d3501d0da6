/* Moving single bytes on cores with the DSP extension, as tml_move.h does: up to twelve a turn at literal places, and rows
 * of places from tables four at a time, for which each place is read once. */
#ifndef TML_MOVE_DSP_H
#define TML_MOVE_DSP_H

#include "tml_common_dsp.h"
#include "tml_move.h"

#define TML_MOVED_TOGETHER 12
/* Bytes of a long row that go together: a divisor where there is one. */
#define TML_MOVED_TURN(n) ((n) % 12 == 0 ? 12 : (n) % 10 == 0 ? 10 : (n) % 9 == 0 ? 9 : (n) % 11 == 0 ? 11 : 8)

/* rows x columns bytes; rows of the output begin out_step apart. */
TML_INLINE void tml_move_plane_dsp(const int8_t *x, int8_t *y, int rows, int columns, int row_step, int step,
                                   int out_step) {
    if (columns <= TML_MOVED_TOGETHER / 2) {
        const int together = TML_MOVED_TOGETHER / columns;
        TML_NO_UNROLL
        for (int r = 0; r + together <= rows; r += together, x += together * row_step, y += together * out_step) {
            TML_UNROLL(12)
            for (int k = 0; k < together; ++k) {
                TML_UNROLL(12)
                for (int i = 0; i < columns; ++i) y[k * out_step + i] = x[k * row_step + i * step];
            }
        }
        TML_NO_UNROLL
        for (int r = 0; r < rows % together; ++r, x += row_step, y += out_step) {
            TML_UNROLL(12)
            for (int i = 0; i < columns; ++i) y[i] = x[i * step];
        }
    } else {
        const int turn = TML_MOVED_TURN(columns);
        TML_NO_UNROLL
        for (int r = 0; r < rows; ++r, x += row_step, y += out_step) {
            const int8_t *from = x;
            int8_t *to = y;
            TML_NO_UNROLL
            for (int n = 0; n + turn <= columns; n += turn) {
                TML_UNROLL(12)
                for (int i = 0; i < turn; ++i) to[i] = from[i * step];
                from += turn * step;
                to += turn;
            }
            TML_UNROLL(12)
            for (int i = 0; i < columns % turn; ++i) to[i] = from[i * step];
        }
    }
}

/* tml_move of bytes whose innermost loop does not read one after the other. */
TML_INLINE void tml_move_dsp(const void *input, void *output, const int32_t *sizes, const int32_t *strides, int offset,
                             int element_bytes, int out_run, int out_pitch) {
    const int8_t *const in = (const int8_t *)input + offset;
    int8_t *out = (int8_t *)output;
    const int out_step = out_run == sizes[5] ? out_pitch : sizes[5];
    if (out_run != out_pitch && out_run != sizes[5]) {
        tml_move(input, output, sizes, strides, offset, element_bytes, out_run, out_pitch);
        return;
    }
    for (int i0 = 0; i0 < sizes[0]; i0++) {
        for (int i1 = 0; i1 < sizes[1]; i1++) {
            for (int i2 = 0; i2 < sizes[2]; i2++) {
                TML_NO_UNROLL
                for (int i3 = 0; i3 < sizes[3]; i3++) {
                    tml_move_plane_dsp(in + i0 * strides[0] + i1 * strides[1] + i2 * strides[2] + i3 * strides[3], out,
                                       sizes[4], sizes[5], strides[4], strides[5], out_step);
                    out += sizes[4] * out_step;
                }
            }
        }
    }
}

/* tml_move_tables of bytes. */
TML_INLINE void tml_move_tables_dsp(const void *input, void *output, const int32_t *offsets, const int32_t *sizes,
                                    int run_bytes) {
    const int8_t *const in = (const int8_t *)input;
    int8_t *out = (int8_t *)output;
    const int32_t *const table1 = offsets + sizes[0];
    const int32_t *const table2 = table1 + sizes[1];
    const int32_t *const table3 = table2 + sizes[2];
    const int row = sizes[3] * run_bytes;
    for (int i0 = 0; i0 < sizes[0]; i0++) {
        for (int i1 = 0; i1 < sizes[1]; i1++) {
            const int8_t *const from = in + offsets[i0] + table1[i1];
            TML_NO_UNROLL
            for (int i2 = 0; i2 + 4 <= sizes[2]; i2 += 4) {
                const int8_t *const x0 = from + table2[i2], *const x1 = from + table2[i2 + 1],
                                   *const x2 = from + table2[i2 + 2], *const x3 = from + table2[i2 + 3];
                TML_UNROLL(2)
                for (int i3 = 0; i3 < sizes[3]; i3++) {
                    const int32_t at = table3[i3];
                    out[i3] = x0[at];
                    out[i3 + row] = x1[at];
                    out[i3 + 2 * row] = x2[at];
                    out[i3 + 3 * row] = x3[at];
                }
                out += 4 * row;
            }
            TML_NO_UNROLL
            for (int i2 = sizes[2] / 4 * 4; i2 < sizes[2]; i2++, out += row) {
                TML_NO_UNROLL
                for (int i3 = 0; i3 < sizes[3]; i3++) out[i3] = from[table2[i2] + table3[i3]];
            }
        }
    }
}

#endif
