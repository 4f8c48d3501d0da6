/* MLPerf Tiny's device under test: its protocol on the board's serial line, for the benchmark's public runner. */
#include <stdint.h>

#include "app_config.h"
#include "mlperf.h"
#include "mlperf_print.h"
#include "tml_clock.h"
#include "tml_console.h"
#include "tml_cycles.h"
#if APP_MLPERF_ENERGY
#include "tml_led.h"
#endif
#include "tml_proof.h"

enum { MICROSECONDS = 1000000, PULSE_US = 20 };

static uint64_t cycles;
static uint32_t last_cycles;

/* Cycles since the start. Called at least once in 2^32 cycles (9 s at 480 MHz), which an inference does not take. */
static uint64_t cycles_now(void) {
    const uint32_t now = tml_cycles();
    cycles += (uint32_t)(now - last_cycles);
    last_cycles = now;
    return cycles;
}

void mlperf_send(const char *data, uint32_t bytes) { tml_console_write(data, bytes); }

void mlperf_tick(void) { (void)cycles_now(); }

void mlperf_timestamp(void) {
#if APP_MLPERF_ENERGY
    tml_led_set(0, 1);
    const uint32_t start = tml_cycles();
    while ((uint32_t)(tml_cycles() - start) < tml_core_hz() / MICROSECONDS * PULSE_US) {
    }
    tml_led_set(0, 0);
#else
    const uint64_t now = cycles_now();
    const uint32_t hz = tml_core_hz();
    mlperf_print("m-lap-us-");
    mlperf_print_u64(now / hz * MICROSECONDS + now % hz * MICROSECONDS / hz);
    mlperf_print("\r\n");
#endif
}

int main(void) {
    int exit_code = 0;
    tml_console_init();
    if (tml_proof(&exit_code)) return exit_code;
    tml_console_listen();
    tml_cycles_init();
#if APP_MLPERF_ENERGY
    tml_led_init();
#endif
    last_cycles = tml_cycles();
    mlperf_begin();
    for (;;) {
        const int byte = tml_console_read();
        if (byte >= 0) mlperf_receive((uint8_t)byte);
        (void)cycles_now();
    }
}
