/* The digital microphones behind the STM32F746 Discovery's WM8994: the codec is the slave of SAI2, whose block A makes the
 * clocks and block B takes the samples, by DMA into a buffer whose halves are copied into the ring. The left one is heard.
 *
 * RM0385, sections 33 (SAI: 33.5 registers), 8.5 (DMA; SAI2_B is DMA2 stream 7 channel 0 in table 28), 5.3 (RCC: PLLI2SCFGR,
 * DCKCFGR1). Cirrus Logic WM8994 data sheet, "Register map" (order and values as in ST's board support package for this
 * board's digital microphone 2). PLLI2S 1 MHz x TML_MICROPHONE_PLL_N (344) / TML_MICROPHONE_PLL_DIVIDER (7) = 49.14 MHz,
 * / TML_MICROPHONE_DIVIDER (12) / 256: 15,997 samples a second, 186 ppm too few. */
#include "board_config.h"
#include "tml_cache.h"
#include "tml_clock.h"
#include "tml_microphone_blocks.h"
#include "tml_registers.h"
#include "tml_stm32_sai.h"

#define TML_DMA_BASE TML_MICROPHONE_DMA_BASE
#define TML_DMA_NUMBER TML_MICROPHONE_DMA_NUMBER
#define TML_DMA_REQUEST TML_MICROPHONE_DMA_REQUEST
#define TML_DMA_MUX TML_MICROPHONE_DMA_MUX
#include "tml_stm32_dma.h"

#define TML_SCCB_SCL TML_MICROPHONE_I2C_SCL
#define TML_SCCB_SDA TML_MICROPHONE_I2C_SDA
#include "tml_stm32_sccb.h"

#define RCC_CR TML_REG32(0x40023800u)
#define RCC_APB2ENR TML_REG32(0x40023844u)
#define RCC_PLLI2SCFGR TML_REG32(0x40023884u)
#define RCC_DCKCFGR1 TML_REG32(0x4002388Cu)
#define SAI2 0x40015C00u
#define NVIC_ISER(n) TML_REG32(0xE000E100u + 4u * (n))

enum { CODEC = 0x1A, CHANNELS = 2, FUNCTION_SAI2 = 10, PLLI2SON = 1 << 26, PLLI2SRDY = 1 << 27 };

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

static int16_t buffer[2 * TML_HALF_SAMPLES][CHANNELS] __attribute__((aligned(32)));
static uint32_t half_samples;

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

/* Four slots of 16 bits a frame, of which the second and fourth carry AIF1's time slot 1 (NBSLOT, SLOTEN). */
static void set_block(uint32_t block, uint32_t mode) {
    tml_sai_block(SAI2 + block, 3u << 8 | (1u << 1 | 1u << 3) << 16,
                  mode | TML_SAI_DS_16 | TML_SAI_CKSTR | TML_SAI_OUTDRIV |
                      (TML_MICROPHONE_DIVIDER / 2u) << TML_SAI_DIVIDER_SHIFT);
}

static bool start_clocks(void) {
    RCC_APB2ENR |= 1u << 23; /* SAI2EN */
    TML_REG32(TML_MICROPHONE_DMA_CLOCK_REGISTER) |= TML_MICROPHONE_DMA_CLOCK_BITS;
    RCC_CR &= ~(uint32_t)PLLI2SON;
    RCC_PLLI2SCFGR = TML_MICROPHONE_PLL_N << 6 | TML_MICROPHONE_PLL_DIVIDER << 24 | 2u << 28; /* N, Q, R */
    RCC_DCKCFGR1 = (RCC_DCKCFGR1 & ~(0x1Fu | 3u << 22)) | 1u << 22; /* PLLI2SDIVQ 1, SAI2SEL: PLLI2S */
    RCC_CR |= PLLI2SON;
    return tml_clock_wait(&RCC_CR, PLLI2SRDY, PLLI2SRDY);
}

int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    static const uint8_t pins[] = {TML_MICROPHONE_SAI_MCLK, TML_MICROPHONE_SAI_SCK, TML_MICROPHONE_SAI_FS,
                                   TML_MICROPHONE_SAI_DATA_IN};
    if (sample_rate_hz != TML_MICROPHONE_HZ) return -1;
    for (uint32_t i = 0; i < sizeof pins; ++i) tml_stm32_pin(pins[i], TML_STM32_ALTERNATE, FUNCTION_SAI2);
    if (!start_clocks() || !start_codec() || !tml_dma_stop()) return -1;
    set_block(TML_SAI_A, TML_SAI_MASTER_RECEIVER); /* makes the clocks */
    set_block(TML_SAI_B, TML_SAI_SLAVE_RECEIVER | TML_SAI_SYNCHRONOUS | TML_SAI_DMA);
    half_samples = tml_blocks_begin(ring, ring_samples, TML_HALF_SAMPLES);
    NVIC_ISER(TML_MICROPHONE_IRQ / 32) = 1u << (TML_MICROPHONE_IRQ % 32);
    tml_dma_begin(SAI2 + TML_SAI_B + TML_SAI_DR, buffer, 2u * CHANNELS * half_samples, sizeof buffer[0][0], true);
    TML_REG32(SAI2 + TML_SAI_B + TML_SAI_CR1) |= TML_SAI_ENABLE;
    TML_REG32(SAI2 + TML_SAI_A + TML_SAI_CR1) |= TML_SAI_ENABLE;
    return 0;
}

static void take(uint32_t first) {
    tml_cache_forget(buffer + first, half_samples * sizeof buffer[0]);
    for (uint32_t i = 0; i < half_samples; ++i) tml_blocks_put(i, buffer[first + i][0]);
    tml_blocks_taken();
}

void tml_microphone_irq(void) {
    const uint32_t flags = TML_DMA_FLAGS & (TML_DMA_HALF | TML_DMA_DONE), block = SAI2 + TML_SAI_B;
    const bool full = (TML_REG32(block + TML_SAI_SR) & TML_SAI_OVERRUN) != 0; /* the FIFO, for DMA came too late */
    TML_DMA_FORGET = flags;
    if (full) TML_REG32(block + TML_SAI_CLRFR) = TML_SAI_OVERRUN;
    tml_blocks_served(full || flags == (TML_DMA_HALF | TML_DMA_DONE)); /* both: one was written over before it was taken */
    if ((flags & TML_DMA_HALF) != 0) take(0);
    if ((flags & TML_DMA_DONE) != 0) take(half_samples);
    __asm__ volatile("dsb" ::: "memory");
}
