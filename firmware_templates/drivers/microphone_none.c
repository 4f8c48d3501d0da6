/* A board without a microphone, or whose microphone has no driver: sound comes from a semihosting host alone. */
#include "tml_microphone.h"

int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    (void)sample_rate_hz;
    (void)ring;
    (void)ring_samples;
    return -1;
}

uint32_t tml_microphone_position(void) { return 0; }

uint32_t tml_microphone_overruns(void) { return 0; }

void tml_microphone_wait(void) {}
