/* The 12 MHz crystal drives core and UART: an exact clock with no PLL to lock.
 * RP2040 datasheet, sections 2.15 (clocks) and 2.16 (XOSC); RP2350 datasheet, sections 8.1 and 8.2. */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_registers.h"

#define XOSC_CTRL TML_REG32(TML_RP2_XOSC_BASE + 0x00u)
#define XOSC_STATUS TML_REG32(TML_RP2_XOSC_BASE + 0x04u)
#define XOSC_STARTUP TML_REG32(TML_RP2_XOSC_BASE + 0x0Cu)
#define CLK_REF_CTRL TML_REG32(TML_RP2_CLOCKS_BASE + 0x30u)
#define CLK_REF_SELECTED TML_REG32(TML_RP2_CLOCKS_BASE + 0x38u)
#define CLK_SYS_CTRL TML_REG32(TML_RP2_CLOCKS_BASE + 0x3Cu)
#define CLK_SYS_SELECTED TML_REG32(TML_RP2_CLOCKS_BASE + 0x44u)
#define CLK_PERI_CTRL TML_REG32(TML_RP2_CLOCKS_BASE + 0x48u)

enum { FREQ_RANGE_1_15MHZ = 0xAA0, XOSC_ENABLE = 0xFAB, STARTUP_1MS_AT_12MHZ = 47 };
enum { REF_SRC_XOSC = 2, SYS_SRC_CLK_REF = 0, PERI_ENABLE = 1 << 11 };

void tml_clock_init(void) {
    XOSC_STARTUP = STARTUP_1MS_AT_12MHZ; /* in units of 256 cycles */
    XOSC_CTRL = (XOSC_ENABLE << 12) | FREQ_RANGE_1_15MHZ;
    while ((XOSC_STATUS & (1u << 31)) == 0) {
    }
    CLK_SYS_CTRL = SYS_SRC_CLK_REF;
    while ((CLK_SYS_SELECTED & 1u) == 0) {
    }
    CLK_REF_CTRL = REF_SRC_XOSC;
    while ((CLK_REF_SELECTED & (1u << REF_SRC_XOSC)) == 0) {
    }
    CLK_PERI_CTRL = PERI_ENABLE; /* AUXSRC 0: the system clock */
}
