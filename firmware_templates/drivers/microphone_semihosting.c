#include "tml_host_microphone.h"
#include "tml_semihosting.h"

enum { BLOCK_SAMPLES = 160 }; /* as many come at a time as from a driver's DMA */

static struct {
    int16_t *ring;
    uint32_t mask, position, left, rate_hz, rest;
    int file;
} host;

int tml_host_microphone_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples) {
    host.file = tml_host_open("tml_audio.bin", TML_FILE_READ);
    if (host.file < 0) return -1;
    host.ring = ring;
    host.mask = ring_samples - 1u;
    host.rate_hz = sample_rate_hz;
    host.position = 0;
    host.rest = 0;
    host.left = (uint32_t)tml_host_file_bytes(host.file) / sizeof(int16_t);
    return 0;
}

uint32_t tml_host_microphone_position(void) { return host.position; }

static void advance(uint32_t samples) {
    if (samples > host.left) samples = host.left;
    while (samples != 0) {
        const uint32_t at = host.position & host.mask, room = host.mask + 1u - at;
        const uint32_t part = samples < room ? samples : room;
        if (!tml_host_read(host.file, host.ring + at, part * (uint32_t)sizeof(int16_t))) {
            host.left = 0;
            return;
        }
        host.position += part;
        host.left -= part;
        samples -= part;
    }
}

bool tml_host_microphone_wait(void) {
    if (host.left == 0) return false;
    advance(BLOCK_SAMPLES);
    return true;
}

void tml_host_microphone_spent(uint32_t us) {
    const uint64_t ticks = (uint64_t)us * host.rate_hz + host.rest;
    host.rest = (uint32_t)(ticks % 1000000u);
    advance((uint32_t)(ticks / 1000000u));
}
