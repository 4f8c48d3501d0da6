/* Cores without a cycle counter: SysTick at the core's clock. */
#include "tml_cycles.h"
#include "tml_systick.h"

void tml_cycles_init(void) { tml_systick_init(); }

uint32_t tml_cycles(void) { return tml_systick_cycles(); }
