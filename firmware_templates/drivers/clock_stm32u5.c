/* STM32U575 at 160 MHz: MSIS 4 MHz x 80 / 2 in range 1 with the EPOD booster; USART1 takes the 16 MHz HSI, and does not
 * depend on the PLL.
 * RM0456, sections 7.3.3 and 7.9.1 (flash: 4 wait states, prefetch), 8.7.1 (ICACHE_CR), 10.5.4 and 10.10.4 (PWR_VOSR), 11.8 (RCC;
 * CFGR1, CFGR2, PLL1CFGR, PLL1DIVR, CCIPR1). */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_delay.h"
#include "tml_registers.h"

#define RCC_CR TML_REG32(0x46020C00u)
#define RCC_CFGR1 TML_REG32(0x46020C1Cu)
#define RCC_CFGR2 TML_REG32(0x46020C20u)
#define RCC_PLL1CFGR TML_REG32(0x46020C28u)
#define RCC_PLL1DIVR TML_REG32(0x46020C34u)
#define RCC_AHB3ENR TML_REG32(0x46020C94u)
#define RCC_CCIPR1 TML_REG32(0x46020CE0u)
#define PWR_VOSR TML_REG32(0x4602080Cu)
#define FLASH_ACR TML_REG32(0x40022000u)
#define ICACHE_CR TML_REG32(0x40030400u)

enum { HSION = 1 << 8, HSIRDY = 1 << 10, PLL1ON = 1 << 24, PLL1RDY = 1 << 25, RESET_HZ = 4000000 };
enum { BOOSTRDY = 1 << 14, VOSRDY = 1 << 15, BOOSTEN = 1 << 18 };

uint32_t tml_slower_hz;

void tml_clock_init(void) {
    tml_slower_hz = RESET_HZ;
    RCC_CR |= HSION;
    (void)tml_clock_wait(&RCC_CR, HSIRDY, HSIRDY);
    RCC_CCIPR1 = (RCC_CCIPR1 & ~3u) | 2u; /* USART1SEL: HSI16 */
    ICACHE_CR |= 1u;
    RCC_AHB3ENR |= 1u << 2; /* PWREN */
    (void)RCC_AHB3ENR;
    PWR_VOSR |= 3u << 16; /* VOS: range 1 */
    if (!tml_clock_wait(&PWR_VOSR, VOSRDY, VOSRDY)) return;
    RCC_PLL1CFGR = 1u | 0u << 2 | 0u << 8 | 0u << 12 | 1u << 18; /* from MSIS, 4 to 8 MHz in, M = 1, MBOOST = 1, PLL1REN */
    RCC_PLL1DIVR = (80u - 1u) | 1u << 9 | 1u << 16 | 1u << 24;   /* N, P, Q, R = 2 */
    PWR_VOSR |= BOOSTEN;
    if (!tml_clock_wait(&PWR_VOSR, BOOSTRDY, BOOSTRDY)) return;
    RCC_CR |= PLL1ON;
    if (!tml_clock_wait(&RCC_CR, PLL1RDY, PLL1RDY)) return;
    FLASH_ACR = 4u | 1u << 8; /* LATENCY, PRFTEN */
    if (!tml_clock_wait(&FLASH_ACR, 0xFu, 4u)) return;
    RCC_CFGR2 |= 8u; /* HPRE / 2 while switching to more than 80 MHz */
    RCC_CFGR1 = (RCC_CFGR1 & ~3u) | 3u; /* SW: PLL1 */
    if (!tml_clock_wait(&RCC_CFGR1, 3u << 2, 3u << 2)) return;
    tml_delay_us(1);
    RCC_CFGR2 &= ~0xFu;
    tml_slower_hz = 0;
}
