/* UART (nRF51 Series Reference Manual v3.0, chapter 29). */
#include "board_config.h"
#include "tml_registers.h"
#include "tml_uart.h"

#define UART(offset) TML_REG32(TML_UART_BASE + (offset))
#define TASKS_STARTRX UART(0x000u)
#define TASKS_STARTTX UART(0x008u)
#define EVENTS_RXDRDY UART(0x108u)
#define EVENTS_TXDRDY UART(0x11Cu)
#define ENABLE UART(0x500u)
#define PSELRTS UART(0x508u)
#define PSELTXD UART(0x50Cu)
#define PSELCTS UART(0x510u)
#define PSELRXD UART(0x514u)
#define RXD UART(0x518u)
#define TXD UART(0x51Cu)
#define BAUDRATE UART(0x524u)
#define CONFIG UART(0x56Cu)

enum { ENABLE_UART = 4 };
#define DISCONNECTED 0xFFFFFFFFu

void tml_uart_init(void) {
    TML_REG32(TML_UART_TX_GPIO_BASE + 0x508u) = 1u << TML_UART_TX_PIN; /* OUTSET: idle is high */
    TML_REG32(TML_UART_TX_GPIO_BASE + 0x518u) = 1u << TML_UART_TX_PIN; /* DIRSET */
    PSELRTS = DISCONNECTED;
    PSELCTS = DISCONNECTED;
    PSELTXD = TML_UART_TX_PSEL;
    PSELRXD = TML_UART_RX_PSEL;
    BAUDRATE = TML_UART_BAUDRATE_REGISTER;
    CONFIG = 0;
    ENABLE = ENABLE_UART;
    TASKS_STARTTX = 1;
}

void tml_uart_write(char byte) {
    EVENTS_TXDRDY = 0;
    TXD = (uint8_t)byte;
    while (EVENTS_TXDRDY == 0) {
    }
}

void tml_uart_listen(void) {
    /* PIN_CNF: an input, its buffer connected, pulled up so that an open line is idle */
    TML_REG32(TML_UART_RX_GPIO_BASE + 0x700u + 4u * TML_UART_RX_PIN) = 3u << 2;
    EVENTS_RXDRDY = 0;
    TASKS_STARTRX = 1;
}

/* The receiver has a FIFO of six bytes. The event is cleared first: reading RXD moves the next byte up and raises it again
 * (chapter 29, reception). */
int tml_uart_read(void) {
    if (EVENTS_RXDRDY == 0) return -1;
    EVENTS_RXDRDY = 0;
    return (uint8_t)RXD;
}
