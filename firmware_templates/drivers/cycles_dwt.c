/* Cycle counter of the Data Watchpoint and Trace unit (ARM DDI 0403E, C1.8). Where it does not count, as in emulators
 * and on cores built without it, SysTick at the core's clock takes its place. */
#include "tml_cycles.h"
#include "tml_registers.h"
#include "tml_systick.h"

static uint8_t use_systick;

void tml_cycles_init(void) {
    TML_DEMCR |= 1u << 24; /* TRCENA */
    TML_DWT_LAR = 0xC5ACCE55u; /* Cortex-M7 locks the unit; others ignore this */
    TML_DWT_CYCCNT = 0;
    TML_DWT_CTRL |= 1u; /* CYCCNTENA */
    const uint32_t before = TML_DWT_CYCCNT;
    for (volatile int i = 0; i < 8; ++i) {
    }
    use_systick = TML_DWT_CYCCNT == before;
    if (use_systick) tml_systick_init();
}

uint32_t tml_cycles(void) { return use_systick ? tml_systick_cycles() : TML_DWT_CYCCNT; }
