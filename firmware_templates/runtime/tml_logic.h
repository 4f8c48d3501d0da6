/* Comparing, choosing and converting, portable: MAXIMUM to SELECT and arithmetic of int32 with broadcasting, ARG_MAX, REDUCE_MAX, CAST.
 *
 * Broadcasting is five nested loops, outermost first: sizes says how often each runs, the strides by how many elements
 * each operand advances (0 where it is broadcast). An output may lie over an operand of its own shape and type.
 *
 * Sources: TFLite kernels/internal/reference/maximum_minimum.h, comparisons.h, select.h, arg_min_max.h, reduce.h.
 */
#ifndef TML_LOGIC_H
#define TML_LOGIC_H

#include "tml_common.h"

#define TML_FOR_ALL(sizes) \
    TML_FOR_ROWS(sizes)    \
    for (int i4 = 0; i4 < (sizes)[4]; i4++)

#define TML_AT(strides) (i0 * (strides)[0] + i1 * (strides)[1] + i2 * (strides)[2] + i3 * (strides)[3] + i4 * (strides)[4])

/* An op of two elements of one type; expression is what x and y give. */
#define TML_OF_TWO(name, type, result, expression)                                                             \
    TML_INLINE void name(const type *a, const type *b, result *output, const int32_t *sizes,                   \
                         const int32_t *strides_a, const int32_t *strides_b) {                                 \
        TML_FOR_ALL(sizes) {                                                                                   \
            const type x = a[TML_AT(strides_a)];                                                               \
            const type y = b[TML_AT(strides_b)];                                                               \
            *output++ = (result)(expression);                                                                  \
        }                                                                                                      \
    }

TML_OF_TWO(tml_maximum_int8, int8_t, int8_t, x > y ? x : y)
TML_OF_TWO(tml_minimum_int8, int8_t, int8_t, x < y ? x : y)
TML_OF_TWO(tml_maximum_int32, int32_t, int32_t, x > y ? x : y)
TML_OF_TWO(tml_minimum_int32, int32_t, int32_t, x < y ? x : y)
TML_OF_TWO(tml_greater_int32, int32_t, uint8_t, x > y)
TML_OF_TWO(tml_greater_equal_int32, int32_t, uint8_t, x >= y)
TML_OF_TWO(tml_less_int32, int32_t, uint8_t, x < y)
TML_OF_TWO(tml_less_equal_int32, int32_t, uint8_t, x <= y)
TML_OF_TWO(tml_equal_int32, int32_t, uint8_t, x == y)
TML_OF_TWO(tml_not_equal_int32, int32_t, uint8_t, x != y)
TML_OF_TWO(tml_add_int32, int32_t, int32_t, (uint32_t)x + (uint32_t)y)
TML_OF_TWO(tml_sub_int32, int32_t, int32_t, (uint32_t)x - (uint32_t)y)
TML_OF_TWO(tml_mul_int32, int32_t, int32_t, (uint32_t)x * (uint32_t)y)
TML_OF_TWO(tml_equal_bool, uint8_t, uint8_t, x == y)
TML_OF_TWO(tml_not_equal_bool, uint8_t, uint8_t, x != y)
TML_OF_TWO(tml_logical_and_bool, uint8_t, uint8_t, x & y)
TML_OF_TWO(tml_logical_or_bool, uint8_t, uint8_t, x | y)

/* Comparisons of int8: both are scaled by 2^8 times their scale and rounded. */
#define TML_COMPARE_INT8(name, operator)                                                                       \
    TML_INLINE void name(const int8_t *a, const int8_t *b, uint8_t *output, const int32_t *sizes,              \
                         const int32_t *strides_a, const int32_t *strides_b, int a_zero_point,                 \
                         int32_t a_multiplier, int a_shift, int b_zero_point, int32_t b_multiplier,            \
                         int b_shift) {                                                                        \
        TML_FOR_ALL(sizes) {                                                                                   \
            const int32_t x = (a[TML_AT(strides_a)] - a_zero_point) * 256;                                     \
            const int32_t y = (b[TML_AT(strides_b)] - b_zero_point) * 256;                                     \
            *output++ = tml_multiply(x, a_multiplier, a_shift, 0) operator tml_multiply(y, b_multiplier, b_shift, 0); \
        }                                                                                                      \
    }

TML_COMPARE_INT8(tml_greater_int8, >)
TML_COMPARE_INT8(tml_greater_equal_int8, >=)
TML_COMPARE_INT8(tml_less_int8, <)
TML_COMPARE_INT8(tml_less_equal_int8, <=)
TML_COMPARE_INT8(tml_equal_int8, ==)
TML_COMPARE_INT8(tml_not_equal_int8, !=)

TML_INLINE void tml_logical_not(const uint8_t *input, uint8_t *output, int elements) {
    for (int i = 0; i < elements; i++) {
        output[i] = !input[i];
    }
}

#define TML_SELECT(name, type)                                                                                 \
    TML_INLINE void name(const uint8_t *condition, const type *a, const type *b, type *output,                 \
                         const int32_t *sizes, const int32_t *strides_condition, const int32_t *strides_a,     \
                         const int32_t *strides_b) {                                                           \
        TML_FOR_ALL(sizes) {                                                                                   \
            const type x = a[TML_AT(strides_a)];                                                               \
            const type y = b[TML_AT(strides_b)];                                                               \
            *output++ = condition[TML_AT(strides_condition)] ? x : y;                                          \
        }                                                                                                      \
    }

TML_SELECT(tml_select_int8, int8_t)
TML_SELECT(tml_select_int32, int32_t)
TML_SELECT(tml_select_bool, uint8_t)

/* The first largest (sign 1) or smallest (sign -1) of every axis in [outer][axis][inner]. */
#define TML_ARG(name, type, result)                                                                            \
    TML_INLINE void name(const type *input, result *output, int outer, int axis, int inner, int sign) {        \
        for (int o = 0; o < outer; o++) {                                                                      \
            for (int i = 0; i < inner; i++) {                                                                  \
                const type *x = input + o * axis * inner + i;                                                  \
                type best = *x;                                                                                \
                result where = 0;                                                                              \
                for (int k = 1; k < axis; k++) {                                                               \
                    const type value = x[k * inner];                                                           \
                    if (sign > 0 ? value > best : value < best) {                                              \
                        best = value;                                                                          \
                        where = k;                                                                             \
                    }                                                                                          \
                }                                                                                              \
                *output++ = where;                                                                             \
            }                                                                                                  \
        }                                                                                                      \
    }

TML_ARG(tml_arg_int8_int32, int8_t, int32_t)
TML_ARG(tml_arg_int8_int64, int8_t, int64_t)
TML_ARG(tml_arg_int32_int32, int32_t, int32_t)
TML_ARG(tml_arg_int32_int64, int32_t, int64_t)

/* The largest (sign 1) or smallest (sign -1) over the reduced parts of [kept0][reduced0][kept1][reduced1]... */
#define TML_EXTREME(name, type)                                                                                \
    TML_INLINE void name(const type *input, type *output, const int32_t *kept, const int32_t *reduced, int sign) { \
        const int stride_k2 = reduced[2];                                                                      \
        const int stride_r1 = kept[2] * stride_k2;                                                             \
        const int stride_k1 = reduced[1] * stride_r1;                                                          \
        const int stride_r0 = kept[1] * stride_k1;                                                             \
        const int stride_k0 = reduced[0] * stride_r0;                                                          \
        for (int k0 = 0; k0 < kept[0]; k0++) {                                                                 \
            for (int k1 = 0; k1 < kept[1]; k1++) {                                                             \
                for (int k2 = 0; k2 < kept[2]; k2++) {                                                         \
                    const type *start = input + k0 * stride_k0 + k1 * stride_k1 + k2 * stride_k2;              \
                    type best = *start;                                                                        \
                    for (int r0 = 0; r0 < reduced[0]; r0++) {                                                  \
                        for (int r1 = 0; r1 < reduced[1]; r1++) {                                              \
                            for (int r2 = 0; r2 < reduced[2]; r2++) {                                          \
                                const type value = start[r0 * stride_r0 + r1 * stride_r1 + r2];                \
                                best = (sign > 0 ? value > best : value < best) ? value : best;                \
                            }                                                                                  \
                        }                                                                                      \
                    }                                                                                          \
                    *output++ = best;                                                                          \
                }                                                                                              \
            }                                                                                                  \
        }                                                                                                      \
    }

TML_EXTREME(tml_extreme_int8, int8_t)
TML_EXTREME(tml_extreme_int32, int32_t)

/* CAST: elements of input_bytes (1 or 4, signed) to output_bytes, or to bool. */
TML_INLINE void tml_cast(const void *input, void *output, int elements, int input_bytes, int output_bytes,
                         int to_bool) {
    for (int i = 0; i < elements; i++) {
        int32_t value;
        if (input_bytes == 1) {
            value = ((const int8_t *)input)[i];
        } else {
            value = ((const int32_t *)input)[i];
        }
        if (to_bool) {
            ((uint8_t *)output)[i] = value != 0;
        } else if (output_bytes == 1) {
            ((int8_t *)output)[i] = (int8_t)value;
        } else {
            ((int32_t *)output)[i] = value;
        }
    }
}

#endif
