/* TIMER0 at 16 MHz, which is the core's clock (nRF51 Series Reference Manual v3.0, chapter 18): the nRF51 has no SysTick. */
#include "tml_cycles.h"
#include "tml_registers.h"

#define TIMER0_TASKS_START TML_REG32(0x40008000u)
#define TIMER0_TASKS_CLEAR TML_REG32(0x4000800Cu)
#define TIMER0_TASKS_CAPTURE0 TML_REG32(0x40008040u)
#define TIMER0_MODE TML_REG32(0x40008504u)
#define TIMER0_BITMODE TML_REG32(0x40008508u)
#define TIMER0_PRESCALER TML_REG32(0x40008510u)
#define TIMER0_CC0 TML_REG32(0x40008540u)

void tml_cycles_init(void) {
    TIMER0_MODE = 0;
    TIMER0_BITMODE = 3; /* 32 bits */
    TIMER0_PRESCALER = 0;
    TIMER0_TASKS_CLEAR = 1;
    TIMER0_TASKS_START = 1;
}

uint32_t tml_cycles(void) {
    TIMER0_TASKS_CAPTURE0 = 1;
    return TIMER0_CC0;
}
