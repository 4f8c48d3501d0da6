/* GPIO outputs through SIO: RP2040 datasheet, sections 2.3.1.7 (SIO), 2.14 (resets: IO_BANK0, PADS_BANK0) and 2.19.6 (IO, pads);
 * RP2350 datasheet, sections 3.1.11, 7.5 and 9.11. The RP2350's SIO has its high bank's registers between those of the low one. */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_led.h"
#include "tml_registers.h"
#include "tml_semihosting.h"

#define SIO_BASE 0xD0000000u
#if TML_RP2_IS_RP2350
#define GPIO_OUT_SET TML_REG32(SIO_BASE + 0x18u)
#define GPIO_OUT_CLR TML_REG32(SIO_BASE + 0x20u)
#define GPIO_OE_SET TML_REG32(SIO_BASE + 0x38u)
#else
#define GPIO_OUT_SET TML_REG32(SIO_BASE + 0x14u)
#define GPIO_OUT_CLR TML_REG32(SIO_BASE + 0x18u)
#define GPIO_OE_SET TML_REG32(SIO_BASE + 0x24u)
#endif
#define RESETS_CLEAR TML_REG32(TML_RP2_RESETS_BASE + 0x3000u)
#define RESETS_DONE TML_REG32(TML_RP2_RESETS_BASE + 0x08u)

enum { FUNCTION_SIO = 5, PAD_OUTPUT_DISABLE = 1 << 7, PAD_ISOLATION = 1 << 8 };

static const struct {
    uint8_t pin;
    uint8_t active_low;
} leds[TML_LED_COUNT] = TML_LED_PINS;

void tml_led_init(void) {
    if (tml_host_present()) return;
    RESETS_CLEAR = TML_RP2_PINS_RESET; /* a console on the USB socket needs no pins */
    (void)tml_clock_wait(&RESETS_DONE, TML_RP2_PINS_RESET, TML_RP2_PINS_RESET);
    for (uint32_t i = 0; i < TML_LED_COUNT; ++i) {
        tml_led_set(i, 0);
        GPIO_OE_SET = 1u << leds[i].pin;
        TML_REG32(TML_RP2_IO_BANK0_BASE + 0x04u + 8u * leds[i].pin) = FUNCTION_SIO;
        TML_REG32(TML_RP2_PADS_BANK0_BASE + 0x04u + 4u * leds[i].pin) &= ~(uint32_t)(PAD_OUTPUT_DISABLE | PAD_ISOLATION);
    }
}

void tml_led_set(uint32_t index, int on) {
    if (index >= TML_LED_COUNT || tml_host_present()) return;
    if ((on != 0) != (leds[index].active_low != 0)) {
        GPIO_OUT_SET = 1u << leds[index].pin;
    } else {
        GPIO_OUT_CLR = 1u << leds[index].pin;
    }
}
