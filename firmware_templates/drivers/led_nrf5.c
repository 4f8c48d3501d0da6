/* GPIO outputs of the nRF51 (Reference Manual v3.0, chapter 14) and nRF52840 (Product Specification v1.7, section 6.9):
 * OUTSET 0x508, OUTCLR 0x50C, DIRSET 0x518. */
#include "board_config.h"
#include "tml_led.h"
#include "tml_registers.h"
#include "tml_semihosting.h"

static const struct {
    uint8_t pin; /* 32 for each port */
    uint8_t active_low;
} leds[TML_LED_COUNT] = TML_LED_PINS;

#ifdef TML_LED_LOW_PINS
static const uint8_t low_pins[] = TML_LED_LOW_PINS; /* the columns of a matrix whose rows are the lights */
#endif

static volatile uint32_t *reg(uint32_t pin, uint32_t offset) {
    return &TML_REG32(TML_GPIO_BASE + TML_GPIO_STEP * (pin / 32u) + offset);
}

void tml_led_init(void) {
    if (tml_host_present()) return;
#ifdef TML_LED_LOW_PINS
    for (uint32_t i = 0; i < sizeof low_pins; ++i) {
        *reg(low_pins[i], 0x50Cu) = 1u << (low_pins[i] % 32u);
        *reg(low_pins[i], 0x518u) = 1u << (low_pins[i] % 32u);
    }
#endif
    for (uint32_t i = 0; i < TML_LED_COUNT; ++i) {
        tml_led_set(i, 0);
        *reg(leds[i].pin, 0x518u) = 1u << (leds[i].pin % 32u);
    }
}

void tml_led_set(uint32_t index, int on) {
    if (index >= TML_LED_COUNT || tml_host_present()) return;
    const uint32_t high = (on != 0) != (leds[index].active_low != 0);
    *reg(leds[index].pin, high ? 0x508u : 0x50Cu) = 1u << (leds[index].pin % 32u);
}
