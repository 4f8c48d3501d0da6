/* UARTE with EasyDMA (nRF52840 Product Specification v1.7, section 6.34). */
#include "board_config.h"
#include "tml_registers.h"
#include "tml_uart.h"

#define UARTE(offset) TML_REG32(TML_UART_BASE + (offset))
#define TASKS_STARTTX UARTE(0x008u)
#define EVENTS_ENDTX UARTE(0x120u)
#define ENABLE UARTE(0x500u)
#define PSEL_RTS UARTE(0x508u)
#define PSEL_TXD UARTE(0x50Cu)
#define PSEL_CTS UARTE(0x510u)
#define PSEL_RXD UARTE(0x514u)
#define BAUDRATE UARTE(0x524u)
#define TXD_PTR UARTE(0x544u)
#define TXD_MAXCNT UARTE(0x548u)
#define CONFIG UARTE(0x56Cu)

enum { ENABLE_UARTE = 8 };
#define DISCONNECTED 0xFFFFFFFFu

static char buffer[1]; /* EasyDMA reads RAM only */

void tml_uart_init(void) {
    TML_REG32(TML_UART_TX_GPIO_BASE + 0x508u) = 1u << TML_UART_TX_PIN; /* OUTSET: idle is high */
    TML_REG32(TML_UART_TX_GPIO_BASE + 0x518u) = 1u << TML_UART_TX_PIN; /* DIRSET */
    PSEL_RTS = DISCONNECTED;
    PSEL_CTS = DISCONNECTED;
    PSEL_TXD = TML_UART_TX_PSEL;
    PSEL_RXD = TML_UART_RX_PSEL;
    BAUDRATE = TML_UART_BAUDRATE_REGISTER;
    CONFIG = 0;
    ENABLE = ENABLE_UARTE;
}

void tml_uart_write(char byte) {
    buffer[0] = byte;
    __asm__ volatile("dmb" ::: "memory");
    TXD_PTR = (uint32_t)(uintptr_t)buffer;
    TXD_MAXCNT = 1;
    EVENTS_ENDTX = 0;
    TASKS_STARTTX = 1;
    while (EVENTS_ENDTX == 0) {
    }
}
