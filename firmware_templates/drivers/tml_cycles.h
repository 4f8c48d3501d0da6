/* A counter of core cycles. One of the cycles_*.c files implements it. Differences are right across a wrap of 32 bits. */
#ifndef TML_CYCLES_H
#define TML_CYCLES_H

#include <stdint.h>

void tml_cycles_init(void);
uint32_t tml_cycles(void);

#endif
