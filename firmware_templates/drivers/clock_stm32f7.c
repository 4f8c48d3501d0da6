/* STM32F746 at 216 MHz: crystal / TML_HSE_MHZ x 432 / 2 in over-drive; APB1 at 54 MHz, APB2 at 108 MHz; USART1 stays on the
 * 16 MHz HSI, and does not depend on the PLL.
 * RM0385, sections 3.3.2 and 3.7.1 (flash: 7 wait states, ART), 4.1.4 (over-drive), 4.4 (PWR), 5.3 (RCC; DCKCFGR2 5.3.26). */
#include "board_config.h"
#include "tml_cache.h"
#include "tml_clock.h"
#include "tml_registers.h"

#define RCC_CR TML_REG32(0x40023800u)
#define RCC_PLLCFGR TML_REG32(0x40023804u)
#define RCC_CFGR TML_REG32(0x40023808u)
#define RCC_APB1ENR TML_REG32(0x40023840u)
#define RCC_DCKCFGR2 TML_REG32(0x40023890u)
#define PWR_CR1 TML_REG32(0x40007000u)
#define PWR_CSR1 TML_REG32(0x40007004u)
#define FLASH_ACR TML_REG32(0x40023C00u)

enum { HSEON = 1 << 16, HSERDY = 1 << 17, PLLON = 1 << 24, PLLRDY = 1 << 25, RESET_HZ = 16000000 };
enum { ODEN = 1 << 16, ODSWEN = 1 << 17, ODRDY = 1 << 16, ODSWRDY = 1 << 17 };

uint32_t tml_slower_hz;

void tml_clock_init(void) {
    tml_slower_hz = RESET_HZ;
    RCC_DCKCFGR2 = (RCC_DCKCFGR2 & ~3u) | 2u; /* USART1SEL: HSI */
    tml_cache_enable();
    RCC_CR |= HSEON;
    if (!tml_clock_wait(&RCC_CR, HSERDY, HSERDY)) return;
    RCC_APB1ENR |= 1u << 28; /* PWREN */
    (void)RCC_APB1ENR;
    PWR_CR1 |= 3u << 14; /* VOS: scale 1 */
    RCC_PLLCFGR = TML_HSE_MHZ | 432u << 6 | 0u << 16 | 1u << 22 | 9u << 24 | 2u << 28; /* M, N, P = 2, HSE, Q; reserved */
    RCC_CR |= PLLON;
    PWR_CR1 |= ODEN;
    if (!tml_clock_wait(&PWR_CSR1, ODRDY, ODRDY)) return;
    PWR_CR1 |= ODSWEN;
    if (!tml_clock_wait(&PWR_CSR1, ODSWRDY, ODSWRDY)) return;
    if (!tml_clock_wait(&RCC_CR, PLLRDY, PLLRDY)) return;
    FLASH_ACR = 7u | 1u << 8 | 1u << 9; /* LATENCY, PRFTEN, ARTEN */
    if (!tml_clock_wait(&FLASH_ACR, 0xFu, 7u)) return;
    RCC_CFGR = 5u << 10 | 4u << 13; /* PPRE1 / 4, PPRE2 / 2 */
    RCC_CFGR |= 2u;                 /* SW: PLL */
    if (tml_clock_wait(&RCC_CFGR, 3u << 2, 2u << 2)) tml_slower_hz = 0;
}
