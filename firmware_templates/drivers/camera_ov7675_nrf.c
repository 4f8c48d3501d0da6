/* OV7675 on the nRF52840: the pixel bytes are read from port 1 by hand, a line at a time, 160 x 120 RGB565.
 *
 * The sensor's clock is the I2S master clock (nRF52840 Product Specification v1.7, section 6.14: CONFIG.MCKEN and MCKFREQ),
 * 16 MHz. A counter counts HREF's edges through PPI and GPIOTE (sections 6.10, 6.16 and 6.30), so that a line that went by
 * while the application computed is noticed. OV7670 Implementation Guide, section 6: 16 MHz / 16 x 4 = 4 MHz inside, a
 * frame takes 200 ms, its pixel clock is a quarter of that, 1 MHz, which leaves 64 cycles a byte. */
#include <stddef.h>

#include "board_config.h"
#include "tml_camera_source.h"
#include "tml_ov7670.h"
#include "tml_registers.h"

#define P0_IN TML_REG32(0x50000510u)
#define P1_IN TML_REG32(0x50000810u)
#define GPIO(pin, offset) TML_REG32(0x50000000u + 0x300u * ((pin) / 32u) + (offset))
#define PIN_CNF(pin) GPIO(pin, 0x700u + 4u * ((pin) % 32u))
#define BIT(pin) (1u << ((pin) % 32u))

#define I2S(offset) TML_REG32(0x40025000u + (offset))
#define GPIOTE_CONFIG0 TML_REG32(0x40006510u)
#define GPIOTE_EVENTS_IN0 0x40006100u
#define PPI_CHENSET TML_REG32(0x4001F504u)
#define PPI_CH0_EEP TML_REG32(0x4001F510u)
#define PPI_CH0_TEP TML_REG32(0x4001F514u)
#define TIMER1(offset) TML_REG32(0x40009000u + (offset))

enum { CNF_INPUT = 0, CNF_OPEN_DRAIN = 0x60C }; /* CNF_OPEN_DRAIN: input connected, pull-up, S0D1 */
enum { CLKRC_BY_16 = 0x0F, VSTART_CENTRED = 0x22, FRAME_TRIES = 4000000, LINE_TRIES = 400000, BYTE_TRIES = 2000 };

/* Drive strength S0D1 with the direction out: a one is released to the pull-up. PS 6.9.4.10, PIN_CNF. */
static void sccb_clock(uint32_t high) { GPIO(TML_CAMERA_SCL, high ? 0x508u : 0x50Cu) = BIT(TML_CAMERA_SCL); }
static void sccb_data(uint32_t high) { GPIO(TML_CAMERA_SDA, high ? 0x508u : 0x50Cu) = BIT(TML_CAMERA_SDA); }
static uint32_t sccb_data_read(void) { return GPIO(TML_CAMERA_SDA, 0x510u) >> (TML_CAMERA_SDA % 32u) & 1u; }

#include "tml_sccb.h"

static uint8_t line[TML_CAMERA_LINE_BYTES];
static uint32_t lines_taken;

static void start_clock(void) {
    I2S(0x510u) = 1;                /* CONFIG.MCKEN */
    I2S(0x514u) = 0x80000000u;      /* CONFIG.MCKFREQ: 32 MHz / 2 */
    I2S(0x504u) = 0;                /* CONFIG.MODE: master */
    I2S(0x560u) = TML_CAMERA_XCLK;  /* PSEL.MCK */
    I2S(0x500u) = 1;                /* ENABLE */
    I2S(0x000u) = 1;                /* TASKS_START */
}

static void count_lines(void) {
    GPIOTE_CONFIG0 = 1u | (TML_CAMERA_HREF % 32u) << 8 | (TML_CAMERA_HREF / 32u) << 13 | 1u << 16; /* event, low to high */
    TIMER1(0x504u) = 1; /* MODE: counter */
    TIMER1(0x508u) = 3; /* BITMODE: 32 bits */
    PPI_CH0_EEP = GPIOTE_EVENTS_IN0;
    PPI_CH0_TEP = 0x40009008u; /* TASKS_COUNT */
    PPI_CHENSET = 1;
    TIMER1(0x000u) = 1; /* TASKS_START */
}

static uint32_t lines_begun(void) {
    TIMER1(0x040u) = 1; /* TASKS_CAPTURE[0] */
    return TIMER1(0x540u);
}

int tml_sensor_start(void) {
    static const uint8_t inputs[] = {TML_CAMERA_VSYNC, TML_CAMERA_HREF, TML_CAMERA_PCLK, TML_CAMERA_D0, TML_CAMERA_D1,
                                     TML_CAMERA_D2,    TML_CAMERA_D3,   TML_CAMERA_D4,   TML_CAMERA_D5, TML_CAMERA_D6,
                                     TML_CAMERA_D7};
    for (uint32_t i = 0; i < sizeof inputs; ++i) PIN_CNF(inputs[i]) = CNF_INPUT;
    sccb_clock(1);
    sccb_data(1);
    PIN_CNF(TML_CAMERA_SCL) = CNF_OPEN_DRAIN | 1u;
    PIN_CNF(TML_CAMERA_SDA) = CNF_OPEN_DRAIN | 1u;
    GPIO(TML_CAMERA_XCLK, 0x518u) = BIT(TML_CAMERA_XCLK); /* DIRSET */
    start_clock();
    tml_delay_ms(20);
    (void)sccb_write(OV7670_ADDRESS, 1, 0x12, 0x80); /* COM7: reset */
    tml_delay_ms(5);
    if (sccb_read(OV7670_ADDRESS, 1, 0x0A) != OV7670_PRODUCT) return TML_CAMERA_ABSENT;
    (void)sccb_write(OV7670_ADDRESS, 1, 0x11, CLKRC_BY_16);
    (void)sccb_write(OV7670_ADDRESS, 1, 0x19, VSTART_CENTRED);
    for (uint32_t i = 0; i < sizeof ov7670_settings / sizeof ov7670_settings[0]; ++i) {
        (void)sccb_write(OV7670_ADDRESS, 1, ov7670_settings[i][0], ov7670_settings[i][1]);
    }
    count_lines();
    tml_delay_ms(300); /* exposure and white balance settle */
    return TML_CAMERA_OK;
}

/* Waits until `pin` of port 0 is high or low, at most `tries` reads. */
static bool wait_for(uint32_t pin, bool high, uint32_t tries) {
    while (((P0_IN >> pin & 1u) != 0) != high) {
        if (--tries == 0) return false;
    }
    return true;
}

int tml_sensor_begin_frame(void) {
    if (!wait_for(TML_CAMERA_VSYNC, true, FRAME_TRIES) || !wait_for(TML_CAMERA_VSYNC, false, FRAME_TRIES)) {
        return TML_CAMERA_TIMEOUT;
    }
    TIMER1(0x00Cu) = 1; /* TASKS_CLEAR */
    lines_taken = 0;
    return TML_CAMERA_OK;
}

/* Data bits 0 and 1 are pins 2 and 3 of the port, bits 2 to 7 are pins 10 to 15. */
static uint8_t data_byte(uint32_t port) { return (uint8_t)((port >> 2 & 0x03u) | (port >> 8 & 0xFCu)); }

/* The bytes of the line that has begun, as fast as they come; false where the clock stops. */
static bool read_line(void) {
    const uint32_t clock = 1u << TML_CAMERA_PCLK;
    for (uint32_t i = 0; i < TML_CAMERA_LINE_BYTES; ++i) {
        uint32_t tries = BYTE_TRIES;
        while ((P0_IN & clock) == 0 && --tries > 0) { /* the byte is valid at the rising edge */
        }
        line[i] = data_byte(P1_IN);
        while ((P0_IN & clock) != 0 && tries > 0) --tries;
        if (tries == 0) return false;
    }
    return true;
}

const uint8_t *tml_sensor_next_line(void) {
    if (lines_begun() != lines_taken) return NULL; /* it has begun already */
    if (!wait_for(TML_CAMERA_HREF, true, LINE_TRIES)) return NULL;
    __asm__ volatile("cpsid i" ::: "memory"); /* USB's interrupt, where the console is there, would take bytes' time; it can wait */
    const bool whole = read_line();
    __asm__ volatile("cpsie i" ::: "memory");
    if (!whole) return NULL;
    ++lines_taken;
    return lines_begun() == lines_taken ? line : NULL;
}
