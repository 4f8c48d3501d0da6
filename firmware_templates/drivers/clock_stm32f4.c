/* STM32F405 at 168 MHz: crystal / TML_HSE_MHZ x 336 / 2; APB1 at 42 MHz, APB2 at 84 MHz.
 * RM0090, sections 3.5.1 and 3.9.1 (flash: 5 wait states, prefetch, caches), 5.4.1 (PWR_CR), 7.3 (RCC).
 *
 * The chip's DFU bootloader jumps here without a reset (AN3156, "leave DFU mode"), perhaps on a PLL of its own, whose numbers can't be
 * changed while it is on, and with interrupts that nobody here serves. */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_registers.h"

#define RCC_CR TML_REG32(0x40023800u)
#define RCC_PLLCFGR TML_REG32(0x40023804u)
#define RCC_CFGR TML_REG32(0x40023808u)
#define RCC_APB1ENR TML_REG32(0x40023840u)
#define PWR_CR TML_REG32(0x40007000u)
#define FLASH_ACR TML_REG32(0x40023C00u)

enum { HSEON = 1 << 16, HSERDY = 1 << 17, PLLON = 1 << 24, PLLRDY = 1 << 25, RESET_HZ = 16000000 };

#define NVIC_ICER(n) TML_REG32(0xE000E180u + 4u * (n))

enum { HSION = 1 << 0, HSIRDY = 1 << 1, SWS = 3 << 2, INTERRUPTS = 82 };

uint32_t tml_slower_hz;

/* As after a reset: on HSI, without PLL, no interrupt enabled. */
static bool from_the_beginning(void) {
    for (uint32_t n = 0; 32u * n < INTERRUPTS; ++n) NVIC_ICER(n) = 0xFFFFFFFFu;
    if ((RCC_CFGR & SWS) != 0) {
        RCC_CR |= HSION;
        if (!tml_clock_wait(&RCC_CR, HSIRDY, HSIRDY)) return false;
        RCC_CFGR = 0;
        if (!tml_clock_wait(&RCC_CFGR, SWS, 0)) return false;
    }
    RCC_CR &= ~(uint32_t)PLLON;
    return tml_clock_wait(&RCC_CR, PLLRDY, 0);
}

void tml_clock_init(void) {
    tml_slower_hz = RESET_HZ;
    if (!from_the_beginning()) return;
    RCC_CR |= HSEON;
    if (!tml_clock_wait(&RCC_CR, HSERDY, HSERDY)) return;
    RCC_APB1ENR |= 1u << 28; /* PWREN */
    (void)RCC_APB1ENR;
    PWR_CR |= 1u << 14; /* VOS: scale 1 */
    RCC_PLLCFGR = TML_HSE_MHZ | 336u << 6 | 0u << 16 | 1u << 22 | 7u << 24 | 2u << 28; /* M, N, P = 2, HSE, Q; reserved */
    RCC_CR |= PLLON;
    if (!tml_clock_wait(&RCC_CR, PLLRDY, PLLRDY)) return;
    FLASH_ACR = 5u | 1u << 8 | 1u << 9 | 1u << 10; /* LATENCY, PRFTEN, ICEN, DCEN */
    if (!tml_clock_wait(&FLASH_ACR, 0xFu, 5u)) return;
    RCC_CFGR = 5u << 10 | 4u << 13; /* PPRE1 / 4, PPRE2 / 2 */
    RCC_CFGR |= 2u;                 /* SW: PLL */
    if (tml_clock_wait(&RCC_CFGR, 3u << 2, 2u << 2)) tml_slower_hz = 0;
}
