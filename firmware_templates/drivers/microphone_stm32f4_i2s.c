/* I2S microphone module (INMP441, ICS-43434: 24 bits in the left slot of 32) on I2S2 of an STM32F405, the master; both slots go
 * by DMA into a buffer whose halves are copied into the ring, the left ones.
 *
 * RM0090, sections 28.4 (I2S: 28.4.3 Philips standard, 24 bits in 32 come as two half-words; 28.4.4 clock generator; 28.4.5
 * master reception), 28.5 (registers), 10.3.3 (table 42: SPI2_RX is DMA1 stream 3, channel 0), 7.3 (RCC_CFGR, RCC_PLLI2SCFGR).
 * PLLI2S takes the 1 MHz that the core's PLL takes, from the crystal or, where that did not start, from HSI / 16:
 * x TML_MICROPHONE_PLL_N (256) / TML_MICROPHONE_PLL_DIVIDER (5) = 51.2 MHz, / TML_MICROPHONE_DIVIDER (50) = 1.024 MHz, 64 of
 * which are a frame: 16,000 samples a second, as exactly as the oscillator runs. */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_microphone_blocks.h"
#include "tml_registers.h"
#include "tml_stm32_pins.h"

#define TML_DMA_BASE TML_MICROPHONE_DMA_BASE
#define TML_DMA_NUMBER TML_MICROPHONE_DMA_NUMBER
#define TML_DMA_REQUEST TML_MICROPHONE_DMA_REQUEST
#define TML_DMA_MUX TML_MICROPHONE_DMA_MUX
#include "tml_stm32_dma.h"

#define RCC_CR TML_REG32(0x40023800u)
#define RCC_CFGR TML_REG32(0x40023808u)
#define RCC_APB1ENR TML_REG32(0x40023840u)
#define RCC_PLLI2SCFGR TML_REG32(0x40023884u)
#define SPI2(offset) TML_REG32(0x40003800u + (offset)) /* CR2 04, SR 08, DR 0C, I2SCFGR 1C, I2SPR 20 */
#define NVIC_ISER(n) TML_REG32(0xE000E100u + 4u * (n))

enum { PLLI2SON = 1 << 26, PLLI2SRDY = 1 << 27, OVERRUN = 1 << 6, FUNCTION_I2S2 = 5, PARTS = 4 };
/* I2SMOD, I2SCFG: master receiver, I2SSTD: Philips, CKPOL: low, DATLEN: 24, CHLEN: 32 bits; I2SE */
enum { I2S_SETUP = 1 << 11 | 3 << 8 | 0 << 4 | 0 << 3 | 1 << 1 | 1, I2S_ENABLE = 1 << 10 };

static uint16_t buffer[2 * TML_HALF_SAMPLES][PARTS]; /* of a frame: left above and below, right above and below */
static uint32_t half_samples;

void tml_microphone_irq(void);

static bool start_clocks(void) {
    RCC_APB1ENR |= 1u << 14; /* SPI2EN */
    TML_REG32(TML_MICROPHONE_DMA_CLOCK_REGISTER) |= TML_MICROPHONE_DMA_CLOCK_BITS;
    (void)TML_REG32(TML_MICROPHONE_DMA_CLOCK_REGISTER);
    RCC_CFGR &= ~(1u << 23); /* I2SSRC: PLLI2S */
    RCC_CR &= ~(uint32_t)PLLI2SON;
    RCC_PLLI2SCFGR = TML_MICROPHONE_PLL_N << 6 | TML_MICROPHONE_PLL_DIVIDER << 28;
    RCC_CR |= PLLI2SON;
    return tml_clock_wait(&RCC_CR, PLLI2SRDY, PLLI2SRDY);
}

/* The frame's first half-word is the first that DMA takes: it waits before the interface is enabled. */
static bool begin(void) {
    SPI2(0x1Cu) = 0;
    SPI2(0x04u) = 0;
    if (!tml_dma_stop()) return false;
    (void)SPI2(0x0Cu);
    (void)SPI2(0x08u); /* DR, then SR: clears OVR */
    tml_dma_begin(0x4000380Cu, buffer, 2u * PARTS * half_samples, sizeof buffer[0][0], true);
    SPI2(0x20u) = (TML_MICROPHONE_DIVIDER / 2u) | (TML_MICROPHONE_DIVIDER % 2u) << 8; /* I2SDIV, ODD; no master clock */
    SPI2(0x1Cu) = I2S_SETUP;
    SPI2(0x04u) = 1; /* RXDMAEN */
    SPI2(0x1Cu) = I2S_SETUP | I2S_ENABLE;
    return true;
}

int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    static const uint8_t pins[] = {TML_MICROPHONE_SCK, TML_MICROPHONE_WS, TML_MICROPHONE_DATA};
    if (sample_rate_hz != TML_MICROPHONE_HZ || !start_clocks()) return -1;
#ifdef TML_MICROPHONE_POWER
    tml_stm32_enable_port(TML_MICROPHONE_POWER);
    tml_stm32_write(TML_MICROPHONE_POWER, 1);
    tml_stm32_pin(TML_MICROPHONE_POWER, TML_STM32_OUTPUT, 0);
#endif
    for (uint32_t i = 0; i < sizeof pins; ++i) tml_stm32_pin(pins[i], TML_STM32_ALTERNATE, FUNCTION_I2S2);
    half_samples = tml_blocks_begin(ring, ring_samples, TML_HALF_SAMPLES);
    NVIC_ISER(TML_MICROPHONE_IRQ / 32) = 1u << (TML_MICROPHONE_IRQ % 32);
    return begin() ? 0 : -1;
}

static void take(uint32_t first) {
    for (uint32_t i = 0; i < half_samples; ++i) {
        const uint16_t *const frame = buffer[first + i];
        tml_blocks_put(i, tml_slot_sample((uint32_t)frame[0] << 16 | frame[1]));
    }
    tml_blocks_taken();
}

void tml_microphone_irq(void) {
    const uint32_t flags = TML_DMA_FLAGS & (TML_DMA_HALF | TML_DMA_DONE);
    const bool full = (SPI2(0x08u) & OVERRUN) != 0; /* a half-word was lost, and those that follow are in others' places */
    TML_DMA_FORGET = flags;
    tml_blocks_served(full || flags == (TML_DMA_HALF | TML_DMA_DONE)); /* both: one was written over before it was taken */
    if (full) {
        (void)begin();
    } else {
        if ((flags & TML_DMA_HALF) != 0) take(0);
        if ((flags & TML_DMA_DONE) != 0) take(half_samples);
    }
    __asm__ volatile("dsb" ::: "memory"); /* the flags are cleared before the interrupt returns */
}
