/* The host as a microphone: its sound is the file tml_audio.bin, int16 samples at the rate the application asks for. */
#ifndef TML_HOST_MICROPHONE_H
#define TML_HOST_MICROPHONE_H

#include <stdbool.h>
#include <stdint.h>

int tml_host_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples);
uint32_t tml_host_microphone_position(void);
bool tml_host_microphone_wait(void);
void tml_host_microphone_spent(uint32_t us);

#endif
