/* The RP2040's second boot stage: the boot ROM copies these 256 bytes to RAM and runs them if their checksum is right
 * (RP2040 datasheet, section 2.8.1.3.1: CRC-32, polynomial 0x04C11DB7, initial value all ones, not reflected, over the
 * first 252 bytes). It sets the flash interface (section 4.10.13) to plain serial reads, command 03h at a quarter of the
 * system clock, which every flash chip answers, and starts the program whose vector table follows. */
#include <stdint.h>

__attribute__((used, section(".boot2"))) static const uint32_t boot2[64] = {
    0x21004B0Au, /* ldr r3, =0x18000000 (XIP_SSI); movs r1, #0 */
    0x21046099u, /* str r1, [r3, #0x08] (SSIENR off); movs r1, #4 */
    0x49096159u, /* str r1, [r3, #0x14] (BAUDR); ldr r1, =0x001F0300 (32-bit frames, EEPROM read) */
    0x48096019u, /* str r1, [r3, #0x00] (CTRLR0); ldr r0, =0x180000F4 (SPI_CTRLR0) */
    0x60014909u, /* ldr r1, =0x03000218 (command 03h, 8 + 24 bits); str r1, [r0] */
    0x60592100u, /* movs r1, #0; str r1, [r3, #0x04] (CTRLR1: one frame) */
    0x60992101u, /* movs r1, #1; str r1, [r3, #0x08] (SSIENR on) */
    0x49084807u, /* ldr r0, =0x10000100 (vectors); ldr r1, =0xE000ED08 (VTOR) */
    0xC8066008u, /* str r0, [r1]; ldmia r0!, {r1, r2} */
    0x8808F381u, /* msr msp, r1 */
    0x46C04710u, /* bx r2; nop */
    0x18000000u, 0x001F0300u, 0x180000F4u, 0x03000218u, 0x10000100u, 0xE000ED08u,
    [63] = 0x5C9B53D5u, /* the checksum */
};
