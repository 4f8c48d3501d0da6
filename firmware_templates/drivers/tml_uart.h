/* The board's serial line, polled. One of the uart_*.c files implements it for the MCU family. */
#ifndef TML_UART_H
#define TML_UART_H

void tml_uart_init(void);
void tml_uart_write(char byte); /* waits for room */

#endif
