/* What the Arduino core does itself: clocks, start-up, faults. No semihosting host is asked for under it, because its own
 * fault handler would stop at the breakpoint; so nothing is proven in this build, but the same sources are in the bare-metal
 * one. Cycles are counted by DWT (ARM DDI 0403E, C1.8). */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_cycles.h"
#include "tml_proof.h"
#include "tml_registers.h"
#include "tml_semihosting.h"
#include "tml_stack.h"

uint32_t tml_slower_hz;

void tml_clock_init(void) {}

void tml_cycles_init(void) {
    TML_DEMCR |= 1u << 24; /* TRCENA */
    TML_DWT_CYCCNT = 0;
    TML_DWT_CTRL |= 1u; /* CYCCNTENA */
}

uint32_t tml_cycles(void) { return TML_DWT_CYCCNT; }

void tml_stack_paint(void) {}

uint32_t tml_stack_used_bytes(void) { return 0; }

bool tml_proof(int *exit_code) {
    (void)exit_code;
    return false;
}

bool tml_host_present(void) { return false; }

int tml_host_open(const char *path, int mode) {
    (void)path;
    (void)mode;
    return -1;
}

int tml_host_file_bytes(int handle) {
    (void)handle;
    return -1;
}

bool tml_host_read(int handle, void *data, uint32_t bytes) {
    (void)handle;
    (void)data;
    (void)bytes;
    return false;
}

bool tml_host_write(int handle, const void *data, uint32_t bytes) {
    (void)handle;
    (void)data;
    (void)bytes;
    return false;
}

void tml_host_close(int handle) { (void)handle; }

void tml_host_print(const char *text) { (void)text; }

__attribute__((noreturn)) void tml_exit(int code) {
    (void)code;
    for (;;) __asm__ volatile("wfe");
}
