/* Text to the host, with no printf: numbers as Python's float() reads them. */
#ifndef MLPERF_PRINT_H
#define MLPERF_PRINT_H

#include <stdint.h>

void mlperf_print(const char *text);
void mlperf_print_u64(uint64_t value);
void mlperf_print_hex_byte(uint8_t value);

/* Six decimals, rounded to nearest; with an exponent below 0.001 and from 1e9; nan, inf. */
void mlperf_print_float(float value);

#endif
