/* Lights on GPIO outputs of the STM32. */
#include "board_config.h"
#include "tml_led.h"
#include "tml_semihosting.h"
#include "tml_stm32_pins.h"

static const struct {
    uint8_t pin; /* 16 for each port */
    uint8_t active_low;
} leds[TML_LED_COUNT] = TML_LED_PINS;

void tml_led_init(void) {
    if (tml_host_present()) return;
    for (uint32_t i = 0; i < TML_LED_COUNT; ++i) {
        tml_stm32_enable_port(leds[i].pin);
        tml_led_set(i, 0);
        tml_stm32_pin(leds[i].pin, TML_STM32_OUTPUT, 0);
    }
}

void tml_led_set(uint32_t index, int on) {
    if (index >= TML_LED_COUNT || tml_host_present()) return;
    tml_stm32_write(leds[index].pin, (on != 0) != (leds[index].active_low != 0));
}
