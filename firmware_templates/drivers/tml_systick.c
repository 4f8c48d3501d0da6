#include "tml_systick.h"

#include "tml_registers.h"

enum { RELOAD = 0xFFFFFF };

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
    uint32_t high, low;
    do { /* until no wrap fell between the two reads */
        high = wraps;
        low = TML_SYST_CVR;
    } while (high != wraps);
    return (high << 24) + (RELOAD - low);
}
