/* The core stays at the clock it has after reset. */
#include "tml_clock.h"

void tml_clock_init(void) {}
