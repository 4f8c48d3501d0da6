/* HM01B0 on the RP2040 and RP2350: its one-bit serial output, 160 x 120 grey, taken by a PIO state machine and DMA into a
 * frame buffer, so that the application may be as slow as it is.
 *
 * RP2040 datasheet, sections 3.4 and 3.5 (PIO instructions, configuration), 3.7 (registers), 2.5.7 (DMA registers), 2.14
 * (resets), 2.3.1.7 (SIO); RP2350 datasheet, sections 11.4 to 11.7, 12.6.10, 7.5 and 3.1.11. Himax HM01B0 datasheet v1.0,
 * section 10 (registers); the windows' sizes are those of ArmDeveloperEcosystem/hm01b0-library-for-pico. */
#include <stddef.h>

#include "board_config.h"
#include "tml_camera_source.h"
#include "tml_clock.h"
#include "tml_registers.h"

#define PIO(offset) TML_REG32(0x50200000u + (offset))
#define DMA(offset) TML_REG32(0x50000000u + (offset))
#define SIO(offset) TML_REG32(0xD0000000u + (offset))
#define PAD(pin) TML_REG32(TML_RP2_PADS_BANK0_BASE + 0x04u + 4u * (pin))
#define GPIO_CTRL(pin) TML_REG32(TML_RP2_IO_BANK0_BASE + 0x04u + 8u * (pin))
#define RESETS_CLEAR TML_REG32(TML_RP2_RESETS_BASE + 0x3000u)
#define RESETS_DONE TML_REG32(TML_RP2_RESETS_BASE + 0x08u)
#define SIO_IN SIO(0x04u)

/* Fields that lie elsewhere in the RP2350's DMA and SIO. */
#if TML_RP2_IS_RP2350
#define GPIO_OUT_CLR SIO(0x20u)
#define GPIO_OE_SET SIO(0x38u)
#define GPIO_OE_CLR SIO(0x40u)
#define DMA_ABORT DMA(0x464u)
enum { DMA_WRITE_STEPS = 1 << 6, DMA_REQUEST_SHIFT = 17, DMA_BUSY_SHIFT = 26, PIO0_AND_DMA = 1 << 11 | 1 << 2 };
#else
#define GPIO_OUT_CLR SIO(0x18u)
#define GPIO_OE_SET SIO(0x24u)
#define GPIO_OE_CLR SIO(0x28u)
#define DMA_ABORT DMA(0x444u)
enum { DMA_WRITE_STEPS = 1 << 5, DMA_REQUEST_SHIFT = 15, DMA_BUSY_SHIFT = 24, PIO0_AND_DMA = 1 << 10 | 1 << 2 };
#endif

#define NEEDED ((uint32_t)PIO0_AND_DMA | TML_RP2_PINS_RESET)

enum { PAD_INPUT = 1 << 6 | 1 << 1, PAD_PULL_UP = 1 << 3, FUNCTION_SIO = 5, FUNCTION_NONE = 31 };
enum { ADDRESS = 0x24, DMA_ENABLE = 1, REQUEST_PIO0_RX0 = 4, BITS_A_PIXEL = 8, BORDER = 2, FRAME_TRIES = 40000000 };

/* Open drain: the output is low or off. */
static void open_drain(uint32_t pin, uint32_t high) {
    if (high) {
        GPIO_OE_CLR = 1u << pin;
    } else {
        GPIO_OE_SET = 1u << pin;
    }
}
static void sccb_clock(uint32_t high) { open_drain(TML_CAMERA_SCL, high); }
static void sccb_data(uint32_t high) { open_drain(TML_CAMERA_SDA, high); }
static uint32_t sccb_data_read(void) { return SIO_IN >> TML_CAMERA_SDA & 1u; }

#include "tml_sccb.h"

static const struct {
    uint16_t reg;
    uint8_t value;
} settings[] = {
    {0x3059, 0x22}, /* BIT_CONTROL: one bit */
    {0x0383, 0x03}, {0x0387, 0x03}, {0x0390, 0x03}, /* READOUT_X, READOUT_Y, BINNING_MODE: by two */
    {0x3010, 0x01}, /* QVGA_WIN_EN */
    {0x0340, 0x00}, {0x0341, 0x80}, {0x0342, 0x00}, {0x0343, 0xD7}, /* lines of a frame, pixel clocks of a line */
    {0x3060, 0x08}, /* OSC_CLK_DIV */
    {0x2100, 0x01}, /* AE_CTRL: automatic exposure */
    {0x0104, 0x01}, /* GRP_PARAM_HOLD: take effect */
    {0x0100, 0x01}, /* MODE_SELECT: streaming */
};

#define WAIT_PIN(pin, level) (0x2000u | (level) << 7 | (pin)) /* wait for a GPIO's level */
#define JUMP_IF_Y(to) (0x0080u | (to))                       /* while Y, counting down */
#define JUMP_IF_X(to) (0x0040u | (to))
#define SET_Y(value) (0xE040u | (value))

enum { LINE_BEGINS = 7, LINE_ENDS = 17 };
static const uint16_t program[] = {
    0x80A0,                        /* 0: pull: bits of a line less one */
    WAIT_PIN(TML_CAMERA_VSYNC, 0u), /* 1 */
    WAIT_PIN(TML_CAMERA_VSYNC, 1u), /* 2: a frame begins */
    SET_Y(BORDER - 1u),             /* 3 */
    WAIT_PIN(TML_CAMERA_HREF, 1u),  /* 4: lines of the border */
    WAIT_PIN(TML_CAMERA_HREF, 0u),  /* 5 */
    JUMP_IF_Y(4u),                  /* 6 */
    0xA027,                        /* 7: mov x, osr */
    WAIT_PIN(TML_CAMERA_HREF, 1u),  /* 8 */
    SET_Y(BORDER * BITS_A_PIXEL - 1u), /* 9 */
    WAIT_PIN(TML_CAMERA_PCLK, 1u),  /* 10: pixels of the border */
    WAIT_PIN(TML_CAMERA_PCLK, 0u),  /* 11 */
    JUMP_IF_Y(10u),                 /* 12 */
    WAIT_PIN(TML_CAMERA_PCLK, 1u),  /* 13 */
    0x4001,                        /* 14: in pins, 1 */
    WAIT_PIN(TML_CAMERA_PCLK, 0u),  /* 15 */
    JUMP_IF_X(13u),                 /* 16 */
    WAIT_PIN(TML_CAMERA_HREF, 0u),  /* 17 */
};

static uint8_t frame[TML_CAMERA_LINE_BYTES * TML_CAMERA_HEIGHT];
static uint32_t next;

static void input(uint32_t pin, uint32_t pad) {
    PAD(pin) = PAD_INPUT | pad; /* also ends the RP2350's isolation */
    GPIO_CTRL(pin) = pad ? FUNCTION_SIO : FUNCTION_NONE;
}

static void load_program(void) {
    for (uint32_t i = 0; i < sizeof program / sizeof program[0]; ++i) PIO(0x048u + 4u * i) = program[i];
    PIO(0x0C8u) = 1u << 16;                                  /* SM0_CLKDIV: the core's clock */
    PIO(0x0CCu) = LINE_BEGINS << 7 | LINE_ENDS << 12;        /* SM0_EXECCTRL: wrap */
    PIO(0x0D0u) = 1u << 16 | 1u << 18 | 8u << 20;            /* SM0_SHIFTCTRL: push every 8 bits, the first lowest */
    PIO(0x0DCu) = (uint32_t)TML_CAMERA_D0 << 15;             /* SM0_PINCTRL: IN_BASE */
}

int tml_sensor_start(void) {
    RESETS_CLEAR = NEEDED;
    if (!tml_clock_wait(&RESETS_DONE, NEEDED, NEEDED)) return TML_CAMERA_ABSENT;
    GPIO_OUT_CLR = 1u << TML_CAMERA_SCL | 1u << TML_CAMERA_SDA;
    sccb_clock(1);
    sccb_data(1);
    input(TML_CAMERA_SCL, PAD_PULL_UP);
    input(TML_CAMERA_SDA, PAD_PULL_UP);
    input(TML_CAMERA_VSYNC, 0);
    input(TML_CAMERA_HREF, 0);
    input(TML_CAMERA_PCLK, 0);
    input(TML_CAMERA_D0, 0);
    if (sccb_read(ADDRESS, 2, 0x0000) != 0x01 || sccb_read(ADDRESS, 2, 0x0001) != 0xB0) return TML_CAMERA_ABSENT;
    (void)sccb_write(ADDRESS, 2, 0x0103, 0x01); /* SW_RESET */
    tml_delay_ms(10);
    for (uint32_t i = 0; i < sizeof settings / sizeof settings[0]; ++i) {
        (void)sccb_write(ADDRESS, 2, settings[i].reg, settings[i].value);
    }
    load_program();
    return TML_CAMERA_OK;
}

int tml_sensor_begin_frame(void) {
    PIO(0x000u) = 0;                /* CTRL: stop */
    PIO(0x0D0u) ^= 1u << 31;        /* changing FJOIN_RX empties the FIFOs */
    PIO(0x0D0u) ^= 1u << 31;
    PIO(0x000u) = 1u << 4;          /* CTRL: SM_RESTART */
    PIO(0x0D8u) = 0x0000u;          /* SM0_INSTR: jump to the program's beginning */
    PIO(0x010u) = TML_CAMERA_WIDTH * BITS_A_PIXEL - 1u; /* TXF0 */
    DMA(0x00u) = 0x50200020u + 3u;  /* READ_ADDR: the highest byte of RXF0, where eight bits shifted right arrive */
    DMA(0x04u) = (uint32_t)(uintptr_t)frame;
    DMA(0x08u) = sizeof frame;
    DMA(0x0Cu) = DMA_ENABLE | DMA_WRITE_STEPS | (uint32_t)REQUEST_PIO0_RX0 << DMA_REQUEST_SHIFT; /* chained to itself: to none */
    PIO(0x000u) = 1;
    uint32_t tries = FRAME_TRIES;
    while ((DMA(0x0Cu) >> DMA_BUSY_SHIFT & 1u) != 0 && --tries > 0) {
    }
    PIO(0x000u) = 0;
    next = 0;
    if (tries > 0) return TML_CAMERA_OK;
    DMA_ABORT = 1;
    return TML_CAMERA_TIMEOUT;
}

const uint8_t *tml_sensor_next_line(void) {
    return next < TML_CAMERA_HEIGHT ? frame + TML_CAMERA_LINE_BYTES * next++ : NULL;
}
