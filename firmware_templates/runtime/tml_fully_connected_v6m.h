/* FULLY_CONNECTED (and 1x1 convolutions of one pixel) on cores without SIMD, six channels at a time.
 *
 * Weights are bytes, [channels / 6, rounded up][depth][6], or words of three channels in two (tml_gemm_v6m.h),
 * [channels / 6, rounded up][depth][4]. ARMv6-M has no signed load with an offset: there the bytes are 128 larger, which
 * 128 * sum(x) takes back. Channels beyond the last have weights of 0. */
#ifndef TML_FULLY_CONNECTED_V6M_H
#define TML_FULLY_CONNECTED_V6M_H

#include "tml_gemm_v6m.h"

/* Six sums of `depth` bytes at x, stored to `sums`; each starts at `start`. */
typedef struct {
    const int8_t *x;
    const int8_t *x_fours;
    const int8_t *x_end;
    const uint8_t *w;
    int32_t *sums;
    int32_t start;
} tml_six_bytes_v6m;

#if TML_V7M
#define TML_SIX(o) \
    "ldrsb r5, [r0, #" #o "]\n\t" "ldrsb r6, [r0, #" #o "+1]\n\t" "ldrsb r7, [r0, #" #o "+2]\n\t" \
    "mla r8, r5, r3, r8\n\t" "mla r9, r6, r3, r9\n\t" "mla r10, r7, r3, r10\n\t" \
    "ldrsb r5, [r0, #" #o "+3]\n\t" "ldrsb r6, [r0, #" #o "+4]\n\t" "ldrsb r7, [r0, #" #o "+5]\n\t" \
    "mla r11, r5, r3, r11\n\t" "mla r12, r6, r3, r12\n\t" "mla lr, r7, r3, lr\n\t"
TML_COMMON_COPY void tml_six_bytes(const tml_six_bytes_v6m *s) {
    __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4, r5}\n\t" "push {r2, r4}\n\t" "mov r2, r1\n\t" "mov r1, r0\n\t" "mov r0, r3\n\t"
                     "mov r8, r5\n\t" "mov r9, r5\n\t" "mov r10, r5\n\t" "mov r11, r5\n\t" "mov r12, r5\n\t" "mov lr, r5\n\t"
                     "cmp r1, r2\n\t" "beq 2f\n"
                     "1:\n\t" "ldrsb r3, [r1], #1\n\t" TML_SIX(0) "ldrsb r3, [r1], #1\n\t" TML_SIX(6) "ldrsb r3, [r1], #1\n\t" TML_SIX(12)
                     "ldrsb r3, [r1], #1\n\t" TML_SIX(18) "adds r0, #24\n\t" "cmp r1, r2\n\t" "bne 1b\n"
                     "2:\n\t" "ldr r2, [sp]\n\t" "cmp r1, r2\n\t" "beq 4f\n"
                     "3:\n\t" "ldrsb r3, [r1], #1\n\t" TML_SIX(0) "adds r0, #6\n\t" "cmp r1, r2\n\t" "bne 3b\n"
                     "4:\n\t" "ldr r4, [sp, #4]\n\t" "stmia r4, {r8, r9, r10, r11, r12, lr}\n\t" "add sp, #8\n\t"
                     : "+l"(s) : : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}
#else
#define TML_ONE_OF_SIX(o, acc) "ldrb r5, [r0, #" #o "]\n\t" "muls r5, r3, r5\n\t" "add " acc ", r5\n\t"
#define TML_SIX(o) TML_ONE_OF_SIX(o, "r8") TML_ONE_OF_SIX(o + 1, "r9") TML_ONE_OF_SIX(o + 2, "r10") TML_ONE_OF_SIX(o + 3, "r11") \
                   TML_ONE_OF_SIX(o + 4, "r12") TML_ONE_OF_SIX(o + 5, "lr")
/* r0 weights, r1 x, r2, r4, r6, r7 the offsets 0, 1, 2, 3; the ends of x are on the stack. */
TML_COMMON_COPY void tml_six_bytes(const tml_six_bytes_v6m *s) {
    __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4, r5}\n\t" "push {r1, r2, r4}\n\t" "movs r1, r0\n\t" "movs r0, r3\n\t"
                     "mov r8, r5\n\t" "mov r9, r5\n\t" "mov r10, r5\n\t" "mov r11, r5\n\t" "mov r12, r5\n\t" "mov lr, r5\n\t"
                     "movs r2, #0\n\t" "movs r4, #1\n\t" "movs r6, #2\n\t" "movs r7, #3\n\t"
                     "ldr r3, [sp]\n\t" "cmp r1, r3\n\t" "beq 2f\n"
                     "1:\n\t" "ldrsb r3, [r1, r2]\n\t" TML_SIX(0) "ldrsb r3, [r1, r4]\n\t" TML_SIX(6) "ldrsb r3, [r1, r6]\n\t" TML_SIX(12)
                     "ldrsb r3, [r1, r7]\n\t" TML_SIX(18) "adds r0, #24\n\t" "adds r1, #4\n\t" "ldr r3, [sp]\n\t" "cmp r1, r3\n\t" "bne 1b\n"
                     "2:\n\t" "ldr r3, [sp, #4]\n\t" "cmp r1, r3\n\t" "beq 4f\n"
                     "3:\n\t" "ldrsb r3, [r1, r2]\n\t" TML_SIX(0) "adds r0, #6\n\t" "adds r1, #1\n\t" "ldr r3, [sp, #4]\n\t" "cmp r1, r3\n\t" "bne 3b\n"
                     "4:\n\t" "ldr r0, [sp, #8]\n\t" "mov r1, r8\n\t" "mov r2, r9\n\t" "mov r3, r10\n\t" "mov r4, r11\n\t" "mov r5, r12\n\t" "mov r6, lr\n\t"
                     "stmia r0!, {r1, r2, r3, r4, r5, r6}\n\t" "add sp, #12\n\t"
                     : "+l"(s) : : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}
#endif

/* Four sums of packed words, two for three channels each, over x to x_end (bytes on v7-M, words on v6-M), to `sums`;
 * `x_fours` is where whole turns of four end. */
typedef struct {
    const void *x;
    const void *x_fours;
    const void *x_end;
    const uint32_t *w;
    uint32_t *sums;
} tml_four_words_v6m;

#if TML_V7M
#define TML_FOUR_WORDS "ldmia r0!, {r4, r5, r6, r7}\n\t" "ldrsb r3, [r1], #1\n\t" \
    "mla r8, r4, r3, r8\n\t" "mla r9, r5, r3, r9\n\t" "mla r10, r6, r3, r10\n\t" "mla r11, r7, r3, r11\n\t"
#else
#define TML_FOUR_WORDS "ldmia r0!, {r4, r5, r6, r7}\n\t" "ldmia r1!, {r3}\n\t" \
    "muls r4, r3, r4\n\t" "muls r5, r3, r5\n\t" "muls r6, r3, r6\n\t" "muls r7, r3, r7\n\t" \
    "add r8, r4\n\t" "add r9, r5\n\t" "add r10, r6\n\t" "add r11, r7\n\t"
#endif
TML_COMMON_COPY void tml_four_words(const tml_four_words_v6m *s) {
    __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4}\n\t" "mov lr, r4\n\t" "mov r12, r2\n\t" "mov r2, r1\n\t" "mov r1, r0\n\t"
                     "mov r0, r3\n\t" "movs r5, #0\n\t" "mov r8, r5\n\t" "mov r9, r5\n\t" "mov r10, r5\n\t" "mov r11, r5\n\t"
                     "cmp r1, r2\n\t" "beq 2f\n"
                     "1:\n\t" TML_X4(TML_FOUR_WORDS) "cmp r1, r2\n\t" "bne 1b\n"
                     "2:\n\t" "cmp r1, r12\n\t" "beq 4f\n"
                     "3:\n\t" TML_FOUR_WORDS "cmp r1, r12\n\t" "bne 3b\n"
                     "4:\n\t" "mov r0, lr\n\t" "mov r4, r8\n\t" "mov r5, r9\n\t" "mov r6, r10\n\t" "mov r7, r11\n\t" "stmia r0!, {r4, r5, r6, r7}\n\t"
                     : "+l"(s) : : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
}

/* `rows` rows of `depth` inputs. Scratch: with `bytes` none; with words on v6-M the inputs as words. Words are summed in
 * `parts` of part_depth inputs, of which the last may be shorter. */
TML_INLINE void tml_fully_connected_v6m(const int8_t *x, int8_t *y, const void *weights, const int32_t *lines, void *scratch, int rows,
                                        int depth, int channels, int bytes, int part_depth, int form, int reach_bits, int single_rounding,
                                        int zero_point, int out_min, int out_max) {
    TML_LOOP
    for (int row = 0; row < rows; ++row, x += depth, y += channels) {
        const int32_t *line = lines;
        int32_t sums[6];
        tml_six_bytes_v6m six;
        const uint32_t *w = (const uint32_t *)weights;
        const int32_t *const wide = (const int32_t *)scratch;
        six.start = 0;
        if (!TML_V7M) {
            TML_LOOP
            for (int i = 0; i < depth; ++i) {
                if (bytes) six.start -= 128 * x[i];
                else ((int32_t *)scratch)[i] = x[i];
            }
        }
        six.x = x;
        six.x_fours = x + depth / 4 * 4;
        six.x_end = x + depth;
        six.w = (const uint8_t *)weights;
        six.sums = sums;
        TML_LOOP
        for (int n = 0; n < channels; n += 6) {
            const int count = channels - n < 6 ? channels - n : 6;
            if (bytes) {
                tml_six_bytes(&six);
                six.w += 6 * depth;
            } else {
                for (int i = 0; i < 6; ++i) sums[i] = 0;
                TML_LOOP
                for (int first = 0; first < depth; first += part_depth) {
                    const int left = depth - first < part_depth ? depth - first : part_depth;
                    const int size = TML_V7M ? 1 : 4;
                    const int8_t *const from = TML_V7M ? x + first : (const int8_t *)(wide + first);
                    uint32_t packed[4];
                    int32_t part[6];
                    tml_four_words_v6m four;
                    four.x = from;
                    four.x_fours = from + left / 4 * 4 * size;
                    four.x_end = from + left * size;
                    four.w = w;
                    four.sums = packed;
                    tml_four_words(&four);
                    tml_unpack3_v6m(packed[0], packed[1], part, part + 1, part + 2);
                    tml_unpack3_v6m(packed[2], packed[3], part + 3, part + 4, part + 5);
                    for (int i = 0; i < 6; ++i) sums[i] += part[i];
                    w += 4 * left;
                }
            }
            TML_LOOP
            for (int i = 0; i < count; ++i, line += TML_LINE_WORDS(form, reach_bits))
                y[n + i] = (int8_t)tml_output_v6m(sums[i], line, form, reach_bits, single_rounding, zero_point, out_min, out_max);
        }
    }
}

#endif
