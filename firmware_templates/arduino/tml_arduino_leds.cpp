// Lights by the Arduino core's pin names.
#include <Arduino.h>

#include "board_config.h"

extern "C" {
#include "tml_led.h"
}

static const struct {
    pin_size_t pin;
    bool active_low;
} leds[] = TML_ARDUINO_LEDS;

enum { LEDS = sizeof leds / sizeof leds[0] };

void tml_led_init(void) {
    for (uint32_t i = 0; i < LEDS; ++i) {
        pinMode(leds[i].pin, OUTPUT);
        tml_led_set(i, 0);
    }
}

void tml_led_set(uint32_t index, int on) {
    if (index < LEDS) digitalWrite(leds[index].pin, (on != 0) != leds[index].active_low ? HIGH : LOW);
}
