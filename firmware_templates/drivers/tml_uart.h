/* The board's serial line, polled. One of the uart_*.c files implements it for the MCU family. A receiver holds one byte
 * or a few: who listens has to ask for the next within a byte's time, 87 us at 115200 baud (tml_console_read and
 * tml_console_write do). */
#ifndef TML_UART_H
#define TML_UART_H

#include "tml_clock.h" /* the UART's clock may follow the core's */

void tml_uart_init(void);
void tml_uart_write(char byte); /* waits for room */
void tml_uart_listen(void);     /* after tml_uart_init: starts the receiver */
int tml_uart_read(void);        /* the next byte received, or -1 */

#endif
