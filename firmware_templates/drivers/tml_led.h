/* The board's lights. One of the led_*.c files implements it; an index that the board does not have does nothing. */
#ifndef TML_LED_H
#define TML_LED_H

#include <stdint.h>

/* All lights as outputs, off. Leaves everything alone where a semihosting host answers: an emulator has no lights. */
void tml_led_init(void);

void tml_led_set(uint32_t index, int on);

#endif
