/* Starts the crystal oscillator, which the UART's baud rate needs; the core's frequency is fixed.
 * nRF51 Series Reference Manual v3.0, chapter 12; nRF52840 Product Specification v1.7, sections 5.4 (CLOCK) and 4.3.9 (NVMC,
 * ICACHECNF: the instruction cache, which is off after reset). */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_registers.h"

#define CLOCK_TASKS_HFCLKSTART TML_REG32(0x40000000u)
#define CLOCK_EVENTS_HFCLKSTARTED TML_REG32(0x40000100u)
#define NVMC_ICACHECNF TML_REG32(0x4001E540u)

uint32_t tml_slower_hz;

void tml_clock_init(void) {
#if TML_MAINLINE /* the nRF52 */
    NVMC_ICACHECNF = 1;
#endif
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
    /* without a crystal the internal oscillator goes on, with a baud rate that is a little off */
    (void)tml_clock_wait(&CLOCK_EVENTS_HFCLKSTARTED, 1, 1);
}
