/* The core stays at the clock it has after reset. */
#include "board_config.h"
#include "tml_clock.h"

uint32_t tml_core_hz = TML_CORE_HZ;

void tml_clock_init(void) {}
