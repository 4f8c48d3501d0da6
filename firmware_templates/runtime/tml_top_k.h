/* TOPK_V2, portable: of each row the largest elements, largest first, of equal ones the first; or where they are.
 *
 * Each is found by a walk over the row: the largest of those that come behind the one before in that order. So there
 * is no scratch, and a row of n takes k * n comparisons.
 *
 * Source: TFLite kernels/topk_v2.cc.
 */
#ifndef TML_TOP_K_H
#define TML_TOP_K_H

#include "tml_common.h"

#define TML_TOP_K(name, type, result, given)                                                                   \
    TML_INLINE void name(const type *input, result *output, int rows, int axis, int k) {                       \
        for (int row = 0; row < rows; row++) {                                                                 \
            const type *x = input + row * axis;                                                                \
            int before = -1;                                                                                   \
            for (int place = 0; place < k; place++) {                                                          \
                int best = -1;                                                                                 \
                for (int i = 0; i < axis; i++) {                                                               \
                    const int left = before < 0 || x[i] < x[before] || (x[i] == x[before] && i > before);      \
                    if (left && (best < 0 || x[i] > x[best])) {                                                \
                        best = i;                                                                              \
                    }                                                                                          \
                }                                                                                              \
                *output++ = given;                                                                             \
                before = best;                                                                                 \
            }                                                                                                  \
        }                                                                                                      \
    }

TML_TOP_K(tml_top_k_int8, int8_t, int8_t, x[best])
TML_TOP_K(tml_top_k_int32, int32_t, int32_t, x[best])
TML_TOP_K(tml_top_k_where_int8, int8_t, int32_t, best)
TML_TOP_K(tml_top_k_where_int32, int32_t, int32_t, best)

#endif
