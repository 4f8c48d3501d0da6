/* SCCB on two pins of an STM32: open drain with pull-ups (OTYPER 0x04, PUPDR 0x0C, see tml_stm32_pins.h). The including file
 * says which: TML_SCCB_SCL and TML_SCCB_SDA. */
#ifndef TML_STM32_SCCB_H
#define TML_STM32_SCCB_H

#include "board_config.h"
#include "tml_stm32_pins.h"

static void sccb_clock(uint32_t high) { tml_stm32_write(TML_SCCB_SCL, high); }
static void sccb_data(uint32_t high) { tml_stm32_write(TML_SCCB_SDA, high); }
static uint32_t sccb_data_read(void) { return tml_stm32_read(TML_SCCB_SDA); }

static inline void sccb_pin(uint32_t pin) {
    const uint32_t n = pin % 16u;
    tml_stm32_enable_port(pin);
    tml_stm32_write(pin, 1);
    TML_REG32(tml_stm32_port(pin) + 0x04u) |= 1u << n;
    TML_REG32(tml_stm32_port(pin) + 0x0Cu) = (TML_REG32(tml_stm32_port(pin) + 0x0Cu) & ~(3u << (2u * n))) | 1u << (2u * n);
    tml_stm32_pin(pin, TML_STM32_OUTPUT, 0);
}

#include "tml_sccb.h"

#endif
