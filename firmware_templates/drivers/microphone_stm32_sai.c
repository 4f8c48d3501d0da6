/* I2S microphone module (INMP441, ICS-43434: 24 bits in the left slot of 32) on block A of SAI1 of an STM32H7, L4+ or U5, which
 * makes the clocks; the left slot goes by DMA into a buffer whose halves are copied into the ring.
 *
 * RM0433, RM0432 and RM0456, chapters "Serial audio interface (SAI)" (with NOMCK the bit clock is the kernel's clock divided by
 * MCKDIV) and "Reset and clock control (RCC)". One number serves all three: 4 MHz (H7: HSI 64 MHz / 16, L4+ and U5: MSI) x
 * TML_MICROPHONE_PLL_N (64) = 256 MHz, / TML_MICROPHONE_PLL_DIVIDER (25) / TML_MICROPHONE_DIVIDER (10) = 1.024 MHz, 64 of which
 * are a frame: 16,000 samples a second, as exactly as the oscillator runs. */
#include "board_config.h"
#include "tml_cache.h"
#include "tml_clock.h"
#include "tml_microphone_blocks.h"
#include "tml_registers.h"
#include "tml_stm32_pins.h"
#include "tml_stm32_sai.h"

#define TML_DMA_BASE TML_MICROPHONE_DMA_BASE
#define TML_DMA_NUMBER TML_MICROPHONE_DMA_NUMBER
#define TML_DMA_REQUEST TML_MICROPHONE_DMA_REQUEST
#define TML_DMA_MUX TML_MICROPHONE_DMA_MUX
#include "tml_stm32_dma.h"

#define NVIC_ISER(n) TML_REG32(0xE000E100u + 4u * (n))
#define BLOCK (TML_MICROPHONE_SAI_BASE + TML_SAI_A)

static uint32_t buffer[2 * TML_HALF_SAMPLES] __attribute__((aligned(32)));
static uint32_t half_samples;

void tml_microphone_irq(void);

#if TML_MICROPHONE_SAI_H7
#define RCC(offset) TML_REG32(0x58024400u + (offset)) /* CR 00 */
enum { PLLON = 1 << 26, PLLRDY = 1 << 27 };           /* PLL2 */

static void set_clocks(void) {
    RCC(0xF0u) |= 1u << 22; /* APB2ENR: SAI1EN */
    (void)RCC(0xF0u);
    RCC(0x00u) &= ~(uint32_t)PLLON;
    RCC(0x28u) = (RCC(0x28u) & ~(3u | 0x3Fu << 12)) | 16u << 12; /* PLLCKSELR: from HSI, DIVM2 */
    RCC(0x2Cu) = (RCC(0x2Cu) & ~(0xFu << 4 | 7u << 19)) | 2u << 6 | 1u << 19; /* PLLCFGR: 4 to 8 MHz in, wide, DIVP2EN */
    RCC(0x38u) = (TML_MICROPHONE_PLL_N - 1u) | (TML_MICROPHONE_PLL_DIVIDER - 1u) << 9 | 1u << 16 | 1u << 24; /* PLL2DIVR */
    RCC(0x50u) = (RCC(0x50u) & ~7u) | 1u; /* D2CCIP1R: SAI1SEL pll2_p_ck */
    RCC(0x00u) |= PLLON;
}
#elif TML_MICROPHONE_SAI_L4
#define RCC(offset) TML_REG32(0x40021000u + (offset)) /* CR 00 */
enum { PLLON = 1 << 26, PLLRDY = 1 << 27 };           /* PLLSAI1 */

static void set_clocks(void) {
    RCC(0x60u) |= 1u << 21; /* APB2ENR: SAI1EN */
    (void)RCC(0x60u);
    RCC(0x00u) &= ~(uint32_t)PLLON;
    RCC(0x0Cu) |= 1u; /* PLLCFGR: PLLSRC MSI, as the core's PLL has it */
    /* PLLSAI1CFGR: M = 1, N, PEN, PDIV */
    RCC(0x10u) = 0u << 4 | TML_MICROPHONE_PLL_N << 8 | 1u << 16 | TML_MICROPHONE_PLL_DIVIDER << 27;
    RCC(0x9Cu) &= ~(7u << 5); /* CCIPR2: SAI1SEL PLLSAI1 */
    RCC(0x00u) |= PLLON;
}
#else
#define RCC(offset) TML_REG32(0x46020C00u + (offset)) /* CR 00 */
enum { PLLON = 1 << 26, PLLRDY = 1 << 27 };           /* PLL2 */

static void set_clocks(void) {
    RCC(0xA4u) |= 1u << 21; /* APB2ENR: SAI1EN */
    (void)RCC(0xA4u);
    RCC(0x00u) &= ~(uint32_t)PLLON;
    RCC(0x2Cu) = 1u | 0u << 2 | 0u << 8 | 1u << 16; /* PLL2CFGR: from MSIS, 4 to 8 MHz in, M = 1, PEN */
    RCC(0x3Cu) = (TML_MICROPHONE_PLL_N - 1u) | (TML_MICROPHONE_PLL_DIVIDER - 1u) << 9 | 1u << 16 | 1u << 24; /* PLL2DIVR */
    RCC(0xE4u) &= ~(7u << 5); /* CCIPR2: SAI1SEL pll2_p_ck */
    RCC(0x00u) |= PLLON;
}
#endif

int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    static const uint8_t pins[] = {TML_MICROPHONE_SCK, TML_MICROPHONE_WS, TML_MICROPHONE_DATA};
    if (sample_rate_hz != TML_MICROPHONE_HZ) return -1;
    TML_REG32(TML_MICROPHONE_DMA_CLOCK_REGISTER) |= TML_MICROPHONE_DMA_CLOCK_BITS;
    (void)TML_REG32(TML_MICROPHONE_DMA_CLOCK_REGISTER);
    set_clocks();
    if (!tml_clock_wait(&RCC(0x00u), PLLRDY, PLLRDY) || !tml_dma_stop()) return -1;
    for (uint32_t i = 0; i < sizeof pins; ++i) tml_stm32_pin(pins[i], TML_STM32_ALTERNATE, TML_MICROPHONE_FUNCTION);
    half_samples = tml_blocks_begin(ring, ring_samples, TML_HALF_SAMPLES);
    NVIC_ISER(TML_MICROPHONE_IRQ / 32) = 1u << (TML_MICROPHONE_IRQ % 32);
    tml_dma_begin(BLOCK + TML_SAI_DR, buffer, 2u * half_samples, sizeof buffer[0], true);
    /* two slots of 32 bits, of which the first is taken (NBSLOT, SLOTSZ, SLOTEN) */
    tml_sai_block(BLOCK, 1u << 8 | 2u << 6 | 1u << 16,
                  TML_SAI_MASTER_RECEIVER | TML_SAI_DS_32 | TML_SAI_CKSTR | TML_SAI_OUTDRIV | TML_SAI_DMA | TML_SAI_NOMCK |
                      TML_MICROPHONE_DIVIDER << TML_SAI_DIVIDER_SHIFT);
    TML_REG32(BLOCK + TML_SAI_CR1) |= TML_SAI_ENABLE;
    return 0;
}

static void take(uint32_t first) {
    tml_cache_forget(buffer + first, half_samples * sizeof buffer[0]);
    for (uint32_t i = 0; i < half_samples; ++i) tml_blocks_put(i, tml_slot_sample(buffer[first + i]));
    tml_blocks_taken();
}

void tml_microphone_irq(void) {
    const uint32_t flags = TML_DMA_FLAGS & (TML_DMA_HALF | TML_DMA_DONE);
    const bool full = (TML_REG32(BLOCK + TML_SAI_SR) & TML_SAI_OVERRUN) != 0; /* the FIFO, for DMA came too late */
    TML_DMA_FORGET = flags;
    if (full) TML_REG32(BLOCK + TML_SAI_CLRFR) = TML_SAI_OVERRUN;
    tml_blocks_served(full || flags == (TML_DMA_HALF | TML_DMA_DONE)); /* both: one was written over before it was taken */
    if ((flags & TML_DMA_HALF) != 0) take(0);
    if ((flags & TML_DMA_DONE) != 0) take(half_samples);
    __asm__ volatile("dsb" ::: "memory"); /* the flags are cleared before the interrupt returns */
}
