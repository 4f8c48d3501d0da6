/* The caches of the Cortex-M7 (ARM DDI 0403E, B3.2.4 and B2.2.7: CCR, CSSELR, CCSIDR, ICIALLU, DCISW, DCIMVAC). Other
 * cores have none, and the functions do nothing. */
#ifndef TML_CACHE_H
#define TML_CACHE_H

#include <stdint.h>

#include "board_config.h"
#include "tml_registers.h"

enum { TML_CACHE_LINE_BYTES = 32 };

#ifdef TML_HAS_CACHES
/* Empties and enables both caches. */
static inline void tml_cache_enable(void) {
    TML_REG32(0xE000EF50u) = 0; /* ICIALLU */
    TML_REG32(0xE000ED84u) = 0; /* CSSELR: the first data cache */
    __asm__ volatile("dsb" ::: "memory");
    const uint32_t size = TML_REG32(0xE000ED80u); /* CCSIDR */
    for (uint32_t set = 0; set <= (size >> 13 & 0x7FFFu); ++set) {
        for (uint32_t way = 0; way <= (size >> 3 & 0x3FFu); ++way) TML_REG32(0xE000EF60u) = set << 5 | way << 30; /* DCISW */
    }
    __asm__ volatile("dsb\n isb" ::: "memory");
    TML_REG32(0xE000ED14u) |= 1u << 17 | 1u << 16; /* CCR: IC, DC */
    __asm__ volatile("dsb\n isb" ::: "memory");
}

/* Forgets what the data cache holds of memory that DMA has written; both ends on a line of the cache. */
static inline void tml_cache_forget(const void *start, uint32_t bytes) {
    __asm__ volatile("dsb" ::: "memory");
    for (uint32_t i = 0; i < bytes; i += TML_CACHE_LINE_BYTES) TML_REG32(0xE000EF5Cu) = (uint32_t)(uintptr_t)start + i; /* DCIMVAC */
    __asm__ volatile("dsb\n isb" ::: "memory");
}
#else
static inline void tml_cache_enable(void) {}

static inline void tml_cache_forget(const void *start, uint32_t bytes) {
    (void)start;
    (void)bytes;
}
#endif

#endif
