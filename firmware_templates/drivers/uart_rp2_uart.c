/* PL011 UART (RP2040 datasheet, section 4.2; RP2350 datasheet, section 12.1; resets 2.14 and 7.5; GPIO 2.19 and 9). */
#include "board_config.h"
#include "tml_registers.h"
#include "tml_uart.h"

#define UART_DR TML_REG32(TML_UART_BASE + 0x00u)
#define UART_FR TML_REG32(TML_UART_BASE + 0x18u)
#define UART_IBRD TML_REG32(TML_UART_BASE + 0x24u)
#define UART_FBRD TML_REG32(TML_UART_BASE + 0x28u)
#define UART_LCR_H TML_REG32(TML_UART_BASE + 0x2Cu)
#define UART_CR TML_REG32(TML_UART_BASE + 0x30u)
#define RESETS_CLEAR TML_REG32(TML_RP2_RESETS_BASE + 0x3000u) /* the register's atomic-clear alias */
#define RESETS_DONE TML_REG32(TML_RP2_RESETS_BASE + 0x08u)
#define GPIO_CTRL(pin) TML_REG32(TML_RP2_IO_BANK0_BASE + 0x04u + 8u * (pin))
#define PAD(pin) TML_REG32(TML_RP2_PADS_BANK0_BASE + 0x04u + 4u * (pin))

enum { FUNCTION_UART = 2, FR_TX_FULL = 1 << 5, FR_RX_EMPTY = 1 << 4, LCR_8BITS_FIFO = 0x70 };
enum { CR_ENABLE_TX = 0x101, CR_ENABLE_RX = 0x200 };
enum { PAD_PULL_DOWN = 1 << 2, PAD_PULL_UP = 1 << 3, PAD_INPUT_ENABLE = 1 << 6 };
enum { PAD_OUTPUT_DISABLE = 1 << 7, PAD_ISOLATION = 1 << 8 };

void tml_uart_init(void) {
    RESETS_CLEAR = TML_RP2_UART0_RESET | TML_RP2_PINS_RESET;
    (void)tml_clock_wait(&RESETS_DONE, TML_RP2_UART0_RESET | TML_RP2_PINS_RESET, TML_RP2_UART0_RESET | TML_RP2_PINS_RESET);
    const uint32_t divider64 = (TML_UART_CLOCK_HZ * 4u + TML_UART_BAUD / 2u) / TML_UART_BAUD; /* clock / (16 baud), 6 fraction bits */
    UART_IBRD = divider64 >> 6;
    UART_FBRD = divider64 & 63u;
    UART_LCR_H = LCR_8BITS_FIFO;
    UART_CR = CR_ENABLE_TX;
    GPIO_CTRL(TML_UART_TX_PIN) = FUNCTION_UART;
    PAD(TML_UART_TX_PIN) &= ~(uint32_t)(PAD_OUTPUT_DISABLE | PAD_ISOLATION);
}

void tml_uart_write(char byte) {
    while ((UART_FR & FR_TX_FULL) != 0) {
    }
    UART_DR = (uint8_t)byte;
}

void tml_uart_listen(void) {
    GPIO_CTRL(TML_UART_RX_PIN) = FUNCTION_UART;
    const uint32_t kept = PAD(TML_UART_RX_PIN) & ~(uint32_t)(PAD_PULL_DOWN | PAD_ISOLATION);
    PAD(TML_UART_RX_PIN) = kept | PAD_PULL_UP | PAD_INPUT_ENABLE; /* an open line is idle */
    UART_CR = CR_ENABLE_TX | CR_ENABLE_RX;
}

int tml_uart_read(void) {
    if ((UART_FR & FR_RX_EMPTY) != 0) return -1; /* the FIFO holds 32 bytes */
    return (uint8_t)UART_DR;
}
