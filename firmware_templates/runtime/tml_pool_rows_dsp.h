/* What tml_pool_rows.h does, on cores with the DSP extension: rows at most 255 wide, channels a multiple of four. */
#ifndef TML_POOL_ROWS_DSP_H
#define TML_POOL_ROWS_DSP_H

#include "tml_pool2d_dsp.h"
#include "tml_pool_rows.h"

TML_INLINE void tml_add_rows_dsp(const int8_t *x, int32_t *sums, int done, int rows, int width, int channels) {
    TML_NO_UNROLL
    for (int c = 0; c < channels; c += 4) {
        int32_t sum[4];
        tml_sum4_dsp(x + c, sum, rows, width, width * channels, channels);
        TML_UNROLL(4)
        for (int i = 0; i < 4; ++i) sums[c + i] = done == 0 ? sum[i] : sums[c + i] + sum[i];
    }
}

TML_INLINE void tml_average_rows_dsp(const int8_t *x, int8_t *y, void *scratch, int done, int rows, int width,
                                     int channels, int height, int out_min, int out_max) {
    tml_add_rows_dsp(x, (int32_t *)scratch, done, rows, width, channels);
    if (done + rows == height)
        tml_average_sums((const int32_t *)scratch, y, height * width, channels, out_min, out_max);
}

TML_INLINE void tml_mean_rows_dsp(const int8_t *x, int8_t *y, void *scratch, int done, int rows, int width,
                                  int channels, int height, int32_t offset, int32_t multiplier, int shift,
                                  int32_t zero_point) {
    tml_add_rows_dsp(x, (int32_t *)scratch, done, rows, width, channels);
    if (done + rows == height)
        tml_mean_sums((const int32_t *)scratch, y, channels, offset, multiplier, shift, zero_point);
}

#endif
