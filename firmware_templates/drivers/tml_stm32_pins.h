/* Pins of the STM32 F4, F7, H7, L4 and U5, whose GPIO registers lie alike: MODER 0x00, OTYPER 0x04, OSPEEDR 0x08, PUPDR
 * 0x0C, IDR 0x10, BSRR 0x18, AFRL/AFRH 0x20 (RM0090, section 8.4; RM0385, 6.4; RM0433, 11.4; RM0432, 8.4; RM0456, 13.4).
 * A pin is 16 times its port plus its number. */
#ifndef TML_STM32_PINS_H
#define TML_STM32_PINS_H

#include <stdint.h>

#include "board_config.h"
#include "tml_registers.h"

enum { TML_STM32_INPUT = 0, TML_STM32_OUTPUT = 1, TML_STM32_ALTERNATE = 2 };

static inline uint32_t tml_stm32_port(uint32_t pin) { return TML_GPIO_BASE + TML_GPIO_STEP * (pin / 16u); }

static inline void tml_stm32_enable_port(uint32_t pin) {
    TML_REG32(TML_STM32_GPIO_CLOCK_REGISTER) |= 1u << (pin / 16u);
    (void)TML_REG32(TML_STM32_GPIO_CLOCK_REGISTER); /* the clock needs two cycles before the first access */
#ifdef TML_STM32_VDDIO2_PORT_REGISTER
    if (pin / 16u == 6u) { /* port G has its own supply, which has to be declared valid */
        TML_REG32(TML_STM32_VDDIO2_CLOCK_REGISTER) |= 1u << TML_STM32_VDDIO2_CLOCK_BIT;
        (void)TML_REG32(TML_STM32_VDDIO2_CLOCK_REGISTER);
        TML_REG32(TML_STM32_VDDIO2_PORT_REGISTER) |= 1u << TML_STM32_VDDIO2_PORT_BIT;
    }
#endif
}

/* Enables the pin's port and sets its mode, the alternate function where it has one, and high speed. */
static inline void tml_stm32_pin(uint32_t pin, uint32_t mode, uint32_t function) {
    const uint32_t n = pin % 16u, nibble = 4u * (n % 8u);
    tml_stm32_enable_port(pin);
    volatile uint32_t *const moder = &TML_REG32(tml_stm32_port(pin) + 0x00u);
    volatile uint32_t *const ospeedr = &TML_REG32(tml_stm32_port(pin) + 0x08u);
    volatile uint32_t *const afr = &TML_REG32(tml_stm32_port(pin) + 0x20u + 4u * (n / 8u));
    *ospeedr |= 2u << (2u * n);
    *afr = (*afr & ~(0xFu << nibble)) | (function << nibble);
    *moder = (*moder & ~(3u << (2u * n))) | (mode << (2u * n));
}

static inline void tml_stm32_write(uint32_t pin, uint32_t high) {
    TML_REG32(tml_stm32_port(pin) + 0x18u) = 1u << (pin % 16u + (high ? 0u : 16u));
}

static inline uint32_t tml_stm32_read(uint32_t pin) { return TML_REG32(tml_stm32_port(pin) + 0x10u) >> (pin % 16u) & 1u; }

#endif
