/* DEPTHWISE_CONV_2D on cores with MVE: all products of an output in one VMLADAV, up to 16, or in up to four.
 *
 * Channels one after the other. Sixteen inputs of a channel are gathered into a vector, eight to its even bytes and eight
 * to its odd ones; a vector of weights for each output that can be computed from them sums its products. Eight outputs
 * make a block: twice 2 by 2 outputs from 4 by 4 inputs (`four`), or four times two neighbours. Where blocks begin, where
 * lanes come from and where they go to are tables, so that one loop covers any map; blocks at an end overlap.
 *
 * Stream of each output channel: { int32 bias, multiplier, shift, zero_point; int8 tap[kernel_h * kernel_w], 0 }, filled
 * up to words. A vector of weights is gathered from the taps and the zero behind them by a table of indices.
 * The input is copied to scratch with its padding, `rows` rows of `pitch` pixels for `tile` rows of the output; each
 * band keeps the rows that it shares with the one before, so that the output may lie over the input where every band's
 * outputs lie before the rows that are still to be read (tinyml/lower/mve/depthwise_conv_2d.py). */
#ifndef TML_DEPTHWISE_CONV2D_MVE_H
#define TML_DEPTHWISE_CONV2D_MVE_H

#include "tml_common_mve.h"

/* The operands in registers by name: GCC 12 does not always find those that the sums leave. */
#define TML_MVE_DW_PIN                                                                                      \
    register const int8_t *x_ __asm__("r1") = x;                                                            \
    register int8_t *y_ __asm__("r3") = y;                                                                  \
    register const int8_t *p_ __asm__("r5") = w;                                                            \
    register const int32_t *block_ __asm__("r9") = blocks;                                                  \
    register int n_ __asm__("r11") = count;

/* The block's first input to r12; its first output is read late, when there are core registers again. */
#define TML_MVE_DW_BEGIN " 2:\n ldr r12, [%[block]], #8\n add r12, r12, %[x]\n"

#define TML_MVE_DW_FINISH(t)                                                                                \
    TML_MVE_SUMS " ldr r8, [%[block], #-4]\n add r8, r8, %[y]\n"                                            \
    " ldm %[p], {r0, r2, r4, r6}\n vadd.i32 q0, q0, r0\n vadd.i32 q1, q1, r0\n"                \
    " vqrdmulh.s32 q0, q0, r2\n vqrdmulh.s32 q1, q1, r2\n"                                                  \
    TML_MVE_IF("%c[repair]", TML_MVE_REPAIR("q0", t) TML_MVE_REPAIR("q1", t))                               \
    " vrshl.s32 q0, r4\n vrshl.s32 q1, r4\n" TML_MVE_NARROW_BY("", "r6")                                    \
    " subs %[n], #1\n vstrb.16 q0, [r8, %q[places]]\n"

/* A vector of a channel's weights, by the indices of its taps. */
TML_INLINE int8x16_t tml_depthwise_weights_mve(const int8_t *w, const uint8_t *taps) {
    return vldrbq_gather_offset_s8(w + 16, vldrbq_u8(taps));
}

/* 2 by 2 outputs from 4 by 4 inputs, two of its columns from the start and two from d1 bytes behind; the second tile is
 * e1 bytes behind, and begins with the first one's second half where that is d1. All vector registers are taken. */
TML_INLINE void tml_depthwise_fours_mve(const int8_t *x, int8_t *y, const int8_t *w, const uint8_t *taps,
                                        const uint16_t *lanes, const int32_t *blocks, int count, int d1, int e1, int zp, int lo, int hi) {
    const int8x16_t w0 = tml_depthwise_weights_mve(w, taps);
    const int8x16_t w1 = tml_depthwise_weights_mve(w, taps + 16);
    const int8x16_t w2 = tml_depthwise_weights_mve(w, taps + 32);
    const int8x16_t w3 = tml_depthwise_weights_mve(w, taps + 48);
    const uint16x8_t to = vldrhq_u16(lanes + 16);
    uint16x8_t at = vldrhq_u16(lanes);
    TML_MVE_DW_PIN
    register const uint16_t *lanes_ __asm__("r7") = lanes;
    __asm__ volatile(
        TML_MVE_DW_BEGIN
        " add lr, r12, #%c[d1]\n vldrb.u16 q0, [r12, %q[at]]\n vldrb.u16 q1, [lr, %q[at]]\n vmovnt.i16 q0, q1\n"
        " vmladav.s8 r0, %q[w0], q0\n vmladav.s8 r2, %q[w1], q0\n"
        " vmladav.s8 r4, %q[w2], q0\n vmladav.s8 r6, %q[w3], q0\n"
        TML_MVE_IF("%c[e1] != %c[d1]", " add lr, r12, #%c[e1]\n vldrb.u16 q1, [lr, %q[at]]\n")
        " add lr, r12, #%c[e1] + %c[d1]\n vldrb.u16 q0, [lr, %q[at]]\n vmovnt.i16 q1, q0\n"
        " vmladav.s8 r8, %q[w0], q1\n vmladav.s8 r10, %q[w1], q1\n"
        " vmladav.s8 r12, %q[w2], q1\n vmladav.s8 lr, %q[w3], q1\n"
        TML_MVE_DW_FINISH("%q[at]") TML_MVE_IF("%c[repair]", " vldrh.u16 %q[at], [%[lanes]]\n") " bne 2b\n"
        : [at] "+w"(at), [block] "+r"(block_), [n] "+r"(n_)
        : [x] "r"(x_), [y] "r"(y_), [p] "r"(p_), [lanes] "r"(lanes_), [w0] "w"(w0), [w1] "w"(w1), [w2] "w"(w2),
          [w3] "w"(w3), [places] "w"(to), [d1] "i"(d1), [e1] "i"(e1), [repair] "i"(lo < zp), [zp] "i"(zp), [lo] "i"(lo), [hi] "i"(hi)
        : TML_MVE_SUM_REGISTERS, "q0", "q1", "cc", "memory");
}

#define TML_MVE_DW_PAIR(base, first, second)                                                                \
    " vldrb.u16 q0, [" base ", %q[at0]]\n vldrb.u16 q1, [" base ", %q[at1]]\n vmovnt.i16 q0, q1\n"          \
    " vmladav.s8 " first ", %q[w0], q0\n vmladav.s8 " second ", %q[w1], q0\n"

/* Two neighbouring outputs from up to 16 inputs, four times: at the start and e1, e2, e3 bytes behind. */
TML_INLINE void tml_depthwise_pairs_mve(const int8_t *x, int8_t *y, const int8_t *w, const uint8_t *taps,
                                        const uint16_t *lanes, const int32_t *blocks, int count, int e1, int e2, int e3, int zp, int lo,
                                        int hi) {
    const int8x16_t w0 = tml_depthwise_weights_mve(w, taps);
    const int8x16_t w1 = tml_depthwise_weights_mve(w, taps + 16);
    const uint16x8_t at0 = vldrhq_u16(lanes);
    const uint16x8_t at1 = vldrhq_u16(lanes + 8);
    const uint16x8_t to = vldrhq_u16(lanes + 16);
    TML_MVE_DW_PIN
    __asm__ volatile(
        TML_MVE_DW_BEGIN TML_MVE_DW_PAIR("r12", "r0", "r2")
        " add lr, r12, #%c[e1]\n" TML_MVE_DW_PAIR("lr", "r4", "r6")
        " add lr, r12, #%c[e2]\n" TML_MVE_DW_PAIR("lr", "r8", "r10")
        " add lr, r12, #%c[e3]\n" TML_MVE_DW_PAIR("lr", "r12", "lr")
        TML_MVE_DW_FINISH("q3") " bne 2b\n"
        : [block] "+r"(block_), [n] "+r"(n_)
        : [x] "r"(x_), [y] "r"(y_), [p] "r"(p_), [w0] "w"(w0), [w1] "w"(w1), [at0] "w"(at0), [at1] "w"(at1),
          [places] "w"(to), [e1] "i"(e1), [e2] "i"(e2), [e3] "i"(e3), [repair] "i"(lo < zp), [zp] "i"(zp), [lo] "i"(lo),
          [hi] "i"(hi)
        : TML_MVE_SUM_REGISTERS, "q0", "q1", "q3", "cc", "memory");
}

/* Vector v of the inputs of two neighbouring outputs. */
#define TML_MVE_DW_VECTOR(a, v, base, first, second)                                                        \
    " vldrh.u16 q1, [%[lanes], #32 * " v "]\n vldrb.u16 q0, [" base ", q1]\n"                              \
    " vldrh.u16 q2, [%[lanes], #32 * " v " + 16]\n vldrb.u16 q1, [" base ", q2]\n vmovnt.i16 q0, q1\n"     \
    " vldrb.u8 q1, [%[p], #32 * " v "]\n vmladav" a ".s8 " first ", q1, q0\n"                              \
    " vldrb.u8 q2, [%[p], #32 * " v " + 16]\n vmladav" a ".s8 " second ", q2, q0\n"

#define TML_MVE_DW_LARGE(base, first, second)                                                               \
    TML_MVE_DW_VECTOR("", "0", base, first, second) TML_MVE_DW_VECTOR("a", "1", base, first, second)        \
    TML_MVE_IF("%c[vectors] > 2", TML_MVE_DW_VECTOR("a", "2", base, first, second))                         \
    TML_MVE_IF("%c[vectors] > 3", TML_MVE_DW_VECTOR("a", "3", base, first, second))

/* Two neighbouring outputs from up to 64 inputs, four times. The channel's words and vectors of weights go to `room`
 * first. The table of blocks ends with a negative number. */
TML_INLINE void tml_depthwise_large_mve(const int8_t *x, int8_t *y, const int8_t *w, const uint8_t *taps,
                                        const uint16_t *lanes, const int32_t *blocks, int8_t *room, int vectors, int e1,
                                        int e2, int e3, int zp, int lo, int hi) {
    vstrbq_s8(room, vldrbq_s8(w));
    TML_MVE_UNROLL(8)
    for (int i = 0; i < 2 * vectors; i++) {
        vstrbq_s8(room + 16 + 16 * i, tml_depthwise_weights_mve(w, taps + 16 * i));
    }
    register const int8_t *x_ __asm__("r1") = x;
    register int8_t *y_ __asm__("r3") = y;
    register const int8_t *p_ __asm__("r5") = room + 16;
    register const int32_t *block_ __asm__("r9") = blocks;
    register const uint16_t *lanes_ __asm__("r7") = lanes;
    register int32_t base_ __asm__("r11");
    __asm__ volatile(
        " ldr %[base], [%[block]], #8\n 2:\n add %[base], %[base], %[x]\n" TML_MVE_DW_LARGE("%[base]", "r0", "r2")
        " add r8, %[base], #%c[e1]\n" TML_MVE_DW_LARGE("r8", "r4", "r6")
        " add r12, %[base], #%c[e2]\n" TML_MVE_DW_LARGE("r12", "r8", "r10")
        " add %[base], %[base], #%c[e3]\n" TML_MVE_DW_LARGE("%[base]", "r12", "lr")
        TML_MVE_SUMS " ldr r8, [%[block], #-4]\n add r8, r8, %[y]\n ldmdb %[p], {r0, r2, r4, r6}\n"
        " vadd.i32 q0, q0, r0\n vadd.i32 q1, q1, r0\n vqrdmulh.s32 q0, q0, r2\n vqrdmulh.s32 q1, q1, r2\n"
        TML_MVE_IF("%c[repair]", TML_MVE_REPAIR("q0", "q2") TML_MVE_REPAIR("q1", "q2"))
        " vrshl.s32 q0, r4\n vrshl.s32 q1, r4\n" TML_MVE_NARROW_BY("", "r6")
        " vldrh.u16 q1, [%[lanes], #32 * %c[vectors]]\n vstrb.16 q0, [r8, q1]\n"
        " ldr %[base], [%[block]], #8\n cmp %[base], #0\n bge 2b\n"
        : [block] "+r"(block_), [base] "=&r"(base_)
        : [x] "r"(x_), [y] "r"(y_), [p] "r"(p_), [lanes] "r"(lanes_), [vectors] "i"(vectors), [e1] "i"(e1), [e2] "i"(e2),
          [e3] "i"(e3), [repair] "i"(lo < zp), [zp] "i"(zp), [lo] "i"(lo), [hi] "i"(hi)
        : TML_MVE_SUM_REGISTERS, "q0", "q1", "q2", "cc", "memory");
}

/* `lanes` is { offsets of the gathers, two for each vector; places of the results }, `blocks` { first input, first output }
 * of each block of a band. The pixels of input and output begin in_pitch and out_pitch bytes apart. Scratch: rows * pitch * depth bytes, with
 * more than one vector 16 + 32 * vectors more. */
TML_INLINE void tml_depthwise_conv2d_mve(const int8_t *x, int8_t *y, const int8_t *stream, const uint8_t *taps,
                                         const uint16_t *lanes, const int32_t *blocks, void *scratch, int height, int width, int depth,
                                         int multiplier, int stride_h, int pad_top, int pad_left, int out_h, int out_w,
                                         int tile, int rows, int pitch, int count, int stream_bytes, int vectors, int four, int d1, int e1,
                                         int e2, int e3, int in_pitch, int out_pitch, int zero_point, int zp, int lo, int hi) {
    const int channels = depth * multiplier;
    int8_t *const room = (int8_t *)scratch;
    int8_t *const band = room + (vectors > 1 ? 16 + 32 * vectors : 0);
    int oy = 0;
    int next = 0;
    int from = 0;
    tml_fill_mve(band, zero_point, rows * pitch * depth);
    TML_MVE_NO_UNROLL
    do {
        const int8_t *w = stream;
        oy = next;
        tml_load_band_mve(band, x, oy * stride_h - pad_top, from, rows, height, width, depth, in_pitch, pitch, pad_left,
                          zero_point, oy > 0);
        TML_MVE_NO_UNROLL
        for (int c = 0; c < channels; c++) {
            const int8_t *const at = band + c / multiplier;
            int8_t *const to = y + oy * out_w * out_pitch + c;
            if (four) {
                tml_depthwise_fours_mve(at, to, w, taps, lanes, blocks, count, d1, e1, zp, lo, hi);
            } else if (vectors > 1) {
                tml_depthwise_large_mve(at, to, w, taps, lanes, blocks, room, vectors, e1, e2, e3, zp, lo, hi);
            } else {
                tml_depthwise_pairs_mve(at, to, w, taps, lanes, blocks, count, e1, e2, e3, zp, lo, hi);
            }
            w += stream_bytes;
        }
        next = oy + 2 * tile > out_h ? out_h - tile : oy + tile;
        from = rows - (next - oy) * stride_h;
        if (next != oy && from > 0) {
            tml_move_mve(band, band + (next - oy) * stride_h * pitch * depth, from * pitch * depth);
        }
        from = from > 0 ? from : 0;
    } while (next != oy);
}

#endif
