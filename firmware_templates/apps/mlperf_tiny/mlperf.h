/* MLPerf Tiny's serial protocol, as its public runner speaks it: commands end with '%' and have at most 80 characters, every
 * reply ends with the line m-ready. Knows neither the serial line nor the clock: those are the caller's. */
#ifndef MLPERF_H
#define MLPERF_H

#include <stdint.h>

enum { MLPERF_COMMAND_CHARACTERS = 80 };

/* What a device says after reset, up to the first m-ready. */
void mlperf_begin(void);

/* Takes a byte from the host; one that ends a command carries the command out and answers. Any bytes may come. */
void mlperf_receive(uint8_t byte);

/* Supplied by the caller: bytes to the host, and the benchmark's mark of time: a line with the microseconds since reset, or a
 * pulse on a pin where energy is measured. */
void mlperf_send(const char *data, uint32_t bytes);
void mlperf_timestamp(void);

/* Supplied by the caller, called after every inference: a counter may wrap during many of them. */
void mlperf_tick(void);

#endif
