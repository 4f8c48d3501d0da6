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

#define TML_DMA_BASE TML_CAMERA_DMA_BASE
#define TML_DMA_NUMBER TML_CAMERA_DMA_NUMBER
#define TML_DMA_REQUEST TML_CAMERA_DMA_REQUEST
#define TML_DMA_MUX TML_CAMERA_DMA_MUX
#include "tml_stm32_dma.h"

#define TML_SCCB_SCL TML_CAMERA_SCL
#define TML_SCCB_SDA TML_CAMERA_SDA
#include "tml_stm32_sccb.h"

#define DCMI(offset) TML_REG32(TML_CAMERA_DCMI_BASE + (offset)) /* CR 0, ICR 0x14, DR 0x28 */

enum { CLKRC_BY_6 = 0x05, VSTART_OF_BOTH = 0x02, WORDS = 2 * TML_CAMERA_LINE_BYTES / 4 };
enum { CR_CAPTURE = 1 << 0, CR_SNAPSHOT = 1 << 1, CR_PCK_RISING = 1 << 5, CR_VSYNC_HIGH = 1 << 7, CR_ENABLE = 1 << 14 };

static uint32_t lines[2][TML_CAMERA_LINE_BYTES / 4u] __attribute__((aligned(32)));
_Static_assert(TML_CAMERA_LINE_BYTES % TML_CACHE_LINE_BYTES == 0, "a line is whole lines of the cache");
static uint32_t lines_taken;

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
    (void)sccb_write(OV7670_ADDRESS, 1, 0x19, VSTART_OF_BOTH);
    for (uint32_t i = 0; i < sizeof ov7670_settings / sizeof ov7670_settings[0]; ++i) {
        (void)sccb_write(OV7670_ADDRESS, 1, ov7670_settings[i][0], ov7670_settings[i][1]);
    }
    tml_delay_ms(300); /* exposure and white balance settle */
    return TML_CAMERA_OK;
}

int tml_sensor_begin_frame(void) {
    DCMI(0u) = 0;
    if (!tml_dma_stop()) return TML_CAMERA_TIMEOUT;
    DCMI(0x14u) = 0x1Fu;
    tml_dma_begin(TML_CAMERA_DCMI_BASE + 0x28u, lines, WORDS, 4, false);
    DCMI(0u) = CR_SNAPSHOT | CR_PCK_RISING | CR_VSYNC_HIGH | CR_ENABLE;
    DCMI(0u) |= CR_CAPTURE;
    lines_taken = 0;
    return TML_CAMERA_OK; /* the first line waits for the frame */
}

/* The line's flag comes with its last word. Where the other half has come, too, this one is being written over. */
const uint8_t *tml_sensor_next_line(void) {
    const uint32_t half = lines_taken % 2u;
    const uint32_t mine = half == 0 ? TML_DMA_HALF : TML_DMA_DONE, other = half == 0 ? TML_DMA_DONE : TML_DMA_HALF;
    uint32_t tries = TML_DMA_TRIES;
    while ((TML_DMA_FLAGS & mine) == 0) {
        if (--tries == 0) return NULL;
    }
    if ((TML_DMA_FLAGS & other) != 0) return NULL;
    TML_DMA_FORGET = mine;
    ++lines_taken;
    tml_cache_forget(lines[half], sizeof lines[half]);
    return (const uint8_t *)lines[half];
}
