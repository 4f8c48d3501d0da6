/* The matrix product of the convolutions on cores without SIMD: three pixels by all output channels.
 *
 * Three channels in two words. A 32-bit multiplication is exact modulo 2^32 and a sum of products over K needs about
 * 21 bits. With the weights a, b, c of three channels stored as
 *     P1 = a + (c << 21)          P2 = b + (c << 10)          (modulo 2^32)
 * two sums over all of K give S1 = A + 2^21 C and S2 = B + 2^10 C modulo 2^32, from which A, B and C come back exactly
 * while |A|, |B| < 2^20 and |C| < 2^21. So two multiplications serve three products, without carries to repair. The
 * compiler proves the bound for each channel from its weights and cuts K in parts where it does not hold
 * (tinyml/lower/v6m/gemm.py).
 *
 * x: words [K][3], one a pixel. w: for three channels [K][2] words, then the next three; last, where channels are left,
 * [K][2] for two or [K][1] for one. The six sums lie in high registers, which ADD reaches on ARMv6-M. */
#ifndef TML_GEMM_V6M_H
#define TML_GEMM_V6M_H

#include "tml_common_v6m.h"

/* What a block reads; the assembly has it on its stack. `skip` bytes of the first turn's code are jumped over, so that K
 * need not be a multiple of a turn's steps. */
typedef struct {
    const int32_t *x_end;
    const uint32_t *w;
    const int32_t *lines;
    int8_t *y;
    const int32_t *x;
    uint32_t skip;
    int32_t stride;
    const uint32_t *w_end;
} tml_block_v6m;

/* Steps of K in a turn of the loop, and one step's code for n channels in bytes. */
#if TML_V7M
#define TML_TURN 16
#define TML_STEP_BYTES(n) ((n) > 1 ? 28 : 16)
#define TML_K_STEP \
    ".if %c[n] > 1\n\t" "ldmia r1!, {r3, r4}\n\t" ".else\n\t" "ldmia r1!, {r3}\n\t" ".endif\n\t" "ldmia r0!, {r5, r6, r7}\n\t" \
    "mla r8, r5, r3, r8\n\t" "mla r9, r6, r3, r9\n\t" "mla r10, r7, r3, r10\n\t" \
    ".if %c[n] > 1\n\t" "mla r11, r5, r4, r11\n\t" "mla r12, r6, r4, r12\n\t" "mla lr, r7, r4, lr\n\t" ".endif\n\t"
#define TML_K_LOOP \
    "mov r8, #0\n\t" "mov r9, #0\n\t" "mov r10, #0\n\t" "mov r11, #0\n\t" "mov r12, #0\n\t" "mov lr, #0\n\t" \
    "adr r3, 1f\n\t" "ldr r4, [sp, #20]\n\t" "add r3, r3, r4\n\t" "mov pc, r3\n\t" ".balign 4\n" \
    "1:\n\t" TML_X8(TML_K_STEP) TML_X8(TML_K_STEP) "cmp r0, r2\n\t" "bne 1b\n\t"
#else
#define TML_TURN 8
#define TML_STEP_BYTES(n) ((n) > 1 ? 30 : 16)
#define TML_K_STEP \
    ".if %c[n] > 1\n\t" "ldmia r2!, {r3, r4}\n\t" ".else\n\t" "ldmia r2!, {r3}\n\t" ".endif\n\t" \
    "ldmia r0!, {r5, r6, r7}\n\t" "muls r5, r3, r5\n\t" "muls r6, r3, r6\n\t" "muls r7, r3, r7\n\t" \
    "add r8, r5\n\t" "add r9, r6\n\t" "add r10, r7\n\t" \
    ".if %c[n] > 1\n\t" "ldmia r1!, {r5, r6, r7}\n\t" "muls r5, r4, r5\n\t" "muls r6, r4, r6\n\t" "muls r7, r4, r7\n\t" \
    "add r11, r5\n\t" "add r12, r6\n\t" "add lr, r7\n\t" ".endif\n\t"
#define TML_K_LOOP \
    "movs r1, r0\n\t" "movs r3, #0\n\t" "mov r8, r3\n\t" "mov r9, r3\n\t" "mov r10, r3\n\t" "mov r11, r3\n\t" "mov r12, r3\n\t" \
    "mov lr, r3\n\t" "adr r3, 1f\n\t" "ldr r4, [sp, #20]\n\t" "adds r3, r3, r4\n\t" "mov pc, r3\n\t" ".balign 4\n" \
    "1:\n\t" TML_X8(TML_K_STEP) "ldr r3, [sp]\n\t" "cmp r0, r3\n\t" "bne 1b\n\t"
#endif

/* One output: the sum is in `acc`, the channel's words follow at r6 (v6-M) or r3 (v7-M), `at` is the channel. */
#if TML_V7M
#define TML_EMIT(acc, at) \
    "ldmia r3!, {r5, r6, r7}\n\t" "smlal r6, r7, " acc ", r5\n\t" \
    ".if %c[form] == 1\n\t" "ldmia r3!, {r4, r5}\n\t" "lsls r6, r6, #1\n\t" "adc r7, r7, r7\n\t" "add r7, r7, r7, asr #31\n\t" \
    "add r7, r7, r4\n\t" "asr r7, r7, r5\n\t" "ssat r7, #8, r7\n\t" ".else\n\t" "ssat r7, #8, r7, asr #4\n\t" ".endif\n\t" \
    "strb r7, [r0, #" #at "]\n\t"
#define TML_EMIT3(s1, s2) \
    "sbfx r4, " s1 ", #0, #21\n\t" \
    ".if %c[n] > 1\n\t" "sub " s1 ", " s1 ", r4\n\t" "sub " s2 ", " s2 ", " s1 ", asr #11\n\t" ".endif\n\t" TML_EMIT("r4", 0) \
    ".if %c[n] > 1\n\t" "sbfx r4, " s2 ", #0, #21\n\t" \
    ".if %c[n] > 2\n\t" "sub " s2 ", " s2 ", r4\n\t" ".endif\n\t" TML_EMIT("r4", 1) ".endif\n\t" \
    ".if %c[n] > 2\n\t" "asr " s2 ", " s2 ", #10\n\t" "add r4, " s2 ", " s1 ", asr #21\n\t" TML_EMIT("r4", 2) ".endif\n\t"
#else
#define TML_EMIT(acc, at) \
    "ldmia r6!, {r0, r1, r2, r5}\n\t" "muls r0, " acc ", r0\n\t" "asrs r0, r0, #13\n\t" "muls r1, " acc ", r1\n\t" \
    "adds r1, r1, r0\n\t" "adds r1, r1, r2\n\t" \
    ".if %c[form] == 1\n\t" "ldmia r6!, {r0, r2}\n\t" "bpl 5f\n\t" "subs r1, r1, r0\n" "5:\n\t" "adds r1, r1, r2\n\t" ".endif\n\t" \
    "asrs r1, r1, r5\n\t" "cmp r1, #255\n\t" "bls 4f\n\t" "asrs r1, r1, #31\n\t" "mvns r1, r1\n" "4:\n\t" "subs r1, #128\n\t" \
    "strb r1, [r7, #" #at "]\n\t"
#define TML_EMIT3(s1, s2) \
    "mov r4, " s1 "\n\t" "lsls r3, r4, #11\n\t" "asrs r3, r3, #11\n\t" \
    ".if %c[n] > 1\n\t" "subs r4, r4, r3\n\t" ".endif\n\t" TML_EMIT("r3", 0) \
    ".if %c[n] > 1\n\t" "mov r5, " s2 "\n\t" "asrs r0, r4, #11\n\t" "subs r5, r5, r0\n\t" "lsls r3, r5, #11\n\t" "asrs r3, r3, #11\n\t" \
    ".if %c[n] > 2\n\t" "subs r5, r5, r3\n\t" "asrs r4, r4, #21\n\t" "asrs r5, r5, #10\n\t" "adds r4, r4, r5\n\t" ".endif\n\t" \
    TML_EMIT("r3", 1) ".endif\n\t" \
    ".if %c[n] > 2\n\t" TML_EMIT("r4", 2) ".endif\n\t"
#endif

/* All groups of n channels of a block: sums, unpacking, requantisation and stores. */
#if TML_V7M
#define TML_DEFINE_GROUPS(name, N, FORM) \
    TML_COMMON_COPY void name(const tml_block_v6m *b) { \
        __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t" "push {r0, r1, r2, r3, r4, r5, r6, r7}\n\t" \
                         "mov r2, r0\n" \
                         "2:\n\t" "ldr r0, [sp, #16]\n\t" TML_K_LOOP \
                         "ldrd r3, r0, [sp, #8]\n\t" \
                         TML_EMIT3("r8", "r11") "ldr r4, [sp, #24]\n\t" "add r0, r0, r4\n\t" "subs r3, %[back]\n\t" \
                         TML_EMIT3("r9", "r12") "ldr r4, [sp, #24]\n\t" "add r0, r0, r4\n\t" "subs r3, %[back]\n\t" \
                         TML_EMIT3("r10", "lr") \
                         "ldr r0, [sp, #12]\n\t" "adds r0, %[n]\n\t" "strd r3, r0, [sp, #8]\n\t" \
                         "ldr r3, [sp, #28]\n\t" "cmp r1, r3\n\t" "bne 2b\n\t" "add sp, #32\n\t" \
                         : "+l"(b) : [n] "n"(N), [form] "n"(FORM), [back] "n"(4 * (N) * TML_LINE_WORDS(FORM, 0)) \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"); \
    }
#else
#define TML_DEFINE_GROUPS(name, N, FORM) \
    TML_COMMON_COPY void name(const tml_block_v6m *b) { \
        __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t" "push {r0, r1, r2, r3, r4, r5, r6, r7}\n" \
                         "2:\n\t" "ldr r2, [sp, #4]\n\t" "ldr r0, [sp, #16]\n\t" TML_K_LOOP \
                         "str r2, [sp, #4]\n\t" "ldr r6, [sp, #8]\n\t" "ldr r7, [sp, #12]\n\t" \
                         TML_EMIT3("r8", "r11") "ldr r0, [sp, #24]\n\t" "adds r7, r7, r0\n\t" "subs r6, %[back]\n\t" \
                         TML_EMIT3("r9", "r12") "ldr r0, [sp, #24]\n\t" "adds r7, r7, r0\n\t" "subs r6, %[back]\n\t" \
                         TML_EMIT3("r10", "lr") \
                         "str r6, [sp, #8]\n\t" "ldr r7, [sp, #12]\n\t" "adds r7, %[n]\n\t" "str r7, [sp, #12]\n\t" \
                         "ldr r2, [sp, #4]\n\t" "ldr r3, [sp, #28]\n\t" "cmp r2, r3\n\t" "beq 3f\n\t" "b 2b\n" \
                         "3:\n\t" "add sp, #32\n\t" \
                         : "+l"(b) : [n] "n"(N), [form] "n"(FORM), [back] "n"(4 * (N) * TML_LINE_WORDS(FORM, 0)) \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"); \
    }
#endif
TML_DEFINE_GROUPS(tml_groups3_line_v6m, 3, TML_LINE)
TML_DEFINE_GROUPS(tml_groups2_line_v6m, 2, TML_LINE)
TML_DEFINE_GROUPS(tml_groups1_line_v6m, 1, TML_LINE)
TML_DEFINE_GROUPS(tml_groups3_two_v6m, 3, TML_TWO_ROUNDINGS)
TML_DEFINE_GROUPS(tml_groups2_two_v6m, 2, TML_TWO_ROUNDINGS)
TML_DEFINE_GROUPS(tml_groups1_two_v6m, 1, TML_TWO_ROUNDINGS)

/* One group's sums over a part of K, unpacked and added to nine totals at `y`: channels A, B, C of each pixel. */
#if TML_V7M
#define TML_ADD3(s1, s2) \
    "sbfx r4, " s1 ", #0, #21\n\t" "sub " s1 ", " s1 ", r4\n\t" "sub " s2 ", " s2 ", " s1 ", asr #11\n\t" \
    "sbfx r5, " s2 ", #0, #21\n\t" "sub " s2 ", " s2 ", r5\n\t" "asr " s2 ", " s2 ", #10\n\t" "add r6, " s2 ", " s1 ", asr #21\n\t" \
    "ldmia r0, {r1, r2, r3}\n\t" "add r1, r1, r4\n\t" "add r2, r2, r5\n\t" "add r3, r3, r6\n\t" "stmia r0!, {r1, r2, r3}\n\t"
#define TML_SUMS_START "mov r2, r0\n\t" "mov r0, r4\n\t"
#define TML_SUMS_TOTALS "ldr r0, [sp, #12]\n\t"
#else
#define TML_ADD3(s1, s2) \
    "mov r4, " s1 "\n\t" "lsls r3, r4, #11\n\t" "asrs r3, r3, #11\n\t" "subs r4, r4, r3\n\t" "mov r5, " s2 "\n\t" \
    "asrs r0, r4, #11\n\t" "subs r5, r5, r0\n\t" "lsls r6, r5, #11\n\t" "asrs r6, r6, #11\n\t" "subs r5, r5, r6\n\t" \
    "asrs r4, r4, #21\n\t" "asrs r5, r5, #10\n\t" "adds r4, r4, r5\n\t" "ldmia r7!, {r0, r1, r2}\n\t" "adds r0, r0, r3\n\t" \
    "adds r1, r1, r6\n\t" "adds r2, r2, r4\n\t" "subs r7, #12\n\t" "stmia r7!, {r0, r1, r2}\n\t"
#define TML_SUMS_START "ldr r2, [sp, #4]\n\t" "ldr r0, [sp, #16]\n\t"
#define TML_SUMS_TOTALS "ldr r7, [sp, #12]\n\t"
#endif
#define TML_DEFINE_SUMS(name, N) \
    TML_COMMON_COPY void name(const tml_block_v6m *b) { \
        __asm__ volatile(".syntax unified\n\t" "ldmia %0, {r0, r1, r2, r3, r4, r5, r6, r7}\n\t" "push {r0, r1, r2, r3, r4, r5, r6, r7}\n\t" \
                         TML_SUMS_START TML_K_LOOP TML_SUMS_TOTALS \
                         TML_ADD3("r8", "r11") TML_ADD3("r9", "r12") TML_ADD3("r10", "lr") "add sp, #32\n\t" \
                         : "+l"(b) : [n] "n"(N) \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"); \
    }
TML_DEFINE_SUMS(tml_sums2_v6m, 2)
TML_DEFINE_SUMS(tml_sums1_v6m, 1)

/* A, B and C from S1 and S2. */
TML_INLINE void tml_unpack3_v6m(uint32_t s1, uint32_t s2, int32_t *a, int32_t *b, int32_t *c) {
    *a = (int32_t)(s1 << 11) >> 11;
    const int32_t d1 = (int32_t)(s1 - (uint32_t)*a);
    s2 -= (uint32_t)(d1 >> 11);
    *b = (int32_t)(s2 << 11) >> 11;
    *c = (d1 >> 21) + ((int32_t)(s2 - (uint32_t)*b) >> 10);
}

/* Three pixels against n channels, K in `parts` of equal depth; the parts of a group lie one after another in w. */
TML_INLINE void tml_group_parts_v6m(const int32_t *x, const uint32_t *w, const int32_t *lines, int8_t *y, int n, int depth, int parts,
                                    int stride, int form, int reach_bits, int single_rounding, int zero_point, int out_min,
                                    int out_max) {
    int32_t totals[9] = {0, 0, 0, 0, 0, 0, 0, 0, 0};
    const int part = depth / parts, words = n > 1 ? 2 : 1;
    tml_block_v6m b;
    b.w_end = w;
    b.lines = lines;
    b.stride = 0;
    b.y = (int8_t *)totals;
    b.skip = (uint32_t)((TML_TURN - part % TML_TURN) % TML_TURN * TML_STEP_BYTES(words));
    TML_LOOP
    for (int i = 0; i < parts; ++i) {
        b.x = x;
        b.x_end = x + 3 * part;
        b.w = w;
        if (words == 2) tml_sums2_v6m(&b);
        else tml_sums1_v6m(&b);
        x += 3 * part;
        w += words * part;
    }
    TML_LOOP
    for (int c = 0; c < n; ++c, lines += TML_LINE_WORDS(form, reach_bits)) {
        TML_LOOP
        for (int p = 0; p < 3; ++p)
            y[p * stride + c] =
                (int8_t)tml_output_v6m(totals[3 * p + c], lines, form, reach_bits, single_rounding, zero_point, out_min, out_max);
    }
}

/* Three pixels against all channels; the pixels' outputs lie `stride` bytes apart. */
TML_INLINE void tml_gemm3_v6m(const int32_t *x, const uint32_t *w, const int32_t *lines, int8_t *y, int channels, int depth, int parts,
                              int stride, int form, int reach_bits, int single_rounding, int zero_point, int out_min, int out_max) {
    const int threes = channels / 3, left = channels % 3;
    if (parts > 1 || form == TML_ANY || reach_bits > 0) {
        const int step = 3 * TML_LINE_WORDS(form, reach_bits);
        TML_LOOP
        for (int i = 0; i < threes; ++i, w += 2 * depth, lines += step, y += 3)
            tml_group_parts_v6m(x, w, lines, y, 3, depth, parts, stride, form, reach_bits, single_rounding, zero_point, out_min,
                                out_max);
        if (left > 0)
            tml_group_parts_v6m(x, w, lines, y, left, depth, parts, stride, form, reach_bits, single_rounding, zero_point, out_min,
                                out_max);
        return;
    }
    tml_block_v6m b;
    b.x = x;
    b.x_end = x + 3 * depth;
    b.stride = stride;
    if (threes > 0) {
        b.w = w;
        b.w_end = w + 2 * depth * threes;
        b.lines = lines;
        b.y = y;
        b.skip = (uint32_t)((TML_TURN - depth % TML_TURN) % TML_TURN * TML_STEP_BYTES(2));
        if (form == TML_LINE) tml_groups3_line_v6m(&b);
        else tml_groups3_two_v6m(&b);
    }
    if (left > 0) {
        b.w = w + 2 * depth * threes;
        b.w_end = b.w + left * depth;
        b.lines = lines + 3 * threes * TML_LINE_WORDS(form, 0);
        b.y = y + 3 * threes;
        b.skip = (uint32_t)((TML_TURN - depth % TML_TURN) % TML_TURN * TML_STEP_BYTES(left));
        if (left == 2) {
            if (form == TML_LINE) tml_groups2_line_v6m(&b);
            else tml_groups2_two_v6m(&b);
        } else {
            if (form == TML_LINE) tml_groups1_line_v6m(&b);
            else tml_groups1_two_v6m(&b);
        }
    }
    for (int p = 0; p < 3; ++p) tml_clamp_v6m(y + p * stride, channels, out_min, out_max);
}

/* Bytes [depth][n] of each group of n channels to the words of tml_gemm3_v6m, `threes` groups of three and one of `left`. */
TML_INLINE void tml_expand_v6m(uint32_t *to, const int8_t *from, int depth, int channels) {
    const int threes = channels / 3, left = channels % 3;
    const int8_t *const end = from + 3 * threes * depth;
    TML_LOOP
    while (from != end) {
        const uint32_t c = (uint32_t)(int32_t)from[2] << 10;
        to[0] = (uint32_t)(int32_t)from[0] + (c << 11);
        to[1] = (uint32_t)(int32_t)from[1] + c;
        from += 3;
        to += 2;
    }
    TML_LOOP
    for (int i = 0; i < left * depth; ++i) to[i] = (uint32_t)(int32_t)from[i];
}

#endif
