/* PDM microphone of the nRF52840 by EasyDMA straight into the ring, a block at a time: while one is filled, the interrupt of
 * its beginning names the next (Product Specification v1.7, section 6.15: SAMPLE.PTR is double-buffered).
 * 16 kHz exactly: PDMCLKCTRL 1.280 MHz, RATIO 80. */
#include "board_config.h"
#include "tml_microphone_blocks.h"
#include "tml_registers.h"

#define PDM(offset) TML_REG32(0x4001D000u + (offset))
#define EVENTS_STARTED PDM(0x100u)
#define EVENTS_END PDM(0x108u)
#define SAMPLE_PTR PDM(0x560u)
#define GPIO(pin, offset) TML_REG32(0x50000000u + 0x300u * ((pin) / 32u) + (offset))
#define NVIC_ISER TML_REG32(0xE000E100u)

enum { LARGEST_BLOCK_SAMPLES = 256 };
/* +20 dB: speech at 60 dB SPL lies 60 dB below full scale with a microphone of -26 dBFS at 94 dB SPL */
enum { GAIN = 0x50, MONO_LEFT_FALLING = 1, CLOCK_1280K = 0x0A000000, RATIO_80 = 1, INT_STARTED = 1 << 0, INT_END = 1 << 2 };

static struct {
    int16_t *ring;
    uint32_t mask, block, next;
} microphone;

void tml_microphone_irq(void);

int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    if (sample_rate_hz != TML_MICROPHONE_HZ) return -1;
    microphone.ring = ring;
    microphone.mask = ring_samples - 1u;
    microphone.block = tml_blocks_begin(ring, ring_samples, LARGEST_BLOCK_SAMPLES);
    microphone.next = 0;
#ifdef TML_MICROPHONE_POWER
    GPIO(TML_MICROPHONE_POWER, 0x508u) = 1u << (TML_MICROPHONE_POWER % 32u); /* OUTSET */
    GPIO(TML_MICROPHONE_POWER, 0x518u) = 1u << (TML_MICROPHONE_POWER % 32u); /* DIRSET */
#endif
    GPIO(TML_MICROPHONE_CLOCK, 0x50Cu) = 1u << (TML_MICROPHONE_CLOCK % 32u); /* OUTCLR */
    GPIO(TML_MICROPHONE_CLOCK, 0x518u) = 1u << (TML_MICROPHONE_CLOCK % 32u);
    PDM(0x540u) = TML_MICROPHONE_CLOCK; /* PSEL.CLK */
    PDM(0x544u) = TML_MICROPHONE_DATA;  /* PSEL.DIN */
    PDM(0x504u) = CLOCK_1280K;
    PDM(0x508u) = MONO_LEFT_FALLING;
    PDM(0x518u) = GAIN;
    PDM(0x51Cu) = GAIN;
    PDM(0x520u) = RATIO_80;
    SAMPLE_PTR = (uint32_t)(uintptr_t)ring;
    PDM(0x564u) = microphone.block; /* SAMPLE.MAXCNT */
    EVENTS_STARTED = 0;
    EVENTS_END = 0;
    PDM(0x304u) = INT_STARTED | INT_END;
    NVIC_ISER = 1u << TML_MICROPHONE_IRQ;
    PDM(0x500u) = 1; /* ENABLE */
    PDM(0x000u) = 1; /* TASKS_START */
    return 0;
}

void tml_microphone_irq(void) {
    if (EVENTS_END != 0) {
        EVENTS_END = 0;
        tml_blocks_served(false);
        tml_blocks_taken();
    }
    if (EVENTS_STARTED != 0) {
        EVENTS_STARTED = 0;
        microphone.next = (microphone.next + microphone.block) & microphone.mask;
        SAMPLE_PTR = (uint32_t)(uintptr_t)(microphone.ring + microphone.next);
    }
    __asm__ volatile("dsb" ::: "memory"); /* the events are cleared before the interrupt returns */
}
