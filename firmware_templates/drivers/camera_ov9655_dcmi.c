/* OV9655 (STM32F4DIS-CAM) on the STM32F7's camera interface: 320 x 240 RGB565, a line at a time by DMA into two buffers in
 * turn, so that no frame has to be held. The sensor sends a pixel's low byte first, which is mended as a line is handed on.
 *
 * RM0385, sections 18 (DCMI: 18.8 registers), 8 (DMA: 8.3.9 double buffer, 8.5 registers; DCMI is DMA2 stream 1 channel 1 in
 * table 28), 5.3.10 and 5.3.11 (clocks). Sensor registers: OmniVision OV9655 datasheet, table 12, with the values of ST's component driver
 * ov9655.c, whose TSLB gives RGB565 with the low byte first (Zephyr's driver by ST names the format: VIDEO_PIX_FMT_RGB565, little
 * endian). Polarities as ST's stm32746g_discovery_camera.c has them: HREF as it is, data valid while HSYNC is high, VSYNC active
 * high, pixels taken at the rising edge. */
#include <stddef.h>

#include "board_config.h"
#include "tml_cache.h"
#include "tml_camera_source.h"
#include "tml_registers.h"

#define TML_SCCB_SCL TML_CAMERA_SCL
#define TML_SCCB_SDA TML_CAMERA_SDA
#include "tml_stm32_sccb.h"

#define RCC_AHB1ENR TML_REG32(0x40023830u)
#define RCC_AHB2ENR TML_REG32(0x40023834u)
#define DCMI_CR TML_REG32(0x50050000u)
#define DCMI_ICR TML_REG32(0x50050014u)
#define DCMI_DR 0x50050028u
#define DMA2_LISR TML_REG32(0x40026400u)
#define DMA2_LIFCR TML_REG32(0x40026408u)
#define DMA2_S1(offset) TML_REG32(0x40026428u + (offset)) /* CR 0, NDTR 4, PAR 8, M0AR 12, M1AR 16, FCR 20 */

enum { ADDRESS = 0x30, PRODUCT = 0x96, FUNCTION_DCMI = 13 };
enum { CR_CAPTURE = 1 << 0, CR_SNAPSHOT = 1 << 1, CR_PCK_RISING = 1 << 5, CR_VSYNC_HIGH = 1 << 7, CR_ENABLE = 1 << 14 };
enum { S1_DONE = 1 << 11, S1_FLAGS = 0x3D << 6, S1_ENABLE = 1, S1_TURN = 1 << 19, LINE_TRIES = 40000000 };
/* channel 1, high priority, double buffer, circular, words, memory steps */
#define S1_SETUP (1u << 25 | 2u << 16 | 1u << 18 | 1u << 8 | 2u << 13 | 2u << 11 | 1u << 10)

static const uint8_t settings[][2] = {
    {0x11, 0x01}, /* CLKRC: 24 MHz / 2 */
    {0x6B, 0x5A}, /* DBLV: PLL */
    {0x12, 0x63}, /* COM7: VGA with scaling, RGB */
    {0x40, 0x10}, /* COM15: RGB565 */
    {0x3A, 0xCC}, /* TSLB: byte order, low byte first */
    {0x17, 0x18}, {0x18, 0x04}, {0x32, 0x12}, /* HSTART, HSTOP, HREF */
    {0x19, 0x01}, {0x1A, 0x81}, {0x03, 0x02}, /* VSTRT, VSTOP, VREF */
    {0x3E, 0x02}, {0x72, 0x11}, {0x73, 0x01}, {0xC7, 0x81}, /* COM14, POIDX, PCKDV, COM24: to a half */
    {0x3F, 0xC1}, {0x41, 0x41}, {0x74, 0x10}, {0x75, 0x10}, /* COM16 and scaling indices */
    {0x15, 0x00}, /* COM10: HREF high while data are valid */
    {0x13, 0xC7}, {0x14, 0x3A}, /* COM8, COM9: automatic gain, exposure, white balance, up to 16 */
    {0x24, 0x3C}, {0x25, 0x36}, {0x26, 0x72}, /* AEW, AEB, VPT: exposure's target */
    {0x4F, 0x98}, {0x50, 0x98}, {0x51, 0x00}, {0x52, 0x28}, {0x53, 0x70}, {0x54, 0x98}, {0x58, 0x1A}, /* matrix to RGB */
};

static uint32_t lines[2][TML_CAMERA_LINE_BYTES / 4u] __attribute__((aligned(32)));
_Static_assert(TML_CAMERA_LINE_BYTES % TML_CACHE_LINE_BYTES == 0, "a line is whole lines of the cache");
/* A line as it is handed on. Not in DMA's buffers: what the core writes there waits in its cache, and would come over a later line. */
static uint8_t line[TML_CAMERA_LINE_BYTES];
static uint32_t lines_taken;

int tml_sensor_start(void) {
    static const uint8_t pins[] = TML_CAMERA_DCMI_PINS;
    for (uint32_t i = 0; i < sizeof pins; ++i) tml_stm32_pin(pins[i], TML_STM32_ALTERNATE, FUNCTION_DCMI);
    RCC_AHB1ENR |= 1u << 22; /* DMA2EN */
    RCC_AHB2ENR |= 1u << 0;  /* DCMIEN */
    (void)RCC_AHB2ENR;
    tml_stm32_enable_port(TML_CAMERA_POWER);
    tml_stm32_write(TML_CAMERA_POWER, 0); /* power-down is active high */
    tml_stm32_pin(TML_CAMERA_POWER, TML_STM32_OUTPUT, 0);
    sccb_pin(TML_SCCB_SCL);
    sccb_pin(TML_SCCB_SDA);
    tml_delay_ms(10);
    if (sccb_read(ADDRESS, 1, 0x0A) != PRODUCT) return TML_CAMERA_ABSENT;
    (void)sccb_write(ADDRESS, 1, 0x12, 0x80); /* COM7: reset */
    tml_delay_ms(200);
    for (uint32_t i = 0; i < sizeof settings / sizeof settings[0]; ++i) {
        (void)sccb_write(ADDRESS, 1, settings[i][0], settings[i][1]);
    }
    tml_delay_ms(300); /* exposure and white balance settle */
    return TML_CAMERA_OK;
}

int tml_sensor_begin_frame(void) {
    DCMI_CR = 0;
    DMA2_S1(0u) = 0;
    for (uint32_t tries = LINE_TRIES; (DMA2_S1(0u) & S1_ENABLE) != 0;) {
        if (--tries == 0) return TML_CAMERA_TIMEOUT;
    }
    DMA2_LIFCR = S1_FLAGS;
    DCMI_ICR = 0x1Fu;
    DMA2_S1(4u) = TML_CAMERA_LINE_BYTES / 4u;
    DMA2_S1(8u) = DCMI_DR;
    DMA2_S1(12u) = (uint32_t)(uintptr_t)lines[0];
    DMA2_S1(16u) = (uint32_t)(uintptr_t)lines[1];
    DMA2_S1(0u) = S1_SETUP;
    DMA2_S1(0u) = S1_SETUP | S1_ENABLE;
    DCMI_CR = CR_SNAPSHOT | CR_PCK_RISING | CR_VSYNC_HIGH | CR_ENABLE;
    DCMI_CR |= CR_CAPTURE;
    lines_taken = 0;
    return TML_CAMERA_OK; /* the first line waits for the frame */
}

/* A line that was lost is missed at the latest when the frame's last does not come. */
const uint8_t *tml_sensor_next_line(void) {
    uint32_t tries = LINE_TRIES;
    while ((DMA2_LISR & S1_DONE) == 0) {
        if (--tries == 0) return NULL;
    }
    DMA2_LIFCR = S1_DONE;
    const uint32_t finished = (DMA2_S1(0u) & S1_TURN) != 0 ? 0u : 1u;
    if (finished != lines_taken % 2u) return NULL;
    ++lines_taken;
    tml_cache_forget(lines[finished], sizeof lines[finished]);
    const uint8_t *const came = (const uint8_t *)lines[finished];
    for (uint32_t i = 0; i < TML_CAMERA_LINE_BYTES; ++i) line[i] = came[i ^ 1u];
    return line;
}
