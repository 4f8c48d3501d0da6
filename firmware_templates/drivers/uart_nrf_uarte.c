/* UARTE with EasyDMA (nRF52840 Product Specification v1.7, section 6.34). Received bytes go round a ring in RAM for ever; a
 * timer in counter mode (section 6.30) counts them through a PPI channel (section 6.16), as the UARTE itself tells how
 * many came only when a transfer has ended. */
#include "board_config.h"
#include "tml_registers.h"
#include "tml_uart.h"

#define UARTE(offset) TML_REG32(TML_UART_BASE + (offset))
#define TASKS_STARTRX UARTE(0x000u)
#define TASKS_STARTTX UARTE(0x008u)
#define EVENTS_RXDRDY_OFFSET 0x108u
#define EVENTS_ENDTX UARTE(0x120u)
#define SHORTS UARTE(0x200u)
#define ENABLE UARTE(0x500u)
#define PSEL_RTS UARTE(0x508u)
#define PSEL_TXD UARTE(0x50Cu)
#define PSEL_CTS UARTE(0x510u)
#define PSEL_RXD UARTE(0x514u)
#define BAUDRATE UARTE(0x524u)
#define RXD_PTR UARTE(0x534u)
#define RXD_MAXCNT UARTE(0x538u)
#define TXD_PTR UARTE(0x544u)
#define TXD_MAXCNT UARTE(0x548u)
#define CONFIG UARTE(0x56Cu)

/* TIMER4 and the last programmable channel, so that microphone and camera drivers may count from the first. */
#define TIMER4(offset) TML_REG32(0x4001B000u + (offset))
#define TIMER4_TASKS_START TIMER4(0x000u)
#define TIMER4_TASKS_COUNT_ADDRESS 0x4001B008u
#define TIMER4_TASKS_CLEAR TIMER4(0x00Cu)
#define TIMER4_TASKS_CAPTURE0 TIMER4(0x040u)
#define TIMER4_MODE TIMER4(0x504u)
#define TIMER4_BITMODE TIMER4(0x508u)
#define TIMER4_CC0 TIMER4(0x540u)
#define PPI_CHANNEL 19u
#define PPI_CHENSET TML_REG32(0x4001F504u)
#define PPI_EVENT TML_REG32(0x4001F510u + 8u * PPI_CHANNEL)
#define PPI_TASK TML_REG32(0x4001F514u + 8u * PPI_CHANNEL)

enum { ENABLE_UARTE = 8, SHORT_ENDRX_STARTRX = 1 << 5, MODE_COUNTER = 1, BITMODE_32 = 3 };
enum { RING_BYTES = 128, LANDING_LOOPS = 16 };
#define DISCONNECTED 0xFFFFFFFFu

static char buffer[1]; /* EasyDMA reads RAM only */
static volatile uint8_t ring[RING_BYTES];
static uint32_t taken; /* bytes, as the timer counts them */

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

void tml_uart_listen(void) {
    /* PIN_CNF: an input, its buffer connected, pulled up so that an open line is idle (section 6.9) */
    TML_REG32(TML_UART_RX_GPIO_BASE + 0x700u + 4u * TML_UART_RX_PIN) = 3u << 2;
    TIMER4_MODE = MODE_COUNTER;
    TIMER4_BITMODE = BITMODE_32;
    TIMER4_TASKS_CLEAR = 1;
    TIMER4_TASKS_START = 1;
    PPI_EVENT = TML_UART_BASE + EVENTS_RXDRDY_OFFSET;
    PPI_TASK = TIMER4_TASKS_COUNT_ADDRESS;
    PPI_CHENSET = 1u << PPI_CHANNEL;
    RXD_PTR = (uint32_t)(uintptr_t)ring;
    RXD_MAXCNT = RING_BYTES;
    SHORTS = SHORT_ENDRX_STARTRX; /* at the ring's end it begins again; the receiver's FIFO bridges the gap */
    TASKS_STARTRX = 1;
}

int tml_uart_read(void) {
    TIMER4_TASKS_CAPTURE0 = 1;
    const uint32_t waiting = TIMER4_CC0 - taken;
    if (waiting == 0) return -1;
    if (waiting > RING_BYTES) taken += waiting - RING_BYTES; /* nobody asked for long: the oldest are gone */
    if (waiting == 1) { /* RXDRDY may come a moment before the byte is in RAM (section 6.34.3) */
        for (volatile int i = 0; i < LANDING_LOOPS; ++i) {
        }
    }
    return ring[taken++ % RING_BYTES];
}
