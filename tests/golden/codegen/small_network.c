/* small, compiled to C by tinyml 0.1.0. Written by a program: changes here get lost. */
#include "network.h"

#include "tml_common.h"
#include "tml_conv2d.h"
#include "tml_softmax.h"

#ifndef NETWORK_ARENA_ATTRIBUTES
#define NETWORK_ARENA_ATTRIBUTES
#endif

#ifndef NETWORK_ARENA_EXTERNAL
static uint8_t network_arena[NETWORK_ARENA_BYTES] TML_ALIGNED(16) NETWORK_ARENA_ATTRIBUTES;
#endif

#define NETWORK_AT(type, offset) ((type *)(void *)(network_arena + (offset)))

#if defined(TML_TRACE) && TML_TRACE
#define NETWORK_TRACE(tensor, offset, bytes) tml_trace_tensor(tensor, network_arena + (offset), bytes)
#define NETWORK_TRACE_ROWS(tensor, data, bytes) tml_trace_tensor(tensor, data, bytes)
#else
#define NETWORK_TRACE(tensor, offset, bytes) ((void)0)
#define NETWORK_TRACE_ROWS(tensor, data, bytes) ((void)0)
#endif

/* weights of t1: 2x2x2x1, 8 bytes */
static const int8_t network_weights_000[8] TML_ALIGNED(4) = {
    1, 2, 3, -4, 5, 6, 7, 127,
};

/* bias of t1: 2, 8 bytes */
static const int32_t network_bias_000[2] TML_ALIGNED(4) = {
    12, 125,
};

/* multipliers of t1: 2, 8 bytes */
static const int32_t network_multipliers_000[2] TML_ALIGNED(4) = {
    1073741824, 1073741824,
};

/* shifts of t1: 2, 2 bytes */
static const int8_t network_shifts_000[2] TML_ALIGNED(1) = {
    -3, -2,
};

/* exponentials of t6: 7, 28 bytes */
static const int32_t network_exponentials_001[7] TML_ALIGNED(4) = {
    2147483647, 290630390, 39332546, 5323081, 720401, 97496, 13195,
};

const char *const network_labels[NETWORK_LABEL_COUNT] = {
    "yes",
    "no \042really\042",
};

/* 000 t1: CONV_2D 1x2x2x1 -> 1x1x1x2, 8 MACs; tml_conv2d (portable C) */
TML_STEP void network_step_000(void) {
    tml_conv2d(
        NETWORK_AT(const int8_t, 4), NETWORK_AT(int8_t, 8), NETWORK_AT(void, 0), network_weights_000,
        network_bias_000, network_multipliers_000, network_shifts_000, 2 /* in_h */, 2 /* in_w */, 1 /* in_c */,
        1 /* out_h */, 1 /* out_w */, 2 /* out_c */, 2 /* kernel_h */, 2 /* kernel_w */, 1 /* stride_h */,
        1 /* stride_w */, 1 /* dilation_h */, 1 /* dilation_w */, 0 /* pad_top */, 0 /* pad_left */, 1 /* groups */,
        2 /* out_pitch */, 1 /* gather */, -1 /* in_zero_point */, 0 /* out_zero_point */, -128 /* out_min */,
        127 /* out_max */, -2 /* max_shift */);
    TML_STEP_DONE();
}

/* 001 t6: SOFTMAX 1x2 -> 1x2; tml_softmax (portable C) */
TML_STEP void network_step_001(void) {
    tml_softmax(
        NETWORK_AT(const int8_t, 8), NETWORK_AT(int8_t, 0), network_exponentials_001, 7 /* entries */, 1 /* rows */,
        2 /* depth */);
    TML_STEP_DONE();
}


void network_invoke(void) {
    NETWORK_TRACE(0u, 4, 4u);
    network_step_000();
    NETWORK_TRACE(1u, 8, 2u);
    NETWORK_TRACE(4u, 8, 2u);
    network_step_001();
    NETWORK_TRACE(6u, 0, 2u);
}

void *network_input(int i) {
    switch (i) {
    case 0:
        return network_arena + 4;
    default:
        return 0;
    }
}

const void *network_output(int i) {
    switch (i) {
    case 0:
        return network_arena + 0;
    default:
        return 0;
    }
}

int network_run(const int8_t *in, int8_t *out) {
    memcpy(network_arena + 4, in, 4u);
    network_invoke();
    memcpy(out, network_arena + 0, 2u);
    return 0;
}
