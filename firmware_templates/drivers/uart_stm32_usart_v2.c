/* USART and LPUART of the STM32 F7, H7, L4 and U5 (RM0385, section 31.8; RM0433, section 48.7; RM0432, sections 50.8 and
 * 51.7; RM0456, section 66.8). */
#include "board_config.h"
#include "tml_registers.h"
#include "tml_stm32_gpio.h"
#include "tml_uart.h"

#define USART_CR1 TML_REG32(TML_UART_BASE + 0x00u)
#define USART_BRR TML_REG32(TML_UART_BASE + 0x0Cu)
#define USART_ISR TML_REG32(TML_UART_BASE + 0x1Cu)
#define USART_ICR TML_REG32(TML_UART_BASE + 0x20u)
#define USART_RDR TML_REG32(TML_UART_BASE + 0x24u)
#define USART_TDR TML_REG32(TML_UART_BASE + 0x28u)

enum { ISR_RXNE = 1 << 5, ISR_TXE = 1 << 7, CR1_UE = 1 << 0, CR1_RE = 1 << 2, CR1_TE = 1 << 3, ICR_ERRORS = 0xF };

/* The LPUART's divider is in 1/256 of its clock. TML_UART_CLOCK_SCALE is 256 for it and 1 for a USART. */
void tml_uart_init(void) {
    tml_stm32_console_pin();
    USART_CR1 = 0;
    USART_BRR = (uint32_t)(((uint64_t)TML_UART_CLOCK_HZ * TML_UART_CLOCK_SCALE + TML_UART_BAUD / 2u) / TML_UART_BAUD);
    USART_CR1 = CR1_UE | CR1_TE;
}

void tml_uart_write(char byte) {
    while ((USART_ISR & ISR_TXE) == 0) {
    }
    USART_TDR = (uint8_t)byte;
}

void tml_uart_listen(void) {
    tml_stm32_console_rx_pin();
    USART_CR1 = CR1_UE | CR1_TE | CR1_RE;
}

int tml_uart_read(void) {
    if ((USART_ISR & ISR_RXNE) == 0) return -1;
    USART_ICR = ICR_ERRORS; /* parity, framing, noise and overrun are flags here, which only a write clears */
    return (uint8_t)USART_RDR;
}
