/* The PLL multiplies the 12 MHz crystal for the core; the UART takes the crystal itself, and does not depend on the PLL.
 * RP2040 datasheet, sections 2.15 (clocks), 2.16 (XOSC), 2.18 (PLL), 2.14 (resets); RP2350 datasheet, sections 8.1, 8.2, 8.6,
 * 7.5 and 12.14.5 (QMI, M0_TIMING). The RP2040's flash is read at a quarter of the core's clock (boot2_rp2040.c), the
 * RP2350's at a third, 50 MHz, which its boot ROM leaves in CLKDIV as well, with the RXDELAY that belongs to it. */
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
#define PLL_CS TML_REG32(TML_RP2_PLL_SYS_BASE + 0x00u)
#define PLL_PWR TML_REG32(TML_RP2_PLL_SYS_BASE + 0x04u)
#define PLL_FBDIV TML_REG32(TML_RP2_PLL_SYS_BASE + 0x08u)
#define PLL_PRIM TML_REG32(TML_RP2_PLL_SYS_BASE + 0x0Cu)
#define RESETS_CLEAR TML_REG32(TML_RP2_RESETS_BASE + 0x3000u)
#define RESETS_DONE TML_REG32(TML_RP2_RESETS_BASE + 0x08u)

enum { FREQ_RANGE_1_15MHZ = 0xAA0, XOSC_ENABLE = 0xFAB, STARTUP_1MS_AT_12MHZ = 47, CRYSTAL_HZ = 12000000 };
enum { REF_SRC_XOSC = 2, SYS_SRC_AUX = 1, PERI_ENABLE = 1 << 11, PERI_AUX_XOSC = 4 << 5 };
enum { PLL_POSTDIV_OFF = 1 << 3, PLL_DSM_OFF = 1 << 2 };

uint32_t tml_slower_hz;

/* Crystal x TML_RP2_PLL_FEEDBACK, divided by TML_RP2_PLL_DIVIDERS, which has the two dividers at the register's places. */
static bool start_pll(void) {
    RESETS_CLEAR = TML_RP2_PLL_SYS_RESET;
    if (!tml_clock_wait(&RESETS_DONE, TML_RP2_PLL_SYS_RESET, TML_RP2_PLL_SYS_RESET)) return false;
    PLL_CS = 1; /* REFDIV */
    PLL_FBDIV = TML_RP2_PLL_FEEDBACK;
    PLL_PWR = PLL_DSM_OFF | PLL_POSTDIV_OFF;
    if (!tml_clock_wait(&PLL_CS, 1u << 31, 1u << 31)) return false;
    PLL_PRIM = TML_RP2_PLL_DIVIDERS;
    PLL_PWR = PLL_DSM_OFF;
    return true;
}

void tml_clock_init(void) {
    XOSC_STARTUP = STARTUP_1MS_AT_12MHZ; /* in units of 256 cycles */
    XOSC_CTRL = (XOSC_ENABLE << 12) | FREQ_RANGE_1_15MHZ;
    tml_slower_hz = CRYSTAL_HZ;
    if (!tml_clock_wait(&XOSC_STATUS, 1u << 31, 1u << 31)) {
        CLK_PERI_CTRL = PERI_ENABLE; /* the ring oscillator: the UART's bits have another length, but it never waits for ever */
        return;
    }
    CLK_SYS_CTRL = 0; /* the reference clock */
    if (!tml_clock_wait(&CLK_SYS_SELECTED, 1, 1)) return;
    CLK_REF_CTRL = REF_SRC_XOSC;
    if (!tml_clock_wait(&CLK_REF_SELECTED, 1u << REF_SRC_XOSC, 1u << REF_SRC_XOSC)) return;
    CLK_PERI_CTRL = PERI_ENABLE | PERI_AUX_XOSC;
    if (!start_pll()) return;
#if TML_RP2_QMI_TIMING
    TML_REG32(TML_RP2_QMI_TIMING) = (TML_REG32(TML_RP2_QMI_TIMING) & ~0xFFu) | 3u; /* CLKDIV */
#endif
    CLK_SYS_CTRL = SYS_SRC_AUX; /* AUXSRC 0: the PLL */
    if (tml_clock_wait(&CLK_SYS_SELECTED, 2, 2)) tml_slower_hz = 0;
}
