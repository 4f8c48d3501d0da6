/* Starts the crystal oscillator, which the UART's baud rate needs; the core's frequency is fixed.
 * nRF51 Series Reference Manual v3.0, chapter 12; nRF52840 Product Specification v1.7, section 5.4. */
#include "tml_clock.h"
#include "tml_registers.h"

#define CLOCK_TASKS_HFCLKSTART TML_REG32(0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED TML_REG32(0x40000100u)

void tml_clock_init(void) {
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
    /* bounded: without a crystal the internal oscillator goes on, with a baud rate that is a little off */
    for (uint32_t tries = 0; tries < 100000u && CLOCK_EVENTS_HFCLKSTARTED == 0; ++tries) {
    }
}
