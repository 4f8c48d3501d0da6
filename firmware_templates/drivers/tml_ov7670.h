/* What the drivers of the OV7670 and OV7675 write to the sensor: 160 x 120 RGB565 (OmniVision OV7670/OV7675 datasheet, table 5;
 * OV7670 Implementation Guide, sections 2, 4 and 6; byte order and windows as in Arduino_OV767X, ov7670.c). Two registers are each
 * driver's own: CLKRC, the clock's divider, and VSTART, 02h for either sensor. 22h, which centres the OV7675's window, leaves the
 * OV7670 352 lines of 480, of which 88 would come. */
#ifndef TML_OV7670_H
#define TML_OV7670_H

#include <stdint.h>

enum { OV7670_ADDRESS = 0x21, OV7670_PRODUCT = 0x76 };

static const uint8_t ov7670_settings[][2] = {
    {0x6B, 0x4A}, /* DBLV: PLL x 4 */
    {0x12, 0x04}, /* COM7: VGA timing, RGB */
    {0x40, 0xD0}, /* COM15: RGB565, full range */
    {0x3A, 0x04}, /* TSLB, 0Dh after reset: a pixel's high byte first */
    {0x8C, 0x00}, /* RGB444 off */
    {0x0C, 0x04}, /* COM3: scaling by DCW */
    {0x3E, 0x1A}, /* COM14: DCW and PCLK / 4, by hand */
    {0x72, 0x22}, /* down to a quarter, both ways */
    {0x73, 0xF2}, /* DSP clock / 4 */
    {0xA2, 0x02}, /* PCLK delay of the scaling */
    {0x17, 0x16}, {0x18, 0x04}, {0x32, 0xA4}, /* HSTART, HSTOP, HREF */
    {0x1A, 0x7A}, {0x03, 0x0A}, /* VSTOP, VREF */
    {0x15, 0x20}, /* COM10: no PCLK while HREF is low */
    {0x13, 0xE7}, /* COM8: automatic gain, white balance, exposure */
    {0x14, 0x38}, /* COM9: gain up to 16 */
    {0x4F, 0xB3}, {0x50, 0xB3}, {0x51, 0x00}, {0x52, 0x3D}, {0x53, 0xA7}, {0x54, 0xE4}, {0x58, 0x9E}, /* matrix to RGB */
    {0x3D, 0xC0}, /* COM13: gamma, saturation */
    {0x41, 0x38}, /* COM16: white balance gain */
    {0xB0, 0x84}, /* without it the colours are wrong (reserved in the datasheet) */
};

#endif
