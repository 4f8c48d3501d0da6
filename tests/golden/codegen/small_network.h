/* small, compiled to C by tinyml 0.1.0. Written by a program: changes here get lost.
 *
 * real = scale * (quantised - zero point)
 */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NETWORK_MODEL_NAME "small"
#define NETWORK_MODEL_HASH "0123abcd"
#define NETWORK_MACS 8
#define NETWORK_STEP_COUNT 2
#define NETWORK_WEIGHTS_BYTES 54
#define NETWORK_ARENA_BYTES 10

#define NETWORK_INPUT_COUNT 1
#define NETWORK_INPUT_BYTES 4
#define NETWORK_OUTPUT_COUNT 1
#define NETWORK_OUTPUT_BYTES 2

/* input 0: input_0 */
#define NETWORK_INPUT_0_TYPE int8_t
#define NETWORK_INPUT_0_SHAPE {1, 2, 2, 1}
#define NETWORK_INPUT_0_ELEMENTS 4
#define NETWORK_INPUT_0_BYTES 4
#define NETWORK_INPUT_0_SCALE 0.5f
#define NETWORK_INPUT_0_ZERO_POINT (-1)

/* output 0: model/t6/out */
#define NETWORK_OUTPUT_0_TYPE int8_t
#define NETWORK_OUTPUT_0_SHAPE {1, 2}
#define NETWORK_OUTPUT_0_ELEMENTS 2
#define NETWORK_OUTPUT_0_BYTES 2
#define NETWORK_OUTPUT_0_SCALE 0.00390625f
#define NETWORK_OUTPUT_0_ZERO_POINT (-128)

#define NETWORK_LABEL_COUNT 2
extern const char *const network_labels[NETWORK_LABEL_COUNT];

#ifdef NETWORK_ARENA_EXTERNAL
/* Supplied by the application, NETWORK_ARENA_BYTES long and aligned to 16 bytes. */
extern uint8_t network_arena[];
#endif

/* Copies all inputs in, one after the other, runs the network and copies all outputs out. Returns 0. */
int network_run(const int8_t *in, int8_t *out);

/* Where input i lies: write it before each network_invoke(), which reuses the memory. NULL for another i. */
void *network_input(int i);

/* Where output i lies until the next network_invoke(). NULL for another i. */
const void *network_output(int i);

/* Runs the network on the inputs in place. */
void network_invoke(void);

#ifdef __cplusplus
}
#endif

#endif
