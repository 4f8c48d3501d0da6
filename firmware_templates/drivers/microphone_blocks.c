#include "tml_microphone_blocks.h"

#include "tml_clock.h"
#include "tml_cycles.h"

static struct {
    int16_t *ring;
    uint32_t mask, block, last_cycles;
    volatile uint32_t position, overruns;
} blocks;

uint32_t tml_blocks_begin(int16_t *ring, uint32_t ring_samples, uint32_t largest) {
    blocks.ring = ring;
    blocks.mask = ring_samples - 1u;
    blocks.block = ring_samples / 4u < largest ? ring_samples / 4u : largest;
    blocks.position = 0;
    blocks.last_cycles = tml_cycles();
    return blocks.block;
}

void tml_blocks_served(bool lost) {
    const uint32_t now = tml_cycles();
    if (lost || now - blocks.last_cycles > 2u * blocks.block * (tml_core_hz() / TML_MICROPHONE_HZ)) ++blocks.overruns;
    blocks.last_cycles = now;
}

void tml_blocks_put(uint32_t index, int16_t sample) { blocks.ring[(blocks.position + index) & blocks.mask] = sample; }

void tml_blocks_taken(void) { blocks.position += blocks.block; }

uint32_t tml_microphone_position(void) { return blocks.position; }

uint32_t tml_microphone_overruns(void) { return blocks.overruns; }

void tml_microphone_wait(void) {
    static uint32_t seen;
    if (blocks.position == seen) __asm__ volatile("wfe"); /* an interrupt's return is an event */
    seen = blocks.position;
}
