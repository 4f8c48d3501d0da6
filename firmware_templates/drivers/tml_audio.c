#include "tml_audio.h"

#include "tml_host_microphone.h"
#include "tml_microphone.h"
#include "tml_semihosting.h"

int tml_audio_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    return tml_host_present() ? tml_host_microphone_start(sample_rate_hz, ring, ring_samples)
                              : tml_microphone_start(sample_rate_hz, ring, ring_samples);
}

uint32_t tml_audio_position(void) {
    return tml_host_present() ? tml_host_microphone_position() : tml_microphone_position();
}

uint32_t tml_audio_overruns(void) { return tml_host_present() ? 0 : tml_microphone_overruns(); }

bool tml_audio_wait(void) {
    if (tml_host_present()) return tml_host_microphone_wait();
    tml_microphone_wait();
    return true;
}

void tml_audio_spent(uint32_t us) {
    if (tml_host_present()) tml_host_microphone_spent(us);
}
