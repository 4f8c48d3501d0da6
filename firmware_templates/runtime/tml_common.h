/* What every kernel shares: fixed-point arithmetic as TFLite does it, clamps, macros.
 *
 * Kernels are always_inline functions whose sizes are literals at the call, so that the compiler specialises each
 * layer. They use no heap, no recursion, no function pointers and nothing of libc but memcpy and memset. Sums wrap
 * modulo 2^32 like the compiled reference kernels.
 *
 * Sources: gemmlowp fixedpoint/fixedpoint.h, TFLite kernels/internal/common.cc.
 */
#ifndef TML_COMMON_H
#define TML_COMMON_H

#include <stdint.h>
#include <string.h>

#define TML_INLINE static inline __attribute__((always_inline))
/* A step, and a kernel that several steps call: one copy under its own name, which GCC would otherwise clone. */
#if defined(__clang__)
#define TML_STEP static __attribute__((noinline))
#define TML_SHARED static __attribute__((noinline))
#else
#define TML_STEP static __attribute__((noinline, noclone))
#define TML_SHARED static __attribute__((noinline, noclone))
#endif
/* The next loop stays one: unrolling it gains little. */
#if defined(__clang__)
#define TML_LOOP _Pragma("clang loop unroll(disable)")
#else
#define TML_LOOP _Pragma("GCC unroll 1")
#endif
#define TML_ALIGNED(bytes) __attribute__((aligned(bytes)))

/* Ends every step: all of memory counts as read and written there. Without it GCC 12 removes calls of steps whose
 * results only assembly reads. */
#define TML_STEP_DONE() __asm__ volatile("" : : : "memory")

#if defined(TML_TRACE) && TML_TRACE
#ifdef __cplusplus
extern "C"
#endif
/* Supplied by the application: told each tensor when it has been computed, by its index in the .tflite file. */
void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes);
#endif

TML_INLINE int32_t tml_wrap_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}

TML_INLINE int32_t tml_wrap_shift_left(int32_t value, int exponent) {
    return (int32_t)((uint32_t)value << exponent);
}

TML_INLINE int32_t tml_clamp_int(int32_t value, int32_t low, int32_t high) {
    return value < low ? low : (value > high ? high : value);
}

/* SaturatingRoundingDoublingHighMul: round(a * b / 2^31); a and b are never both INT32_MIN here. */
TML_INLINE int32_t tml_high_mul(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* RoundingDivideByPOT: value / 2^exponent to nearest, halves away from zero; 0 <= exponent <= 31. */
TML_INLINE int32_t tml_rounding_shift(int32_t value, int exponent) {
    const int32_t mask = (int32_t)((1u << exponent) - 1u);
    const int32_t remainder = value & mask;
    const int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + (remainder > threshold ? 1 : 0);
}

/* MultiplyByQuantizedMultiplier with two roundings: value * multiplier * 2^(shift - 31).
 * max_shift is an upper bound of shift that the compiler knows: without left shifts their code goes away. */
TML_INLINE int32_t tml_multiply(int32_t value, int32_t multiplier, int shift, int max_shift) {
    if (max_shift > 0 && shift > 0) {
        return tml_high_mul(tml_wrap_shift_left(value, shift), multiplier);
    }
    return tml_rounding_shift(tml_high_mul(value, multiplier), -shift);
}

/* The same with a single rounding, halves up. LiteRT converts what leaves int32 to INT32_MIN, as x86 does. */
TML_INLINE int32_t tml_multiply_single(int32_t value, int32_t multiplier, int shift, int may_overflow) {
    const int total = 31 - shift;
    const int64_t scaled = ((int64_t)value * multiplier + ((int64_t)1 << (total - 1))) >> total;
    if (may_overflow && (scaled > INT32_MAX || scaled < INT32_MIN)) {
        return INT32_MIN;
    }
    return (int32_t)scaled;
}

/* An accumulator as an int8 output, with two roundings. */
TML_INLINE int8_t tml_requantize(int32_t sum, int32_t multiplier, int shift, int max_shift, int zero_point,
                                 int out_min, int out_max) {
    const int32_t scaled = tml_multiply(sum, multiplier, shift, max_shift);
    return (int8_t)tml_clamp_int(tml_wrap_add(scaled, zero_point), out_min, out_max);
}

/* Dot product of two rows of bytes. */
TML_INLINE int32_t tml_dot(const int8_t *x, const int8_t *w, int depth) {
    int32_t sum = 0;
    int i = 0;
    for (; i + 4 <= depth; i += 4) {
        sum += x[i] * w[i];
        sum += x[i + 1] * w[i + 1];
        sum += x[i + 2] * w[i + 2];
        sum += x[i + 3] * w[i + 3];
    }
    for (; i < depth; i++) {
        sum += x[i] * w[i];
    }
    return sum;
}

/* Two dot products with the same x, which is loaded once. */
TML_INLINE void tml_dot2(const int8_t *x, const int8_t *w0, const int8_t *w1, int depth, int32_t *sum0, int32_t *sum1) {
    int32_t a = 0;
    int32_t b = 0;
    int i = 0;
    for (; i + 4 <= depth; i += 4) {
        const int32_t x0 = x[i];
        const int32_t x1 = x[i + 1];
        const int32_t x2 = x[i + 2];
        const int32_t x3 = x[i + 3];
        a += x0 * w0[i];
        b += x0 * w1[i];
        a += x1 * w0[i + 1];
        b += x1 * w1[i + 1];
        a += x2 * w0[i + 2];
        b += x2 * w1[i + 2];
        a += x3 * w0[i + 3];
        b += x3 * w1[i + 3];
    }
    for (; i < depth; i++) {
        const int32_t x0 = x[i];
        a += x0 * w0[i];
        b += x0 * w1[i];
    }
    *sum0 = a;
    *sum1 = b;
}

/* Copies the window of a convolution at (origin_y, origin_x), group_c channels from first_c on, to patch in the order
 * of the weights; what lies outside of the input is filled. */
TML_INLINE void tml_gather_patch(const int8_t *input, int8_t *patch, int origin_y, int origin_x, int in_h, int in_w,
                                 int in_c, int first_c, int group_c, int kernel_h, int kernel_w, int dilation_h,
                                 int dilation_w, int fill) {
    for (int ky = 0; ky < kernel_h; ky++) {
        const int y = origin_y + ky * dilation_h;
        if (y < 0 || y >= in_h) {
            memset(patch, fill, (size_t)(kernel_w * group_c));
            patch += kernel_w * group_c;
            continue;
        }
        const int8_t *row = input + y * in_w * in_c + first_c;
        if (dilation_w == 1 && group_c == in_c && origin_x >= 0 && origin_x + kernel_w <= in_w) {
            memcpy(patch, row + origin_x * in_c, (size_t)(kernel_w * in_c));
            patch += kernel_w * in_c;
            continue;
        }
        for (int kx = 0; kx < kernel_w; kx++) {
            const int x = origin_x + kx * dilation_w;
            if (x < 0 || x >= in_w) {
                memset(patch, fill, (size_t)group_c);
            } else {
                memcpy(patch, row + x * in_c, (size_t)group_c);
            }
            patch += group_c;
        }
    }
}

/* The loops of an op that broadcasts over five dimensions, sizes and strides outermost first: the outer four, and where
 * an operand's innermost row begins there. */
#define TML_FOR_ROWS(sizes)                         \
    for (int i0 = 0; i0 < (sizes)[0]; i0++)         \
        for (int i1 = 0; i1 < (sizes)[1]; i1++)     \
            for (int i2 = 0; i2 < (sizes)[2]; i2++) \
                for (int i3 = 0; i3 < (sizes)[3]; i3++)

#define TML_ROW(operand, strides) \
    ((operand) + i0 * (strides)[0] + i1 * (strides)[1] + i2 * (strides)[2] + i3 * (strides)[3])

#endif
