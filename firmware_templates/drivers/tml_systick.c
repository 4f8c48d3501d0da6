#include "tml_systick.h"

#include "tml_registers.h"

enum { RELOAD = 0xFFFFFF, PENDSTSET = 1 << 26 };

static volatile uint32_t wraps;

void SysTick_Handler(void);

void SysTick_Handler(void) { ++wraps; }

void tml_systick_init(void) {
    TML_SYST_RVR = RELOAD;
    TML_SYST_CVR = 0;
    TML_SYST_CSR = 7; /* core clock, interrupt, enabled */
    /* the counter is loaded on the first tick: until then it reads as if it had run out */
    for (uint32_t tries = 0; tries < 1000000u && TML_SYST_CVR == 0; ++tries) {
    }
}

uint32_t tml_systick_cycles(void) {
    uint32_t high, low, pending;
    do { /* until no wrap was counted between the reads */
        high = wraps;
        low = TML_SYST_CVR;
        pending = TML_SCB_ICSR & PENDSTSET;
    } while (high != wraps);
    if (pending != 0 && low > RELOAD / 2) ++high; /* it has wrapped, and the interrupt is still to come */
    return (high << 24) + (RELOAD - low);
}
