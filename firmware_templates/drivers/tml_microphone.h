/* The microphone: 16-bit mono samples into a ring, by DMA or interrupts. One of the microphone_*.c files implements it. */
#ifndef TML_MICROPHONE_H
#define TML_MICROPHONE_H

#include <stdint.h>

/* Begins to capture at `sample_rate_hz` into `ring`, for ever: sample number n since the start lies at
 * ring[n % ring_samples]. `ring_samples` is a power of two of at least 64, so that this holds when the number wraps.
 * A driver may fill the ring in blocks of at most a quarter of it; the application reads only below the position.
 * Zero where it began; a negative value where the microphone is missing or cannot sample at this rate. */
int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples);

/* Samples written since the start, modulo 2^32. Never falls. */
uint32_t tml_microphone_position(void);

/* How often the hardware lost samples before they reached the ring (a DMA buffer not served in time), modulo 2^32.
 * Whether the application itself was too slow it finds out from the position. */
uint32_t tml_microphone_overruns(void);

/* Sleeps (WFE) until there are more samples than when it was last called; it may return early. */
void tml_microphone_wait(void);

#endif
