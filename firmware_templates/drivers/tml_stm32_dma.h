/* One DMA transfer without end on an STM32, from a peripheral's register into a buffer round and round: a flag, and where asked
 * an interrupt, at the buffer's half and one at its end.
 *
 * The including file says which: TML_DMA_BASE (the controller), TML_DMA_NUMBER (of the stream or channel), TML_DMA_REQUEST and
 * TML_DMA_MUX (the channel of the multiplexer that brings the requests, negative where there is none). The family says
 * TML_STM32_DMA_STREAMS (F4, F7, H7: RM0090, section 10.5; RM0385, 8.5; RM0433, chapters "Direct memory access controller" and
 * "DMA request multiplexer"), TML_STM32_DMA_CHANNELS (L4: RM0432, chapters of the same names) or neither: U5 (RM0456, "General
 * purpose direct memory access controller"), whose linked list of one item begins the block anew. */
#ifndef TML_STM32_DMA_H
#define TML_STM32_DMA_H

#include <stdbool.h>
#include <stdint.h>

#include "board_config.h"
#include "tml_registers.h"

enum { TML_DMA_TRIES = 40000000 };

#if TML_STM32_DMA_STREAMS
/* SxCR 0, NDTR 4, PAR 8, M0AR 12 */
#define TML_DMA(offset) TML_REG32(TML_DMA_BASE + 0x10u + 0x18u * TML_DMA_NUMBER + (offset))
#define TML_DMA_FLAGS TML_REG32(TML_DMA_BASE + 4u * (TML_DMA_NUMBER / 4u))       /* LISR, HISR */
#define TML_DMA_FORGET TML_REG32(TML_DMA_BASE + 8u + 4u * (TML_DMA_NUMBER / 4u)) /* LIFCR, HIFCR */
#define TML_DMA_CONTROL TML_DMA(0u)
enum { TML_DMA_SHIFT = 6 * (TML_DMA_NUMBER % 2) + 16 * (TML_DMA_NUMBER / 2 % 2), TML_DMA_STOP = 0 };
enum { TML_DMA_HALF = 1 << (TML_DMA_SHIFT + 4), TML_DMA_DONE = 1 << (TML_DMA_SHIFT + 5), TML_DMA_ALL = 0x3D << TML_DMA_SHIFT };

static inline void tml_dma_begin(uint32_t source, void *target, uint32_t items, uint32_t item_bytes, bool interrupts) {
    /* high priority, memory steps, circular; PSIZE, MSIZE; HTIE, TCIE */
    uint32_t setup = 2u << 16 | 1u << 10 | 1u << 8 | (item_bytes / 2u) << 11 | (item_bytes / 2u) << 13;
    if (interrupts) setup |= 1u << 4 | 1u << 3;
#if TML_DMA_MUX >= 0
    TML_REG32(0x40020800u + 4u * (uint32_t)TML_DMA_MUX) = TML_DMA_REQUEST; /* DMAMUX1 */
#else
    setup |= (uint32_t)TML_DMA_REQUEST << 25; /* CHSEL */
#endif
    TML_DMA(4u) = items;
    TML_DMA(8u) = source;
    TML_DMA(12u) = (uint32_t)(uintptr_t)target;
    TML_DMA_CONTROL = setup;
    TML_DMA_CONTROL = setup | 1u;
}
#elif TML_STM32_DMA_CHANNELS
/* CCR 0, CNDTR 4, CPAR 8, CMAR 12; channels count from 1 */
#define TML_DMA(offset) TML_REG32(TML_DMA_BASE + 8u + 0x14u * (TML_DMA_NUMBER - 1u) + (offset))
#define TML_DMA_FLAGS TML_REG32(TML_DMA_BASE)       /* ISR */
#define TML_DMA_FORGET TML_REG32(TML_DMA_BASE + 4u) /* IFCR */
#define TML_DMA_CONTROL TML_DMA(0u)
enum { TML_DMA_SHIFT = 4 * (TML_DMA_NUMBER - 1), TML_DMA_STOP = 0 };
enum { TML_DMA_DONE = 2 << TML_DMA_SHIFT, TML_DMA_HALF = 4 << TML_DMA_SHIFT, TML_DMA_ALL = 15 << TML_DMA_SHIFT };

static inline void tml_dma_begin(uint32_t source, void *target, uint32_t items, uint32_t item_bytes, bool interrupts) {
    /* high priority, memory steps, circular; PSIZE, MSIZE; HTIE, TCIE */
    uint32_t setup = 2u << 12 | 1u << 7 | 1u << 5 | (item_bytes / 2u) << 8 | (item_bytes / 2u) << 10;
    if (interrupts) setup |= 1u << 2 | 1u << 1;
    TML_REG32(0x40020800u + 4u * (uint32_t)TML_DMA_MUX) = TML_DMA_REQUEST; /* DMAMUX1 */
    TML_DMA(4u) = items;
    TML_DMA(8u) = source;
    TML_DMA(12u) = (uint32_t)(uintptr_t)target;
    TML_DMA_CONTROL = setup;
    TML_DMA_CONTROL = setup | 1u;
}
#else
/* CxLBAR 0, FCR 12, SR 16, CR 20, TR1 64, TR2 68, BR1 72, SAR 76, DAR 80, LLR 124 */
#define TML_DMA(offset) TML_REG32(TML_DMA_BASE + 0x50u + 0x80u * TML_DMA_NUMBER + (offset))
#define TML_DMA_FLAGS TML_DMA(16u)
#define TML_DMA_FORGET TML_DMA(12u)
#define TML_DMA_CONTROL TML_DMA(20u)
enum { TML_DMA_DONE = 1 << 8, TML_DMA_HALF = 1 << 9, TML_DMA_ALL = 0x7F << 8, TML_DMA_STOP = 2 /* RESET */ };

static inline void tml_dma_begin(uint32_t source, void *target, uint32_t items, uint32_t item_bytes, bool interrupts) {
    static uint32_t item[3] __attribute__((aligned(32))); /* within one page of 64 KB */
    const uint32_t address = (uint32_t)(uintptr_t)item;
    const uint32_t link = 1u << 29 | 1u << 27 | 1u << 16 | (address & 0xFFFCu); /* UB1, UDA, ULL */
    item[0] = items * item_bytes;
    item[1] = (uint32_t)(uintptr_t)target;
    item[2] = link;
    __asm__ volatile("dsb" ::: "memory");
    TML_DMA(0u) = address & 0xFFFF0000u;
    TML_DMA(64u) = 1u << 19 | (item_bytes / 2u) << 16 | item_bytes / 2u; /* destination steps; DDW, SDW */
    TML_DMA(68u) = TML_DMA_REQUEST;
    TML_DMA(72u) = item[0];
    TML_DMA(76u) = source;
    TML_DMA(80u) = item[1];
    TML_DMA(124u) = link;
    TML_DMA_CONTROL = 2u << 22 | (interrupts ? 1u << 9 | 1u << 8 : 0u) | 1u; /* high priority; HTIE, TCIE */
}
#endif

/* Stops what an earlier transfer may have left running, and forgets its flags; false where it does not stop. */
static inline bool tml_dma_stop(void) {
    TML_DMA_CONTROL = TML_DMA_STOP;
    for (uint32_t tries = TML_DMA_TRIES; (TML_DMA_CONTROL & 1u) != 0;) {
        if (--tries == 0) return false;
    }
    TML_DMA_FORGET = TML_DMA_ALL;
    return true;
}

#endif
