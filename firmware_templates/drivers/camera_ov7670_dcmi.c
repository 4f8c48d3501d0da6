/* OV7670 or OV7675 module on the camera interface of an STM32H7, L4 or U5: 160 x 120 RGB565, lines by DMA into a buffer of
 * two, round and round, so that no frame has to be held. Its clock of 16 MHz comes from the MCU's output MCO.
 *
 * RM0433, RM0432 and RM0456, chapters "Digital camera interface (DCMI)", whose registers lie alike, and "DMA request
 * multiplexer" or its table of requests (DCMI is number 75, 90 and 86). DMA sets a flag at the buffer's half and one at its
 * end: H7 streams ("Direct memory access controller", DMA_LISR and DMA_SxCR), L4 channels (DMA_ISR and DMA_CCRx), U5
 * "General purpose direct memory access controller", whose linked list of one item begins the block anew (GPDMA_CxLLR).
 * Clock: 16 MHz / 6 x 4 = 10.7 MHz inside, 13 frames a second. Polarities of the sensor after reset: data valid while HREF
 * is high, VSYNC high between frames, pixels taken at the rising edge. */
#include <stddef.h>

#include "board_config.h"
#include "tml_cache.h"
#include "tml_camera_source.h"
#include "tml_ov7670.h"
#include "tml_registers.h"

#define TML_SCCB_SCL TML_CAMERA_SCL
#define TML_SCCB_SDA TML_CAMERA_SDA
#include "tml_stm32_sccb.h"

#define DCMI(offset) TML_REG32(TML_CAMERA_DCMI_BASE + (offset)) /* CR 0, ICR 0x14, DR 0x28 */
#define DMAMUX1(channel) TML_REG32(0x40020800u + 4u * (channel))

enum { CLKRC_BY_6 = 0x05, LINE_TRIES = 40000000, WORDS = 2 * TML_CAMERA_LINE_BYTES / 4 };
enum { CR_CAPTURE = 1 << 0, CR_SNAPSHOT = 1 << 1, CR_PCK_RISING = 1 << 5, CR_VSYNC_HIGH = 1 << 7, CR_ENABLE = 1 << 14 };

static uint32_t lines[2][TML_CAMERA_LINE_BYTES / 4u] __attribute__((aligned(32)));
_Static_assert(TML_CAMERA_LINE_BYTES % TML_CACHE_LINE_BYTES == 0, "a line is whole lines of the cache");
static uint32_t lines_taken;

#if TML_CAMERA_DMA_STREAMS
/* DMA2 stream 1, whose requests come through channel 9 of the multiplexer. */
#define DMA_FLAGS TML_REG32(0x40020400u)  /* LISR */
#define DMA_FORGET TML_REG32(0x40020408u) /* LIFCR */
#define DMA_CR TML_REG32(0x40020428u)
#define DMA_STREAM(offset) TML_REG32(0x40020428u + (offset)) /* NDTR 4, PAR 8, M0AR 12, FCR 20 */
enum { FLAG_HALF = 1 << 10, FLAG_DONE = 1 << 11, FLAGS_ALL = 0x3D << 6, DMA_ENABLE = 1 };
/* high priority, words, memory steps, circular */
#define DMA_SETUP (2u << 16 | 2u << 13 | 2u << 11 | 1u << 10 | 1u << 8)

static void begin_lines(void) {
    DMAMUX1(9u) = 75u;
    DMA_STREAM(4u) = WORDS;
    DMA_STREAM(8u) = TML_CAMERA_DCMI_BASE + 0x28u;
    DMA_STREAM(12u) = (uint32_t)(uintptr_t)lines;
    DMA_CR = DMA_SETUP;
    DMA_CR = DMA_SETUP | DMA_ENABLE;
}
#elif TML_CAMERA_DMA_CHANNELS
/* DMA1 channel 1, whose requests come through channel 0 of the multiplexer. */
#define DMA_FLAGS TML_REG32(0x40020000u)  /* ISR */
#define DMA_FORGET TML_REG32(0x40020004u) /* IFCR */
#define DMA_CR TML_REG32(0x40020008u)
#define DMA_CHANNEL(offset) TML_REG32(0x40020008u + (offset)) /* CNDTR 4, CPAR 8, CMAR 12 */
enum { FLAG_DONE = 1 << 1, FLAG_HALF = 1 << 2, FLAGS_ALL = 15, DMA_ENABLE = 1 };
/* high priority, words, memory steps, circular */
#define DMA_SETUP (2u << 12 | 2u << 10 | 2u << 8 | 1u << 7 | 1u << 5)

static void begin_lines(void) {
    DMAMUX1(0u) = 90u;
    DMA_CHANNEL(4u) = WORDS;
    DMA_CHANNEL(8u) = TML_CAMERA_DCMI_BASE + 0x28u;
    DMA_CHANNEL(12u) = (uint32_t)(uintptr_t)lines;
    DMA_CR = DMA_SETUP;
    DMA_CR = DMA_SETUP | DMA_ENABLE;
}
#else
/* GPDMA1 channel 0. An item of the list brings size and address of the block, and the link to itself. */
/* LBAR 0, FCR 12, SR 16, CR 20, TR1 64, TR2 68, BR1 72, SAR 76, DAR 80, LLR 124 */
#define GPDMA(offset) TML_REG32(0x40020050u + (offset))
#define DMA_FLAGS GPDMA(16u)
#define DMA_FORGET GPDMA(12u)
#define DMA_CR GPDMA(20u)
enum { FLAG_DONE = 1 << 8, FLAG_HALF = 1 << 9, FLAGS_ALL = 0x7F << 8, DMA_ENABLE = 1, DMA_RESET = 2 };
static uint32_t item[3] __attribute__((aligned(32))); /* within one page of 64 KB */

static void begin_lines(void) {
    const uint32_t address = (uint32_t)(uintptr_t)item;
    const uint32_t link = 1u << 29 | 1u << 27 | 1u << 16 | (address & 0xFFFCu); /* UB1, UDA, ULL */
    item[0] = 2u * TML_CAMERA_LINE_BYTES;
    item[1] = (uint32_t)(uintptr_t)lines;
    item[2] = link;
    __asm__ volatile("dsb" ::: "memory");
    GPDMA(0u) = address & 0xFFFF0000u;
    GPDMA(64u) = 1u << 19 | 2u << 16 | 2u; /* words to words, destination steps */
    GPDMA(68u) = 86u;
    GPDMA(72u) = item[0];
    GPDMA(76u) = TML_CAMERA_DCMI_BASE + 0x28u;
    GPDMA(80u) = item[1];
    GPDMA(124u) = link;
    DMA_CR = 2u << 22 | DMA_ENABLE; /* high priority */
}
#endif

/* Stops what an earlier frame may have left running. */
static bool stop_lines(void) {
#if TML_CAMERA_DMA_STREAMS || TML_CAMERA_DMA_CHANNELS
    DMA_CR = 0;
#else
    DMA_CR = DMA_RESET;
#endif
    for (uint32_t tries = LINE_TRIES; (DMA_CR & DMA_ENABLE) != 0;) {
        if (--tries == 0) return false;
    }
    DMA_FORGET = FLAGS_ALL;
    return true;
}

/* The oscillator of 16 MHz (H7: 64 MHz, by 4) on the pin MCO, whose function is number 0. */
static void start_clock(void) {
    TML_REG32(TML_CAMERA_OSCILLATOR_REGISTER) |= TML_CAMERA_OSCILLATOR_BIT;
    TML_REG32(TML_CAMERA_MCO_REGISTER) = (TML_REG32(TML_CAMERA_MCO_REGISTER) & ~TML_CAMERA_MCO_MASK) | TML_CAMERA_MCO_VALUE;
    tml_stm32_pin(TML_CAMERA_XCLK, TML_STM32_ALTERNATE, 0);
}

int tml_sensor_start(void) {
    static const uint8_t pins[][2] = TML_CAMERA_DCMI_PINS; /* pin, function */
    for (uint32_t i = 0; i < sizeof pins / sizeof pins[0]; ++i) tml_stm32_pin(pins[i][0], TML_STM32_ALTERNATE, pins[i][1]);
    TML_REG32(TML_CAMERA_DMA_CLOCK_REGISTER) |= TML_CAMERA_DMA_CLOCK_BITS;
    TML_REG32(TML_CAMERA_DCMI_CLOCK_REGISTER) |= TML_CAMERA_DCMI_CLOCK_BIT;
    (void)TML_REG32(TML_CAMERA_DCMI_CLOCK_REGISTER);
    start_clock();
    sccb_pin(TML_SCCB_SCL);
    sccb_pin(TML_SCCB_SDA);
    tml_delay_ms(20);
    (void)sccb_write(OV7670_ADDRESS, 1, 0x12, 0x80); /* COM7: reset */
    tml_delay_ms(5);
    if (sccb_read(OV7670_ADDRESS, 1, 0x0A) != OV7670_PRODUCT) return TML_CAMERA_ABSENT;
    (void)sccb_write(OV7670_ADDRESS, 1, 0x11, CLKRC_BY_6);
    for (uint32_t i = 0; i < sizeof ov7670_settings / sizeof ov7670_settings[0]; ++i) {
        (void)sccb_write(OV7670_ADDRESS, 1, ov7670_settings[i][0], ov7670_settings[i][1]);
    }
    tml_delay_ms(300); /* exposure and white balance settle */
    return TML_CAMERA_OK;
}

int tml_sensor_begin_frame(void) {
    DCMI(0u) = 0;
    if (!stop_lines()) return TML_CAMERA_TIMEOUT;
    DCMI(0x14u) = 0x1Fu;
    begin_lines();
    DCMI(0u) = CR_SNAPSHOT | CR_PCK_RISING | CR_VSYNC_HIGH | CR_ENABLE;
    DCMI(0u) |= CR_CAPTURE;
    lines_taken = 0;
    return TML_CAMERA_OK; /* the first line waits for the frame */
}

/* The line's flag comes with its last word. Where the other half has come, too, this one is being written over. */
const uint8_t *tml_sensor_next_line(void) {
    const uint32_t half = lines_taken % 2u;
    const uint32_t mine = half == 0 ? FLAG_HALF : FLAG_DONE, other = half == 0 ? FLAG_DONE : FLAG_HALF;
    uint32_t tries = LINE_TRIES;
    while ((DMA_FLAGS & mine) == 0) {
        if (--tries == 0) return NULL;
    }
    if ((DMA_FLAGS & other) != 0) return NULL;
    DMA_FORGET = mine;
    ++lines_taken;
    tml_cache_forget(lines[half], sizeof lines[half]);
    return (const uint8_t *)lines[half];
}
