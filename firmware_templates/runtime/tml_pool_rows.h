/* AVERAGE_POOL_2D over a whole image and MEAN over height and width, fed row by row, portable.
 *
 * A call adds `rows` rows to the channels' sums; `done` rows were added before. The call with the last rows of `height`
 * gives the output. Sources: those of tml_pool2d.h and tml_reduce.h.
 */
#ifndef TML_POOL_ROWS_H
#define TML_POOL_ROWS_H

#include "tml_pool2d.h"

TML_INLINE void tml_add_rows(const int8_t *x, int32_t *sums, int done, int pixels, int channels) {
    if (done == 0) memset(sums, 0, (size_t)channels * sizeof(int32_t));
    for (int n = 0; n < pixels; ++n) {
        for (int c = 0; c < channels; ++c) sums[c] += *x++;
    }
}

TML_INLINE void tml_average_sums(const int32_t *sums, int8_t *y, int pixels, int channels, int out_min, int out_max) {
    for (int c = 0; c < channels; ++c)
        y[c] = (int8_t)tml_clamp_int(tml_rounded_quotient(sums[c], pixels), out_min, out_max);
}

/* `offset` is the zero point times the number of pixels; the multiplier has the division in it. */
TML_INLINE void tml_mean_sums(const int32_t *sums, int8_t *y, int channels, int32_t offset, int32_t multiplier,
                              int shift, int32_t zero_point) {
    for (int c = 0; c < channels; ++c)
        y[c] = tml_requantize(sums[c] - offset, multiplier, shift, shift, zero_point, -128, 127);
}

TML_INLINE void tml_average_rows(const int8_t *x, int8_t *y, void *scratch, int done, int rows, int width, int channels,
                                 int height, int out_min, int out_max) {
    tml_add_rows(x, (int32_t *)scratch, done, rows * width, channels);
    if (done + rows == height)
        tml_average_sums((const int32_t *)scratch, y, height * width, channels, out_min, out_max);
}

TML_INLINE void tml_mean_rows(const int8_t *x, int8_t *y, void *scratch, int done, int rows, int width, int channels,
                              int height, int32_t offset, int32_t multiplier, int shift, int32_t zero_point) {
    tml_add_rows(x, (int32_t *)scratch, done, rows * width, channels);
    if (done + rows == height)
        tml_mean_sums((const int32_t *)scratch, y, channels, offset, multiplier, shift, zero_point);
}

#endif
