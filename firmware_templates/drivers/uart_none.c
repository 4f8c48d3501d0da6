/* A board without a serial console: output goes to the semihosting host only. */
#include "tml_uart.h"

void tml_uart_init(void) {}

void tml_uart_write(char byte) { (void)byte; }

void tml_uart_listen(void) {}

int tml_uart_read(void) { return -1; }
