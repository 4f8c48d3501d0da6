// The console on the USB serial port of the Arduino core.
#include <Arduino.h>

#include "board_config.h"

extern "C" {
#include "tml_uart.h"
}

enum { HOST_WAIT_MS = 3000 };

void tml_uart_init(void) {
    Serial.begin(TML_UART_BAUD);
    // without a host that opens the port the application goes on alone
    const unsigned long start = millis();
    while (!Serial && millis() - start < HOST_WAIT_MS) {
    }
}

void tml_uart_write(char byte) { (void)Serial.write((uint8_t)byte); }

void tml_uart_listen(void) {}

int tml_uart_read(void) { return Serial.available() > 0 ? Serial.read() : -1; }
