/* The digital microphones behind the STM32F746 Discovery's WM8994: the codec is the slave of SAI2, whose block A makes the
 * clocks and block B takes the samples, by DMA into a buffer whose halves are copied into the ring. The left one is heard.
 *
 * RM0385, sections 33 (SAI: 33.5 registers), 8.5 (DMA; SAI2_B is DMA2 stream 7 channel 0 in table 28), 5.3 (RCC: PLLI2SCFGR,
 * DCKCFGR1). Cirrus Logic WM8994 data sheet, "Register map" (order and values as in ST's board support package for this
 * board's digital microphone 2). PLLI2S 1 MHz x 344 / 7 = 49.14 MHz, / 12 / 256: 15,997 samples a second. */
#include "board_config.h"
#include "tml_cache.h"
#include "tml_clock.h"
#include "tml_cycles.h"
#include "tml_microphone.h"
#include "tml_registers.h"

#define TML_SCCB_SCL TML_MICROPHONE_I2C_SCL
#define TML_SCCB_SDA TML_MICROPHONE_I2C_SDA
#include "tml_stm32_sccb.h"

#define RCC_CR TML_REG32(0x40023800u)
#define RCC_AHB1ENR TML_REG32(0x40023830u)
#define RCC_APB2ENR TML_REG32(0x40023844u)
#define RCC_PLLI2SCFGR TML_REG32(0x40023884u)
#define RCC_DCKCFGR1 TML_REG32(0x4002388Cu)
#define SAI2(offset) TML_REG32(0x40015C00u + (offset))
#define DMA2_HISR TML_REG32(0x40026404u)
#define DMA2_HIFCR TML_REG32(0x4002640Cu)
#define DMA2_S7(offset) TML_REG32(0x400264B8u + (offset)) /* CR 0, NDTR 4, PAR 8, M0AR 12 */
#define NVIC_ISER(n) TML_REG32(0xE000E100u + 4u * (n))

enum { CODEC = 0x1A, RATE_HZ = 16000, LARGEST_BLOCK = 128, CHANNELS = 2, FUNCTION_SAI2 = 10 };
enum { PLLI2SON = 1 << 26, PLLI2SRDY = 1 << 27, HALF = 1 << 26, DONE = 1 << 27, S7_FLAGS = 0x3D << 22 };
enum { BLOCK_A = 0x04, BLOCK_B = 0x24, CR1 = 0x00, CR2 = 0x04, FRCR = 0x08, SLOTR = 0x0C, CLRFR = 0x18, DR = 0x1C };

static const struct {
    uint16_t reg, value;
} settings[] = {
    {0x0102, 0x0003}, {0x0817, 0x0000}, {0x0102, 0x0000}, /* errata */
    {0x0039, 0x006C}, /* VMID soft start, start-up bias */
    {0x0001, 0x0013}, /* bias, VMID, microphone bias 1 */
    {0x0004, 0x0C30}, /* AIF1ADC2, DMICDAT2, both ADCs */
    {0x0002, 0x6000}, /* no analogue inputs */
    {0x0608, 0x0002}, {0x0609, 0x0002}, /* DMIC2 to AIF1 time slot 1, left and right */
    {0x0210, 0x0033}, /* AIF1: 16 kHz, clock / 256 */
    {0x0300, 0x4010}, /* AIF1: I2S, 16 bits */
    {0x0302, 0x0000}, /* AIF1: slave */
    {0x0208, 0x000A}, /* AIF1's and the core's clocks */
    {0x0200, 0x0001}, /* AIF1 from MCLK1 */
    {0x0620, 0x0002}, /* ADC oversampling */
    {0x0411, 0x3800}, /* AIF1ADC2's high pass */
    {0x0404, 0x01EF}, {0x0405, 0x01EF}, /* AIF1ADC2: +17.6 dB */
};

static int16_t buffer[2 * LARGEST_BLOCK][CHANNELS] __attribute__((aligned(32)));

static struct {
    int16_t *ring;
    uint32_t mask, block, last_cycles;
    volatile uint32_t position, overruns;
} microphone;

void tml_microphone_irq(void);

static bool write_codec(uint32_t reg, uint32_t value) {
    sccb_begin();
    bool answered = sccb_send(CODEC << 1);
    answered = sccb_send(reg >> 8) && answered;
    answered = sccb_send(reg & 0xFFu) && answered;
    answered = sccb_send(value >> 8) && answered;
    answered = sccb_send(value & 0xFFu) && answered;
    sccb_end();
    return answered;
}

static bool start_codec(void) {
    sccb_pin(TML_SCCB_SCL);
    sccb_pin(TML_SCCB_SDA);
    if (!write_codec(0, 0)) return false; /* reset */
    for (uint32_t i = 0; i < sizeof settings / sizeof settings[0]; ++i) {
        if (!write_codec(settings[i].reg, settings[i].value)) return false;
        if (settings[i].reg == 0x0001) tml_delay_ms(50);
    }
    return true;
}

/* A block of SAI2: four slots of 16 bits a frame, of which the second and fourth carry AIF1's time slot 1. */
static void set_block(uint32_t block, uint32_t mode) {
    SAI2(block + CLRFR) = 0x77u;
    SAI2(block + CR2) = 1u | 1u << 3;                         /* FTH: a quarter; FFLUSH */
    SAI2(block + FRCR) = 63u | 31u << 8 | 1u << 16 | 1u << 18; /* FRL, FSALL, FSDEF, FSOFF */
    SAI2(block + SLOTR) = 3u << 8 | (1u << 1 | 1u << 3) << 16; /* NBSLOT, SLOTEN */
    SAI2(block + CR1) = mode | 4u << 5 | 1u << 9 | 1u << 13 | 6u << 20; /* DS 16 bits, CKSTR, OUTDRIV, MCKDIV */
}

static bool start_clocks(void) {
    RCC_APB2ENR |= 1u << 23; /* SAI2EN */
    RCC_AHB1ENR |= 1u << 22; /* DMA2EN */
    RCC_CR &= ~(uint32_t)PLLI2SON;
    RCC_PLLI2SCFGR = 344u << 6 | 7u << 24 | 2u << 28; /* N, Q, R */
    RCC_DCKCFGR1 = (RCC_DCKCFGR1 & ~(0x1Fu | 3u << 22)) | 1u << 22; /* PLLI2SDIVQ 1, SAI2SEL: PLLI2S */
    RCC_CR |= PLLI2SON;
    return tml_clock_wait(&RCC_CR, PLLI2SRDY, PLLI2SRDY);
}

int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    static const uint8_t pins[] = {TML_MICROPHONE_SAI_MCLK, TML_MICROPHONE_SAI_SCK, TML_MICROPHONE_SAI_FS,
                                   TML_MICROPHONE_SAI_DATA_IN};
    if (sample_rate_hz != RATE_HZ) return -1;
    microphone.ring = ring;
    microphone.mask = ring_samples - 1u;
    microphone.block = ring_samples / 4u < LARGEST_BLOCK ? ring_samples / 4u : LARGEST_BLOCK;
    microphone.position = 0;
    for (uint32_t i = 0; i < sizeof pins; ++i) tml_stm32_pin(pins[i], TML_STM32_ALTERNATE, FUNCTION_SAI2);
    if (!start_clocks() || !start_codec()) return -1;
    set_block(BLOCK_A, 1u);            /* master receiver: makes the clocks */
    set_block(BLOCK_B, 3u | 1u << 10); /* slave receiver, synchronous with A */
    DMA2_S7(0u) = 0;
    DMA2_HIFCR = S7_FLAGS;
    DMA2_S7(4u) = 2u * CHANNELS * microphone.block;
    DMA2_S7(8u) = 0x40015C00u + BLOCK_B + DR;
    DMA2_S7(12u) = (uint32_t)(uintptr_t)buffer;
    microphone.last_cycles = tml_cycles();
    NVIC_ISER(TML_MICROPHONE_IRQ / 32) = 1u << (TML_MICROPHONE_IRQ % 32);
    /* channel 0, high priority, half-words, memory steps, circular, interrupts at half and end */
    DMA2_S7(0u) = 2u << 16 | 1u << 13 | 1u << 11 | 1u << 10 | 1u << 8 | 1u << 4 | 1u << 3;
    DMA2_S7(0u) |= 1u;
    SAI2(BLOCK_B + CR1) |= 1u << 17; /* DMAEN */
    SAI2(BLOCK_B + CR1) |= 1u << 16; /* SAIEN */
    SAI2(BLOCK_A + CR1) |= 1u << 16;
    return 0;
}

static void take(uint32_t first) {
    tml_cache_forget(buffer, sizeof buffer);
    for (uint32_t i = 0; i < microphone.block; ++i) {
        microphone.ring[(microphone.position + i) & microphone.mask] = buffer[first + i][0];
    }
    microphone.position += microphone.block;
}

void tml_microphone_irq(void) {
    const uint32_t flags = DMA2_HISR & (HALF | DONE), now = tml_cycles();
    DMA2_HIFCR = flags;
    if (flags == (HALF | DONE) || now - microphone.last_cycles > 2u * microphone.block * (tml_core_hz() / RATE_HZ)) {
        ++microphone.overruns; /* a half was written over before it was taken */
    }
    microphone.last_cycles = now;
    if ((flags & HALF) != 0) take(0);
    if ((flags & DONE) != 0) take(microphone.block);
    __asm__ volatile("dsb" ::: "memory");
}

uint32_t tml_microphone_position(void) { return microphone.position; }

uint32_t tml_microphone_overruns(void) { return microphone.overruns; }

void tml_microphone_wait(void) {
    static uint32_t seen;
    if (microphone.position == seen) __asm__ volatile("wfe"); /* an interrupt's return is an event */
    seen = microphone.position;
}
