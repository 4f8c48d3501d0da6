/* The clocks. One of the clock_*.c files implements it. */
#ifndef TML_CLOCK_H
#define TML_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "board_config.h"

/* What the core runs at after an oscillator or PLL that did not start in time; 0 where it runs at full speed. */
extern uint32_t tml_slower_hz;

/* What the core runs at: TML_CORE_HZ of board_config.h, or less. */
static inline uint32_t tml_core_hz(void) { return tml_slower_hz != 0 ? tml_slower_hz : TML_CORE_HZ; }

/* Flash wait states first, then the oscillator and PLL, then the switch; on a timeout the core stays at its reset clock. */
void tml_clock_init(void);

enum { TML_CLOCK_TRIES = 1000000 };

/* Waits until the bits of a register have a value; false where they do not in time. */
static inline bool tml_clock_wait(volatile uint32_t *reg, uint32_t mask, uint32_t value) {
    for (uint32_t tries = 0; tries < TML_CLOCK_TRIES; ++tries) {
        if ((*reg & mask) == value) return true;
    }
    return false;
}

#endif
