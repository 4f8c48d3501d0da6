// The microphone by the core's PDM library, which calls back for each of its buffers.
#include <Arduino.h>
#include <PDM.h>

extern "C" {
#include "tml_microphone.h"
}

// GAINL and GAINR: +20 dB, as microphone_nrf_pdm.c has it, so that the same thresholds serve (nRF52840 Product Specification
// v1.7, section 6.15).
enum { GAIN = 0x50 };

static struct {
    int16_t *ring;
    uint32_t mask;
    volatile uint32_t position;
} microphone;

static void receive() {
    int16_t samples[256];
    int bytes = PDM.available();
    while (bytes > 0) {
        const int wanted = bytes < (int)sizeof samples ? bytes : (int)sizeof samples;
        const int got = PDM.read(samples, (size_t)wanted);
        if (got <= 0) return;
        for (int i = 0; i < got / 2; ++i) microphone.ring[(microphone.position + (uint32_t)i) & microphone.mask] = samples[i];
        microphone.position = microphone.position + (uint32_t)got / 2u;
        bytes -= got;
    }
}

int tml_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    microphone.ring = ring;
    microphone.mask = ring_samples - 1u;
    microphone.position = 0;
    PDM.onReceive(receive);
    if (!PDM.begin(1, (int)sample_rate_hz)) return -1;
    PDM.setGain(GAIN); // after begin(), which sets the library's own, -10 dB
    return 0;
}

uint32_t tml_microphone_position(void) { return microphone.position; }

uint32_t tml_microphone_overruns(void) { return 0; }

void tml_microphone_wait(void) {
    static uint32_t seen;
    if (microphone.position == seen) delay(1);
    seen = microphone.position;
}
