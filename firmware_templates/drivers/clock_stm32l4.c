/* STM32L4R5 at 120 MHz: MSI 4 MHz x 60 / 2 in range 1 boost mode; the console's UART takes the 16 MHz HSI, and does not
 * depend on the PLL.
 * RM0432, sections 3.3.3 and 3.7.1 (flash: 5 wait states, prefetch, caches), 5.1.8 and 5.4.22 (PWR_CR5.R1MODE; above 80 MHz the
 * bus is halved while switching), 6.4 (RCC; CCIPR 6.4.28). */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_delay.h"
#include "tml_registers.h"

#define RCC_CR TML_REG32(0x40021000u)
#define RCC_CFGR TML_REG32(0x40021008u)
#define RCC_PLLCFGR TML_REG32(0x4002100Cu)
#define RCC_APB1ENR1 TML_REG32(0x40021058u)
#define RCC_CCIPR TML_REG32(0x40021088u)
#define PWR_CR5 TML_REG32(0x40007080u)
#define FLASH_ACR TML_REG32(0x40022000u)

enum { HSION = 1 << 8, HSIRDY = 1 << 10, PLLON = 1 << 24, PLLRDY = 1 << 25, RESET_HZ = 4000000 };

uint32_t tml_slower_hz;

void tml_clock_init(void) {
    tml_slower_hz = RESET_HZ;
    RCC_CR |= HSION;
    (void)tml_clock_wait(&RCC_CR, HSIRDY, HSIRDY);
    RCC_CCIPR = (RCC_CCIPR & ~(3u | 3u << 10)) | 2u | 2u << 10; /* USART1SEL, LPUART1SEL: HSI16 */
    RCC_APB1ENR1 |= 1u << 28; /* PWREN */
    (void)RCC_APB1ENR1;
    PWR_CR5 &= ~(1u << 8); /* R1MODE: boost */
    RCC_PLLCFGR = 1u | 0u << 4 | 60u << 8 | 1u << 24; /* from MSI, M = 1, N, PLLREN, R = 2 */
    RCC_CR |= PLLON;
    if (!tml_clock_wait(&RCC_CR, PLLRDY, PLLRDY)) return;
    FLASH_ACR = 5u | 1u << 8 | 1u << 9 | 1u << 10; /* LATENCY, PRFTEN, ICEN, DCEN */
    if (!tml_clock_wait(&FLASH_ACR, 0xFu, 5u)) return;
    RCC_CFGR = 8u << 4; /* HPRE / 2 */
    RCC_CFGR |= 3u;     /* SW: PLL */
    if (!tml_clock_wait(&RCC_CFGR, 3u << 2, 3u << 2)) return;
    tml_delay_us(1);
    RCC_CFGR = 3u; /* HPRE / 1 */
    tml_slower_hz = 0;
}
