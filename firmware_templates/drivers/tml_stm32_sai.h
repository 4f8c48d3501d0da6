/* The serial audio interface of the STM32, whose registers lie alike in the F7, H7, L4+ and U5 (RM0385, section 33.5; RM0433,
 * RM0432 and RM0456, chapters "Serial audio interface (SAI)"); the later three divide in finer steps and can leave the master
 * clock out (NOMCK). A block's registers are offsets from TML_SAI_A or TML_SAI_B of the interface. */
#ifndef TML_STM32_SAI_H
#define TML_STM32_SAI_H

#include <stdint.h>

#include "tml_registers.h"

enum { TML_SAI_A = 0x04, TML_SAI_B = 0x24 };
enum { TML_SAI_CR1 = 0x00, TML_SAI_CR2 = 0x04, TML_SAI_FRCR = 0x08, TML_SAI_SLOTR = 0x0C, TML_SAI_SR = 0x14 };
enum { TML_SAI_CLRFR = 0x18, TML_SAI_DR = 0x1C };
/* CR1. CKSTR: what is received is sampled at the rising edge, what is sent changes at the falling one. */
enum { TML_SAI_MASTER_RECEIVER = 1, TML_SAI_SLAVE_RECEIVER = 3, TML_SAI_DS_16 = 4 << 5, TML_SAI_DS_32 = 7 << 5 };
enum { TML_SAI_CKSTR = 1 << 9, TML_SAI_SYNCHRONOUS = 1 << 10, TML_SAI_OUTDRIV = 1 << 13, TML_SAI_ENABLE = 1 << 16 };
enum { TML_SAI_DMA = 1 << 17, TML_SAI_NOMCK = 1 << 19, TML_SAI_DIVIDER_SHIFT = 20, TML_SAI_OVERRUN = 1 };

/* A block for I2S: 64 clocks a frame, half of them for the left, which FS is low for; data one clock after FS (FRL, FSALL,
 * FSDEF, FSOFF). `slots`: the register that says which are taken. An empty FIFO; CR1 comes last, without enabling. */
static inline void tml_sai_block(uint32_t block, uint32_t slots, uint32_t control) {
    TML_REG32(block + TML_SAI_CLRFR) = 0x77u;
    TML_REG32(block + TML_SAI_CR2) = 1u << 3; /* FFLUSH; FTH 0: a request for every word */
    TML_REG32(block + TML_SAI_FRCR) = 63u | 31u << 8 | 1u << 16 | 1u << 18;
    TML_REG32(block + TML_SAI_SLOTR) = slots;
    TML_REG32(block + TML_SAI_CR1) = control;
}

#endif
