/* Gathers a channel's window for tml_depthwise_plane_row_dsp.h: rows in pairs, words of a column's upper and lower byte
 * as int16, and a last row of halves. */
#ifndef TML_DEPTHWISE_WINDOW_DSP_H
#define TML_DEPTHWISE_WINDOW_DSP_H

#include "tml_common_dsp.h"

/* Four columns of two rows at a and b, or of one at a, with the offsets or steps that LDRSB has. */
#define TML_DWP_ONE_NEAR(R, P) "ldrsb " R ", [%[" P "]], %[c1]\n\t"
#define TML_DWP_ONE_FAR(R, P) "ldrsb " R ", [%[" P "]]\n\tadd %[" P "], %[" P "], %[c1]\n\t"
#define TML_DWP_LOAD_NEAR(R0, R1, R2, R3, P) \
    TML_DWP_ONE_NEAR(R0, P) TML_DWP_ONE_NEAR(R1, P) TML_DWP_ONE_NEAR(R2, P) TML_DWP_ONE_NEAR(R3, P)
#define TML_DWP_LOAD_FAR(R0, R1, R2, R3, P) \
    "ldrsb " R0 ", [%[" P "]]\n\t" \
    "ldrsb " R1 ", [%[" P "], %[c1]]\n\t" \
    "ldrsb " R2 ", [%[" P "], %[c2]]\n\t" \
    "ldrsb " R3 ", [%[" P "], %[c3]]\n\t" \
    "add %[" P "], %[" P "], %[c4]\n\t"
#define TML_DWP_PAIRS(AT) \
    TML_DWP_LOAD_##AT("r4", "r5", "r6", "r8", "a") \
    TML_DWP_LOAD_##AT("r9", "r10", "r11", "r12", "b") \
    "pkhbt r4, r4, r9, lsl #16\n\t" \
    "pkhbt r5, r5, r10, lsl #16\n\t" \
    "pkhbt r6, r6, r11, lsl #16\n\t" \
    "pkhbt r8, r8, r12, lsl #16\n\t" \
    "stm %[to]!, {r4, r5, r6, r8}\n\t"
#define TML_DWP_PAIR(AT) \
    TML_DWP_ONE_##AT("r4", "a") TML_DWP_ONE_##AT("r5", "b") "pkhbt r4, r4, r5, lsl #16\n\tstr r4, [%[to]], #4\n\t"
#define TML_DWP_HALVES(AT) \
    TML_DWP_LOAD_##AT("r4", "r5", "r6", "r8", "b") \
    "pkhbt r4, r4, r5, lsl #16\n\t" \
    "pkhbt r6, r6, r8, lsl #16\n\t" \
    "stm %[to]!, {r4, r6}\n\t"
#define TML_DWP_HALF(AT) TML_DWP_ONE_##AT("r4", "b") "strh r4, [%[to]], #2\n\t"
/* TEXT `count` times, at most six; at most three times. */
#define TML_DWP_TIMES_6(COUNT, TEXT) \
    TML_DWP_TIMES_3(COUNT, TEXT) \
    ".if %c[" COUNT "] > 3\n\t" TEXT ".endif\n\t" \
    ".if %c[" COUNT "] > 4\n\t" TEXT ".endif\n\t" \
    ".if %c[" COUNT "] > 5\n\t" TEXT ".endif\n\t"
#define TML_DWP_TIMES_3(COUNT, TEXT) \
    ".if %c[" COUNT "] > 0\n\t" TEXT ".endif\n\t" \
    ".if %c[" COUNT "] > 1\n\t" TEXT ".endif\n\t" \
    ".if %c[" COUNT "] > 2\n\t" TEXT ".endif\n\t"
/* `turns` times `count` fours of columns. */
#define TML_DWP_TURNS(TURNS, COUNT, BYTES, TEXT) \
    ".if %c[" TURNS "] > 1\n\t" \
    "add lr, %[to], %[" BYTES "]\n" \
    "3:\n\t" \
    ".endif\n\t" \
    TML_DWP_TIMES_6(COUNT, TEXT) \
    ".if %c[" TURNS "] > 1\n\t" \
    "cmp %[to], lr\n\t" \
    "bne 3b\n\t" \
    ".endif\n\t"
#define TML_DWP_WINDOW(AT) \
    __asm__ volatile("2:\n\t" \
                     TML_DWP_TURNS("turns", "gather", "fours", TML_DWP_PAIRS(AT)) \
                     TML_DWP_TIMES_3("rest", TML_DWP_PAIR(AT)) \
                     "mov %[a], %[b]\n\t" \
                     ".if %c[row] < 4096\n\t" \
                     "add %[b], %[b], %[row]\n\t" \
                     ".else\n\t" \
                     "movw r4, #%c[row] & 0xffff\n\t" \
                     "movt r4, #%c[row] >> 16\n\t" \
                     "add %[b], %[b], r4\n\t" \
                     ".endif\n\t" \
                     "add %[to], %[to], %[next]\n\t" \
                     "cmp %[to], %[end]\n\t" \
                     "bne 2b\n\t" \
                     "mov %[b], %[a]\n\t" \
                     "sub %[to], %[to], %[left]\n\t" \
                     ".if %c[odd]\n\t" TML_DWP_HALF(AT) ".endif\n\t" \
                     TML_DWP_TURNS("last_turns", "last_gather", "last_fours", TML_DWP_HALVES(AT)) \
                     TML_DWP_TIMES_3("last_rest", TML_DWP_HALF(AT)) \
                     : [to] "+r"(to), [a] "+r"(a), [b] "+r"(b) \
                     : [end] "r"(to + pairs * pitch), [c1] "i"(channels), [c2] "i"(2 * channels), \
                       [c3] "i"(3 * channels), [c4] "i"(4 * channels), [row] "i"(width * channels), \
                       [turns] "i"(gather > 0 ? fours / gather : 0), [gather] "i"(gather), [fours] "i"(16 * fours), \
                       [rest] "i"(width % 4), [next] "i"(4 * (pitch - width)), [left] "i"(2 * pad_left), \
                       [odd] "i"(odd), [last_turns] "i"(last_gather > 0 ? last_fours / last_gather : 0), \
                       [last_gather] "i"(last_gather), [last_fours] "i"(8 * last_fours), \
                       [last_rest] "i"((width - odd) % 4) \
                     : "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory")

/* A channel's whole window. Its last row's halves begin at an even address. */
TML_INLINE void tml_dwp_window_dsp(int32_t *to, const int8_t *a, int width, int channels, int pairs, int pad_left,
                                   int pitch, int gather, int last_gather) {
    const int fours = width / 4, odd = pad_left % 2, last_fours = (width - odd) / 4;
    const int8_t *b = a + width * channels;
    if (channels <= 255)
        TML_DWP_WINDOW(NEAR);
    else
        TML_DWP_WINDOW(FAR);
}

/* The rows of a window that are there, from kernel row -at on, one by one; others stay as they are. */
TML_INLINE void tml_dwp_rows_dsp(int32_t *plane, const int8_t *x, int at, int height, int width, int channels,
                                 int kernel, int pad_left, int pitch) {
    TML_NO_UNROLL
    for (int i = 0; i < kernel; ++i, ++at) {
        const int last = i == kernel - 1, step = last ? 1 : 2;
        int16_t *to = (int16_t *)(void *)(plane + i / 2 * pitch) + (last ? pad_left : 2 * pad_left + i % 2);
        const int8_t *from = x + at * width * channels;
        if ((unsigned)at < (unsigned)height) {
            TML_UNROLL(4)
            for (int j = 0; j < width; ++j, from += channels, to += step) *to = *from;
        }
    }
}

#endif
