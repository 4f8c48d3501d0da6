/* CMSDK APB UART of Arm's FPGA images (Cortex-M System Design Kit Technical Reference Manual, DDI 0479D, section 4.3). */
#include "board_config.h"
#include "tml_registers.h"
#include "tml_uart.h"

#define DATA TML_REG32(TML_UART_BASE + 0x00u)
#define STATE TML_REG32(TML_UART_BASE + 0x04u)
#define CTRL TML_REG32(TML_UART_BASE + 0x08u)
#define BAUDDIV TML_REG32(TML_UART_BASE + 0x10u)

enum { STATE_TX_FULL = 1, STATE_RX_FULL = 2, STATE_RX_OVERRUN = 8, CTRL_TX_ENABLE = 1, CTRL_RX_ENABLE = 2 };

void tml_uart_init(void) {
    BAUDDIV = (TML_CORE_HZ + TML_UART_BAUD / 2u) / TML_UART_BAUD;
    CTRL = CTRL_TX_ENABLE;
}

void tml_uart_write(char byte) {
    while ((STATE & STATE_TX_FULL) != 0) {
    }
    DATA = (uint8_t)byte;
}

void tml_uart_listen(void) { CTRL = CTRL_TX_ENABLE | CTRL_RX_ENABLE; }

int tml_uart_read(void) {
    const uint32_t state = STATE;
    if ((state & STATE_RX_FULL) == 0) return -1;
    if ((state & STATE_RX_OVERRUN) != 0) STATE = STATE_RX_OVERRUN; /* cleared by writing one */
    return (uint8_t)DATA;
}
