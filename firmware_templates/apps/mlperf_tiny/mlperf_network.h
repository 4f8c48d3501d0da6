/* The network between the benchmark's bytes and its results. */
#ifndef MLPERF_NETWORK_H
#define MLPERF_NETWORK_H

#include <stdint.h>

#include "app_config.h"

/* What the host loads: APP_MLPERF_BUFFER_BYTES, in the form the benchmark sends for this model. */
extern uint8_t mlperf_buffer[];

/* Before the inferences on the buffer's content, each of them, and after them. */
void mlperf_prepare(void);
void mlperf_infer(void);
void mlperf_conclude(void);

/* The line m-results-[...] for the last inference. */
void mlperf_print_results(void);

#endif
