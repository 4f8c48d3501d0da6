/* The core stays at the clock it has after reset. */
#include "board_config.h"
#include "tml_clock.h"

uint32_t tml_slower_hz;

void tml_clock_init(void) {}
