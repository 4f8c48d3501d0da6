/* USART of the STM32F4 (RM0090, section 30.6). */
#include "board_config.h"
#include "tml_registers.h"
#include "tml_stm32_gpio.h"
#include "tml_uart.h"

#define USART_SR TML_REG32(TML_UART_BASE + 0x00u)
#define USART_DR TML_REG32(TML_UART_BASE + 0x04u)
#define USART_BRR TML_REG32(TML_UART_BASE + 0x08u)
#define USART_CR1 TML_REG32(TML_UART_BASE + 0x0Cu)

enum { SR_RXNE = 1 << 5, SR_TXE = 1 << 7, CR1_UE = 1 << 13, CR1_TE = 1 << 3, CR1_RE = 1 << 2 };

void tml_uart_init(void) {
    tml_stm32_console_pin();
    USART_BRR = (TML_UART_CLOCK_HZ + TML_UART_BAUD / 2u) / TML_UART_BAUD;
    USART_CR1 = CR1_UE | CR1_TE;
}

void tml_uart_write(char byte) {
    while ((USART_SR & SR_TXE) == 0) {
    }
    USART_DR = (uint8_t)byte;
}

void tml_uart_listen(void) {
    tml_stm32_console_rx_pin();
    USART_CR1 = CR1_UE | CR1_TE | CR1_RE;
}

/* Reading SR, then DR clears RXNE and with it overrun and line errors (section 30.6.1). */
int tml_uart_read(void) {
    if ((USART_SR & SR_RXNE) == 0) return -1;
    return (uint8_t)USART_DR;
}
