/* Gives the console's pins to their peripheral: MODER, PUPDR and AFRL/AFRH lie alike in the STM32 F4, F7, H7, L4 and U5
 * (for example RM0090, section 8.4; RM0433, section 11.4; RM0456, section 13.6). */
#ifndef TML_STM32_GPIO_H
#define TML_STM32_GPIO_H

#include "board_config.h"
#include "tml_registers.h"

static inline void tml_stm32_alternate_function(uint32_t port, uint32_t pin) {
    volatile uint32_t *const moder = &TML_REG32(port + 0x00u);
    volatile uint32_t *const afr = &TML_REG32(port + 0x20u + 4u * (pin / 8u));
    const uint32_t nibble = 4u * (pin % 8u);
    *afr = (*afr & ~(0xFu << nibble)) | ((uint32_t)TML_UART_TX_FUNCTION << nibble);
    *moder = (*moder & ~(3u << (2u * pin))) | (2u << (2u * pin));
}

static inline void tml_stm32_console_pin(void) {
    TML_REG32(TML_STM32_GPIO_CLOCK_REGISTER) |= 1u << TML_STM32_GPIO_CLOCK_BIT;
    (void)TML_REG32(TML_STM32_GPIO_CLOCK_REGISTER); /* the clock needs two cycles before the first access */
#ifdef TML_STM32_VDDIO2_REGISTER
    /* Port G of the L4+ has its own supply, which has to be declared valid: RM0432, section 5.4.2, PWR_CR2.IOSV */
    TML_REG32(TML_STM32_PWR_CLOCK_REGISTER) |= 1u << TML_STM32_PWR_CLOCK_BIT;
    (void)TML_REG32(TML_STM32_PWR_CLOCK_REGISTER);
    TML_REG32(TML_STM32_VDDIO2_REGISTER) |= 1u << TML_STM32_VDDIO2_BIT;
#endif
    tml_stm32_alternate_function(TML_UART_TX_GPIO_BASE, TML_UART_TX_PIN);
    TML_REG32(TML_STM32_UART_CLOCK_REGISTER) |= 1u << TML_STM32_UART_CLOCK_BIT;
    (void)TML_REG32(TML_STM32_UART_CLOCK_REGISTER);
}

/* The RX pin, which has the same function as TX on these boards and may lie on another port; pulled up, so that an open
 * line is idle. */
static inline void tml_stm32_console_rx_pin(void) {
    TML_REG32(TML_STM32_GPIO_CLOCK_REGISTER) |= 1u << TML_STM32_RX_GPIO_CLOCK_BIT;
    (void)TML_REG32(TML_STM32_GPIO_CLOCK_REGISTER);
    volatile uint32_t *const pupdr = &TML_REG32(TML_UART_RX_GPIO_BASE + 0x0Cu);
    *pupdr = (*pupdr & ~(3u << (2u * TML_UART_RX_PIN))) | (1u << (2u * TML_UART_RX_PIN));
    tml_stm32_alternate_function(TML_UART_RX_GPIO_BASE, TML_UART_RX_PIN);
}

#endif
