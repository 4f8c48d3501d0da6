/* Blocks of samples on their way into the microphone's ring: what the drivers share. One file, microphone_blocks.c, keeps the
 * position and the overruns, and answers tml_microphone_position, _overruns and _wait for all of them. */
#ifndef TML_MICROPHONE_BLOCKS_H
#define TML_MICROPHONE_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "tml_microphone.h"

/* The only rate the drivers make; the build checks how exactly they meet it (tinyml/firmware/parts/microphone.py). */
enum { TML_MICROPHONE_HZ = 16000, TML_HALF_SAMPLES = 128 };

/* Forgets what was before. Gives the samples of a block: a quarter of the ring, a power of two, at most `largest`. */
uint32_t tml_blocks_begin(int16_t *ring, uint32_t ring_samples, uint32_t largest);

/* For an interrupt, once: counts an overrun where the hardware `lost` samples or the last interrupt was more than a block
 * too long ago, so that the hardware has filled the same block again. */
void tml_blocks_served(bool lost);

/* Sample number `index` of the block that is being taken, and the block's end: the position moves on. */
void tml_blocks_put(uint32_t index, int16_t sample);
void tml_blocks_taken(void);

/* A slot of 32 bits from an I2S microphone, whose sample of 24 bits came first: its upper bits, 18 dB louder and clipped.
 * Speech at 60 dB SPL lies 60 dB below full scale with the -26 dBFS at 94 dB SPL that such parts have. */
static inline int16_t tml_slot_sample(uint32_t slot) {
    enum { LOUDER_BITS = 3 };
    const int32_t louder = (int32_t)slot >> (16 - LOUDER_BITS);
    if (louder > INT16_MAX) return INT16_MAX;
    return (int16_t)(louder < INT16_MIN ? INT16_MIN : louder);
}

#endif
