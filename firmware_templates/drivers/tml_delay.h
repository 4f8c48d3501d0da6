/* Busy waiting. */
#ifndef TML_DELAY_H
#define TML_DELAY_H

#include <stdint.h>

#include "board_config.h"

/* At least `us` microseconds: a turn of the loop takes one cycle or more on every core (three on most). */
static inline void tml_delay_us(uint32_t us) {
    const uint32_t turns_per_us = (TML_CORE_HZ + 999999u) / 1000000u;
    while (us-- > 0) {
        for (uint32_t turns = turns_per_us; turns > 0; --turns) __asm__ volatile("" ::: "memory");
    }
}

static inline void tml_delay_ms(uint32_t ms) {
    while (ms-- > 0) tml_delay_us(1000u);
}

#endif
