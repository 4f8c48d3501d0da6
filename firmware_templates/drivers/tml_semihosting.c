#include "tml_semihosting.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE0 = 0x04,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_ISERROR = 0x08,
    SYS_FLEN = 0x0C,
    SYS_EXIT_EXTENDED = 0x20,
};
enum { ADP_STOPPED_APPLICATION_EXIT = 0x20026 };
enum { HOST_UNKNOWN = 0, HOST_PRESENT = 1, HOST_ABSENT = 2 };

static uint8_t host_state;

static int call(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

bool tml_host_present(void) {
    if (host_state == HOST_UNKNOWN) {
        /* A host says that status 0 is no error and that -1 is one. The fault handler says -1 to both, and an emulator
         * that only steps over the breakpoint leaves the same value both times. */
        const uint32_t good = 0, bad = 0xFFFFFFFFu;
        const bool present = call(SYS_ISERROR, &good) == 0 && call(SYS_ISERROR, &bad) > 0;
        host_state = present ? HOST_PRESENT : HOST_ABSENT;
    }
    return host_state == HOST_PRESENT;
}

int tml_host_open(const char *path, int mode) {
    uint32_t length = 0;
    while (path[length] != '\0') ++length;
    const uint32_t block[3] = {(uint32_t)(uintptr_t)path, (uint32_t)mode, length};
    return call(SYS_OPEN, block);
}

int tml_host_file_bytes(int handle) {
    const uint32_t block[1] = {(uint32_t)handle};
    return call(SYS_FLEN, block);
}

/* SYS_READ and SYS_WRITE return how many bytes were not transferred. */
bool tml_host_read(int handle, void *data, uint32_t bytes) {
    const uint32_t block[3] = {(uint32_t)handle, (uint32_t)(uintptr_t)data, bytes};
    return call(SYS_READ, block) == 0;
}

bool tml_host_write(int handle, const void *data, uint32_t bytes) {
    const uint32_t block[3] = {(uint32_t)handle, (uint32_t)(uintptr_t)data, bytes};
    return call(SYS_WRITE, block) == 0;
}

void tml_host_close(int handle) {
    const uint32_t block[1] = {(uint32_t)handle};
    (void)call(SYS_CLOSE, block);
}

void tml_host_print(const char *text) { (void)call(SYS_WRITE0, text); }

__attribute__((noreturn)) void tml_exit(int code) {
    if (tml_host_present()) {
        const uint32_t block[2] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)code};
        (void)call(SYS_EXIT_EXTENDED, block);
    }
    for (;;) __asm__ volatile("wfi");
}
