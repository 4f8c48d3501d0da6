/* The serial line as a USB device of class CDC-ACM on the RP2040's and RP2350's own socket.
 *
 * RP2040 datasheet, section 4.1 (buffers, example of a device, registers); RP2350 datasheet, section 12.7, the same but for
 * MAIN_CTRL.PHY_ISO; 2.18 and 8.6 (PLL), 2.15 and 8.1 (clk_usb), 2.14 and 7.5 (resets). Universal Serial Bus Specification
 * 2.0, chapter 9 (requests, descriptors); Class Definitions for Communication Devices 1.2 and its PSTN subclass (ACM's
 * requests). The host's requests are served by interrupt, so that they are answered while the network runs.
 *
 * Packets to the host have 63 bytes at most: a shorter one than the largest ends the host's read. */
#include <stdbool.h>

#include "board_config.h"
#include "tml_delay.h"
#include "tml_registers.h"
#include "tml_uart.h"

#define RAM(offset) TML_REG32(0x50100000u + (offset))
#define USB(offset) TML_REG32(0x50110000u + (offset))
#define ADDR_ENDP USB(0x00u)
#define MAIN_CTRL USB(0x40u)
#define SIE_CTRL USB(0x4Cu)
#define SIE_STATUS USB(0x50u)
#define BUFF_STATUS USB(0x58u)
#define EP_STALL_ARM USB(0x68u)
#define USB_MUXING USB(0x74u)
#define USB_PWR USB(0x78u)
#define INTE USB(0x90u)
#define INTS USB(0x98u)
#define RESETS_CLEAR TML_REG32(TML_RP2_RESETS_BASE + 0x3000u)
#define RESETS_DONE TML_REG32(TML_RP2_RESETS_BASE + 0x08u)
#define PLL(offset) TML_REG32(TML_RP2_PLL_USB_BASE + (offset))
#define NVIC_ISER TML_REG32(0xE000E100u)

/* Places in the controller's memory: control of endpoints, control of buffers, buffers. */
enum { EP1_IN_CONTROL = 0x08, EP2_IN_CONTROL = 0x10, EP2_OUT_CONTROL = 0x14 };
enum { EP0_IN = 0x80, EP0_OUT = 0x84, EP2_IN = 0x90, EP2_OUT = 0x94 };
enum { EP0_DATA = 0x100, EP2_OUT_DATA = 0x180, EP2_IN_DATA = 0x1C0, EP1_IN_DATA = 0x200 };
enum { FULL = 1 << 15, DATA1 = 1 << 13, STALL = 1 << 11, AVAILABLE = 1 << 10, LENGTH = 0x3FF };
enum { INT_BUFF_STATUS = 1 << 4, INT_BUS_RESET = 1 << 12, INT_SETUP = 1 << 16 };
enum { STATUS_SETUP = 1 << 17, STATUS_BUS_RESET = 1 << 19 };
enum { DONE_EP0_IN = 1, DONE_EP0_OUT = 2, DONE_EP2_IN = 16, DONE_EP2_OUT = 32 };
enum { PACKET = 64, LARGEST_SENT = 63, RECEIVED_BYTES = 256, SEND_TRIES = 4000000 };

static const uint8_t device_descriptor[] = {
    18, 1, 0x00, 0x02, 0xEF, 2, 1, PACKET, /* USB 2.0, interfaces are associated */
    TML_USB_VENDOR & 0xFF, TML_USB_VENDOR >> 8, TML_USB_PRODUCT & 0xFF, TML_USB_PRODUCT >> 8, 0x00, 0x01, 1, 2, 0, 1,
};
static const uint8_t configuration_descriptor[] = {
    9, 2, 75, 0, 2, 1, 0, 0x80, 125, /* two interfaces, from the bus, 250 mA */
    8, 11, 0, 2, 2, 2, 0, 0,         /* association: CDC, ACM */
    9, 4, 0, 0, 1, 2, 2, 0, 0,       /* interface 0: notifications */
    5, 0x24, 0x00, 0x20, 0x01,       /* CDC 1.20 */
    5, 0x24, 0x01, 0, 1,             /* no call management */
    4, 0x24, 0x02, 2,                /* line coding and control line state */
    5, 0x24, 0x06, 0, 1,             /* union of both */
    7, 5, 0x81, 3, 8, 0, 255,        /* endpoint 1 in, interrupt */
    9, 4, 1, 0, 2, 10, 0, 0, 0,      /* interface 1: data */
    7, 5, 0x02, 2, PACKET, 0, 0,     /* endpoint 2 out, bulk */
    7, 5, 0x82, 2, PACKET, 0, 0,     /* endpoint 2 in, bulk */
};
_Static_assert(sizeof configuration_descriptor == 75, "the total length stands in it");
static const uint8_t languages[] = {4, 3, 0x09, 0x04};
static const uint8_t maker[] = {14, 3, 't', 0, 'i', 0, 'n', 0, 'y', 0, 'm', 0, 'l', 0};
static const uint8_t product[] = {16, 3, 'c', 0, 'o', 0, 'n', 0, 's', 0, 'o', 0, 'l', 0, 'e', 0};

static struct {
    const uint8_t *answer; /* what is left of an answer on endpoint 0 */
    uint32_t answer_left;
    uint32_t address; /* takes effect behind the request's status */
    bool answer_odd, answer_ends_short, coding_comes, set_address;
} control;
static uint8_t line_coding[7] = {0x00, 0xC2, 0x01, 0x00, 0, 0, 8}; /* 115200, 8N1 */
static volatile bool open, sending;
static volatile uint32_t arrived, taken;
static uint8_t received[RECEIVED_BYTES];
static uint8_t to_send[PACKET];
static uint32_t to_send_bytes;
static bool sent_odd, received_odd, receiver_waits;

void tml_usb_irq(void);

/* The controller's memory takes words; AVAILABLE comes some of its slower cycles behind the rest (4.1.2.5.1). */
static void hand_over(uint32_t buffer, uint32_t value) {
    RAM(buffer) = value;
    for (uint32_t i = 0; i < 4u; ++i) __asm__ volatile("nop\n nop\n nop" ::: "memory");
    RAM(buffer) = value | AVAILABLE;
}

static void put(uint32_t place, const uint8_t *data, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i += 4u) {
        uint32_t word = 0;
        for (uint32_t k = 0; k < 4u && i + k < bytes; ++k) word |= (uint32_t)data[i + k] << (8u * k);
        RAM(place + i) = word;
    }
}

static uint8_t byte_at(uint32_t place, uint32_t index) { return (uint8_t)(RAM(place + (index & ~3u)) >> (8u * (index & 3u))); }

static void listen_to_control(void) { hand_over(EP0_OUT, DATA1 | PACKET); }

/* The next packet of an answer; a short one is the last. */
static void answer_on(void) {
    const uint32_t bytes = control.answer_left < PACKET ? control.answer_left : PACKET;
    put(EP0_DATA, control.answer, bytes);
    control.answer += bytes;
    control.answer_left -= bytes;
    if (bytes < PACKET) control.answer_ends_short = false;
    hand_over(EP0_IN, FULL | (control.answer_odd ? DATA1 : 0u) | bytes);
    control.answer_odd = !control.answer_odd;
}

static void answer(const uint8_t *data, uint32_t bytes, uint32_t wanted) {
    control.answer = data;
    control.answer_left = bytes < wanted ? bytes : wanted;
    control.answer_ends_short = bytes < wanted; /* the host must learn that nothing more comes */
    control.answer_odd = true;
    answer_on();
    if (wanted != 0) listen_to_control(); /* its status */
}

static void refuse(void) {
    EP_STALL_ARM = 3;
    RAM(EP0_IN) = STALL;
    RAM(EP0_OUT) = STALL;
}

static void receive(void) {
    receiver_waits = RECEIVED_BYTES - (arrived - taken) < PACKET;
    if (receiver_waits) return;
    hand_over(EP2_OUT, (received_odd ? DATA1 : 0u) | PACKET);
    received_odd = !received_odd;
}

static void configure(void) {
    RAM(EP1_IN_CONTROL) = 1u << 31 | 1u << 29 | 3u << 26 | EP1_IN_DATA;
    RAM(EP2_OUT_CONTROL) = 1u << 31 | 1u << 29 | 2u << 26 | EP2_OUT_DATA;
    RAM(EP2_IN_CONTROL) = 1u << 31 | 1u << 29 | 2u << 26 | EP2_IN_DATA;
    sent_odd = received_odd = sending = false;
    receive();
}

static void describe(uint32_t which, uint32_t wanted) {
    switch (which) {
    case 0x100:
        answer(device_descriptor, sizeof device_descriptor, wanted);
        break;
    case 0x200:
        answer(configuration_descriptor, sizeof configuration_descriptor, wanted);
        break;
    case 0x300:
        answer(languages, sizeof languages, wanted);
        break;
    case 0x301:
        answer(maker, sizeof maker, wanted);
        break;
    case 0x302:
        answer(product, sizeof product, wanted);
        break;
    default:
        refuse();
    }
}

static void request(void) {
    static const uint8_t zeros[2] = {0, 0}, one[1] = {1};
    const uint32_t head = RAM(0u), tail = RAM(4u);
    const uint32_t value = head >> 16, wanted = tail >> 16;
    control.coding_comes = control.set_address = false;
    switch (head & 0xFFFFu) { /* bmRequestType, bRequest */
    case 0x0680: /* GET_DESCRIPTOR */
        describe(value, wanted);
        break;
    case 0x0500: /* SET_ADDRESS */
        control.address = value & 0x7Fu;
        control.set_address = true;
        answer(zeros, 0, 0);
        break;
    case 0x0900: /* SET_CONFIGURATION */
        configure();
        answer(zeros, 0, 0);
        break;
    case 0x0880: /* GET_CONFIGURATION */
        answer(one, 1, wanted);
        break;
    case 0x0080: case 0x0081: case 0x0082: /* GET_STATUS */
        answer(zeros, 2, wanted);
        break;
    case 0x0B01: case 0x0102: case 0x2321: /* SET_INTERFACE, CLEAR_FEATURE, SEND_BREAK */
        answer(zeros, 0, 0);
        break;
    case 0x2221: /* SET_CONTROL_LINE_STATE */
        open = (value & 1u) != 0;
        answer(zeros, 0, 0);
        break;
    case 0x2021: /* SET_LINE_CODING, with seven bytes */
        control.coding_comes = true;
        listen_to_control();
        break;
    case 0x21A1: /* GET_LINE_CODING */
        answer(line_coding, sizeof line_coding, wanted);
        break;
    default:
        refuse();
    }
}

static void take_packet(void) {
    const uint32_t bytes = RAM(EP2_OUT) & LENGTH;
    for (uint32_t i = 0; i < bytes; ++i) received[(arrived + i) % RECEIVED_BYTES] = byte_at(EP2_OUT_DATA, i);
    __asm__ volatile("" ::: "memory");
    arrived += bytes;
    receive();
}

static void buffers_done(uint32_t done) {
    if ((done & DONE_EP0_IN) != 0) {
        if (control.set_address) ADDR_ENDP = control.address;
        control.set_address = false;
        if (control.answer_left != 0 || control.answer_ends_short) answer_on();
    }
    if ((done & DONE_EP0_OUT) != 0 && control.coding_comes) {
        for (uint32_t i = 0; i < sizeof line_coding; ++i) line_coding[i] = byte_at(EP0_DATA, i);
        control.coding_comes = false;
        answer(line_coding, 0, 0);
    }
    if ((done & DONE_EP2_IN) != 0) sending = false;
    if ((done & DONE_EP2_OUT) != 0) take_packet();
}

void tml_usb_irq(void) {
    const uint32_t what = INTS;
    if ((what & INT_BUS_RESET) != 0) {
        SIE_STATUS = STATUS_BUS_RESET;
        ADDR_ENDP = 0;
        open = sending = false;
    }
    if ((what & INT_BUFF_STATUS) != 0) {
        const uint32_t done = BUFF_STATUS;
        BUFF_STATUS = done;
        buffers_done(done);
    }
    if ((what & INT_SETUP) != 0) {
        SIE_STATUS = STATUS_SETUP;
        request();
    }
}

/* 12 MHz x 40 / 5 / 2 = 48 MHz. */
static bool start_clock(void) {
    RESETS_CLEAR = TML_RP2_PLL_USB_RESET;
    if (!tml_clock_wait(&RESETS_DONE, TML_RP2_PLL_USB_RESET, TML_RP2_PLL_USB_RESET)) return false;
    PLL(0x0u) = 1;
    PLL(0x8u) = 40;
    PLL(0x4u) = 1u << 3 | 1u << 2; /* all on but the dividers and the fractional part */
    if (!tml_clock_wait(&PLL(0x0u), 1u << 31, 1u << 31)) return false;
    PLL(0xCu) = 5u << 16 | 2u << 12;
    PLL(0x4u) = 1u << 2;
    TML_REG32(TML_RP2_CLK_USB_CTRL) = 1u << 11; /* the PLL, enabled */
    return true;
}

void tml_uart_init(void) {
    if (!start_clock()) return;
    RESETS_CLEAR = TML_RP2_USB_RESET;
    if (!tml_clock_wait(&RESETS_DONE, TML_RP2_USB_RESET, TML_RP2_USB_RESET)) return;
    for (uint32_t at = 0; at < 0x100u; at += 4u) RAM(at) = 0;
    USB_MUXING = 1u << 3 | 1u << 0; /* to the PHY, connected by software */
    USB_PWR = 1u << 3 | 1u << 2;    /* VBUS taken for there */
    MAIN_CTRL = 1;                  /* enabled, as a device, out of isolation */
    SIE_CTRL = 1u << 29;            /* interrupt after each buffer of endpoint 0 */
    INTE = INT_BUFF_STATUS | INT_BUS_RESET | INT_SETUP;
    NVIC_ISER = 1u << TML_USB_IRQ;
    SIE_CTRL = 1u << 29 | 1u << 16; /* the pull-up: the host sees a device */
    for (uint32_t ms = 0; ms < TML_USB_HOST_WAIT_MS && !open; ++ms) tml_delay_ms(1); /* without a host it goes on alone */
}

static void send(void) {
    uint32_t tries = SEND_TRIES;
    while (sending && open && --tries > 0) __asm__ volatile("" ::: "memory");
    if (open && !sending && to_send_bytes > 0) {
        put(EP2_IN_DATA, to_send, to_send_bytes);
        sending = true;
        hand_over(EP2_IN, FULL | (sent_odd ? DATA1 : 0u) | to_send_bytes);
        sent_odd = !sent_odd;
    }
    to_send_bytes = 0; /* nobody listens: it is lost, as on a line that is not connected */
}

void tml_uart_write(char byte) {
    to_send[to_send_bytes++] = (uint8_t)byte;
    if (byte == '\n' || to_send_bytes == LARGEST_SENT) send();
}

void tml_uart_listen(void) {}

int tml_uart_read(void) {
    if (to_send_bytes > 0 && !sending) send();
    if (arrived == taken) return -1;
    __asm__ volatile("" ::: "memory"); /* the interrupt has written it */
    const uint8_t byte = received[taken % RECEIVED_BYTES];
    ++taken;
    if (receiver_waits) receive();
    return byte;
}
