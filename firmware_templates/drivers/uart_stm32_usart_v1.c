/* USART of the STM32F4 (RM0090, section 30.6). */
#include "board_config.h"
#include "tml_registers.h"
#include "tml_stm32_gpio.h"
#include "tml_uart.h"

#define USART_SR TML_REG32(TML_UART_BASE + 0x00u)
#define USART_DR TML_REG32(TML_UART_BASE + 0x04u)
#define USART_BRR TML_REG32(TML_UART_BASE + 0x08u)
#define USART_CR1 TML_REG32(TML_UART_BASE + 0x0Cu)

enum { SR_TXE = 1 << 7, CR1_UE = 1 << 13, CR1_TE = 1 << 3 };

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
