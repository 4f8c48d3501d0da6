/* A board without lights. */
#include "tml_led.h"

void tml_led_init(void) {}

void tml_led_set(uint32_t index, int on) {
    (void)index;
    (void)on;
}
