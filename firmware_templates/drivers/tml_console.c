#include "tml_console.h"

#include "tml_clock.h"
#include "tml_semihosting.h"
#include "tml_uart.h"

void tml_console_init(void) {
    if (!tml_host_present()) {
        tml_clock_init();
        tml_uart_init();
    }
}

void tml_print(const char *text) {
    if (tml_host_present()) {
        tml_host_print(text);
        return;
    }
    while (*text != '\0') tml_uart_write(*text++);
}

void tml_print_u32(uint32_t value) {
    char digits[11];
    char *first = &digits[10];
    *first = '\0';
    do {
        *--first = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0);
    tml_print(first);
}

void tml_print_i32(int32_t value) {
    if (value < 0) tml_print("-");
    tml_print_u32(value < 0 ? 0u - (uint32_t)value : (uint32_t)value);
}

void tml_print_hex(uint32_t value) {
    char text[11] = "0x";
    for (int i = 0; i < 8; ++i) {
        const uint32_t nibble = (value >> (28 - 4 * i)) & 15u;
        text[2 + i] = (char)(nibble < 10u ? '0' + nibble : 'a' + nibble - 10u);
    }
    text[10] = '\0';
    tml_print(text);
}

void tml_print_field(const char *name, uint32_t value) {
    tml_print(",\"");
    tml_print(name);
    tml_print("\":");
    tml_print_u32(value);
}

enum { WAITING_BYTES = 128 };
static uint8_t waiting[WAITING_BYTES];
static uint32_t arrived, taken;

static void collect(void) {
    for (int byte; arrived - taken < WAITING_BYTES && (byte = tml_uart_read()) >= 0;) {
        waiting[arrived++ % WAITING_BYTES] = (uint8_t)byte;
    }
}

void tml_console_listen(void) {
    if (tml_host_present()) { /* which tml_console_init relied on */
        tml_clock_init();
        tml_uart_init();
    }
    tml_uart_listen();
}

int tml_console_read(void) {
    collect();
    return arrived == taken ? -1 : waiting[taken++ % WAITING_BYTES];
}

void tml_console_write(const char *data, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; ++i) {
        tml_uart_write(data[i]);
        collect();
    }
}
