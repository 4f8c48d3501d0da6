/* STM32H743 at 480 MHz (400 MHz on silicon revision Y): HSI 64 MHz / 16 x 240 / 2, buses at half and a quarter; the USARTs stay
 * on HSI, and do not depend on the PLL.
 * RM0433, sections 4.3.8 and 4.9.1 (flash: 4 wait states, WRHIGHFREQ 2), 6.6.2 and 6.8 (PWR: VOS1, then VOS0 by ODEN), 8.7
 * (RCC), 12.3 (SYSCFG_PWRCR), 60.5.8 (DBGMCU_IDC); DS12110, table 22 (VOS0 from revision V on). */
#include "board_config.h"
#include "tml_cache.h"
#include "tml_clock.h"
#include "tml_registers.h"

#define RCC(offset) TML_REG32(0x58024400u + (offset)) /* CR 00, CFGR 10, D1CFGR 18, D2CFGR 1C, D3CFGR 20 */
#define RCC_PLLCKSELR RCC(0x28u)
#define RCC_PLLCFGR RCC(0x2Cu)
#define RCC_PLL1DIVR RCC(0x30u)
#define RCC_D2CCIP2R RCC(0x54u)
#define RCC_APB4ENR RCC(0xF4u)
#define PWR_CSR1 TML_REG32(0x58024804u)
#define PWR_CR3 TML_REG32(0x5802480Cu)
#define PWR_D3CR TML_REG32(0x58024818u)
#define SYSCFG_PWRCR TML_REG32(0x5800042Cu)
#define FLASH_ACR TML_REG32(0x52002000u)
#define DBGMCU_IDC TML_REG32(0x5C001000u)

enum { PLL1ON = 1 << 24, PLL1RDY = 1 << 25, ACTVOSRDY = 1 << 13, VOSRDY = 1 << 13, RESET_HZ = 64000000 };
enum { REVISION_Y = 0x1003, REVISION_Y_HZ = 400000000 };

uint32_t tml_slower_hz;

void tml_clock_init(void) {
    const bool revision_y = DBGMCU_IDC >> 16 == REVISION_Y;
    const uint32_t multiplier = revision_y ? 200u : 240u;
    tml_slower_hz = RESET_HZ;
    RCC_D2CCIP2R = (RCC_D2CCIP2R & ~7u) | 3u; /* USART234578SEL: hsi_ker_ck */
    tml_cache_enable();
    PWR_CR3 = (PWR_CR3 & ~7u) | 2u; /* LDOEN: the first write after power-on counts */
    if (!tml_clock_wait(&PWR_CSR1, ACTVOSRDY, ACTVOSRDY)) return;
    PWR_D3CR |= 3u << 14; /* VOS1 */
    if (!tml_clock_wait(&PWR_D3CR, VOSRDY, VOSRDY)) return;
    if (!revision_y) {
        RCC_APB4ENR |= 1u << 1; /* SYSCFGEN */
        (void)RCC_APB4ENR;
        SYSCFG_PWRCR |= 1u; /* ODEN: VOS0 */
        if (!tml_clock_wait(&PWR_D3CR, VOSRDY, VOSRDY)) return;
    }
    RCC_PLLCKSELR = (RCC_PLLCKSELR & ~(3u | 0x3Fu << 4)) | 16u << 4; /* from HSI, DIVM1 */
    RCC_PLLCFGR = (RCC_PLLCFGR & ~0xFu) | 2u << 2 | 1u << 16;        /* 4 to 8 MHz in, wide VCO, DIVP1EN */
    RCC_PLL1DIVR = (multiplier - 1u) | 1u << 9 | 1u << 16 | 1u << 24; /* DIVN1, DIVP1 = 2, Q, R */
    RCC(0x00u) |= PLL1ON;
    if (!tml_clock_wait(&RCC(0x00u), PLL1RDY, PLL1RDY)) return;
    FLASH_ACR = 4u | 2u << 4; /* LATENCY, WRHIGHFREQ */
    if (!tml_clock_wait(&FLASH_ACR, 0xFu, 4u)) return;
    RCC(0x18u) = 8u | 4u << 4;      /* HPRE / 2, D1PPRE / 2 */
    RCC(0x1Cu) = 4u << 4 | 4u << 8; /* D2PPRE1 / 2, D2PPRE2 / 2 */
    RCC(0x20u) = 4u << 4;           /* D3PPRE / 2 */
    RCC(0x10u) = (RCC(0x10u) & ~7u) | 3u; /* SW: PLL1 */
    if (tml_clock_wait(&RCC(0x10u), 7u << 3, 3u << 3)) tml_slower_hz = revision_y ? REVISION_Y_HZ : 0;
}
