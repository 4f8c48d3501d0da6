/* Descriptors, requests and bytes of the serial line on USB. Universal Serial Bus Specification 2.0, chapter 9 (requests,
 * descriptors); Class Definitions for Communication Devices 1.2 and its PSTN subclass (ACM's requests). The host's requests
 * are served by interrupt, so that they are answered while the network runs.
 *
 * Packets to the host have 63 bytes at most: a shorter one than the largest ends the host's read. */
#include "tml_usb_cdc.h"

#include "tml_delay.h"
#include "tml_uart.h"

enum { LARGEST_SENT = 63, RECEIVED_BYTES = 256, SEND_TRIES = 4000000, TOUCH_BAUD = 1200 };

static const uint8_t device_descriptor[] = {
    18, 1, 0x00, 0x02, 0xEF, 2, 1, TML_USB_PACKET, /* USB 2.0, interfaces are associated */
    TML_USB_VENDOR & 0xFF, TML_USB_VENDOR >> 8, TML_USB_PRODUCT & 0xFF, TML_USB_PRODUCT >> 8, 0x00, 0x01, 1, 2, 0, 1,
};
static const uint8_t configuration_descriptor[] = {
    9, 2, 75, 0, 2, 1, 0, 0x80, 125,                       /* two interfaces, from the bus, 250 mA */
    8, 11, 0, 2, 2, 2, 0, 0,                               /* association: CDC, ACM */
    9, 4, 0, 0, 1, 2, 2, 0, 0,                             /* interface 0: notifications */
    5, 0x24, 0x00, 0x20, 0x01,                             /* CDC 1.20 */
    5, 0x24, 0x01, 0, 1,                                   /* no call management */
    4, 0x24, 0x02, 2,                                      /* line coding and control line state */
    5, 0x24, 0x06, 0, 1,                                   /* union of both */
    7, 5, 0x80 | TML_USB_NOTIFY, 3, 8, 0, 255,             /* endpoint 1 in, interrupt */
    9, 4, 1, 0, 2, 10, 0, 0, 0,                            /* interface 1: data */
    7, 5, TML_USB_DATA, 2, TML_USB_PACKET, 0, 0,           /* endpoint 2 out, bulk */
    7, 5, 0x80 | TML_USB_DATA, 2, TML_USB_PACKET, 0, 0,    /* endpoint 2 in, bulk */
};
_Static_assert(sizeof configuration_descriptor == 75, "the total length stands in it");
static const uint8_t languages[] = {4, 3, 0x09, 0x04};
static const uint8_t maker[] = {14, 3, 't', 0, 'i', 0, 'n', 0, 'y', 0, 'm', 0, 'l', 0};
static const uint8_t product[] = {16, 3, 'c', 0, 'o', 0, 'n', 0, 's', 0, 'o', 0, 'l', 0, 'e', 0};

static struct {
    const uint8_t *data; /* what is left of an answer on endpoint 0 */
    uint32_t left;
    bool ends_short, coding_comes;
} control;
static uint8_t line_coding[7] = {0x00, 0xC2, 0x01, 0x00, 0, 0, 8}; /* 115200, 8N1 */
static volatile bool open, sending;
static volatile uint32_t arrived, taken;
static uint8_t received[RECEIVED_BYTES];
static uint8_t to_send[TML_USB_PACKET];
static uint32_t to_send_bytes;
static volatile bool receiver_waits;
static bool stalled; /* the host's port is open, but nobody reads */

/* The next packet of an answer; a short one is the last. */
static void answer_on(bool first) {
    const uint8_t *data = control.data;
    const uint32_t bytes = control.left < TML_USB_PACKET ? control.left : TML_USB_PACKET;
    control.data += bytes;
    control.left -= bytes;
    if (bytes < TML_USB_PACKET) control.ends_short = false;
    tml_usb_answer(data, bytes, first, control.left == 0 && !control.ends_short);
}

static void answer(const uint8_t *data, uint32_t bytes, uint32_t wanted) {
    if (wanted == 0) {
        tml_usb_confirm();
        return;
    }
    control.data = data;
    control.left = bytes < wanted ? bytes : wanted;
    control.ends_short = bytes < wanted; /* the host must learn that nothing more comes */
    answer_on(true);
}

static bool has_room(void) { return RECEIVED_BYTES - (arrived - taken) >= TML_USB_PACKET; }

static void receive(void) {
    receiver_waits = !has_room();
    if (!receiver_waits) tml_usb_receive();
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
        tml_usb_refuse();
    }
}

static void set_line_state(bool ready) {
    const bool hangs_up = open && !ready;
    open = ready;
    tml_usb_confirm();
    const uint32_t baud = line_coding[0] | (uint32_t)line_coding[1] << 8 | (uint32_t)line_coding[2] << 16;
    if (hangs_up && baud == TOUCH_BAUD && line_coding[3] == 0) tml_usb_enter_bootloader();
}

void tml_usb_request(const uint8_t request[TML_USB_REQUEST_BYTES]) {
    static const uint8_t zeros[2] = {0, 0}, one[1] = {1};
    const uint32_t value = request[2] | (uint32_t)request[3] << 8, wanted = request[6] | (uint32_t)request[7] << 8;
    control.left = 0;
    control.coding_comes = control.ends_short = false;
    switch (request[0] | (uint32_t)request[1] << 8) { /* bmRequestType, bRequest */
    case 0x0680: /* GET_DESCRIPTOR */
        describe(value, wanted);
        break;
    case 0x0500: /* SET_ADDRESS */
        tml_usb_set_address(value & 0x7Fu);
        break;
    case 0x0900: /* SET_CONFIGURATION */
        tml_usb_open_endpoints();
        sending = false;
        receive();
        tml_usb_confirm();
        break;
    case 0x0880: /* GET_CONFIGURATION */
        answer(one, 1, wanted);
        break;
    case 0x0080: case 0x0081: case 0x0082: /* GET_STATUS */
        answer(zeros, 2, wanted);
        break;
    case 0x0B01: case 0x0102: case 0x2321: /* SET_INTERFACE, CLEAR_FEATURE, SEND_BREAK */
        tml_usb_confirm();
        break;
    case 0x2221: /* SET_CONTROL_LINE_STATE: DTR */
        set_line_state((value & 1u) != 0);
        break;
    case 0x2021: /* SET_LINE_CODING, with seven bytes */
        control.coding_comes = true;
        tml_usb_await_control();
        break;
    case 0x21A1: /* GET_LINE_CODING */
        answer(line_coding, sizeof line_coding, wanted);
        break;
    default:
        tml_usb_refuse();
    }
}

void tml_usb_control_sent(void) {
    if (control.left != 0 || control.ends_short) answer_on(false);
}

void tml_usb_control_received(const uint8_t *data, uint32_t bytes) {
    if (!control.coding_comes) return;
    for (uint32_t i = 0; i < sizeof line_coding && i < bytes; ++i) line_coding[i] = data[i];
    control.coding_comes = false;
    tml_usb_confirm();
}

void tml_usb_bus_reset(void) { open = sending = false; }

void tml_usb_packet_sent(void) { sending = false; }

bool tml_usb_packet_received(const uint8_t *data, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; ++i) received[(arrived + i) % RECEIVED_BYTES] = data[i];
    __asm__ volatile("" ::: "memory");
    arrived += bytes;
    receiver_waits = !has_room();
    return !receiver_waits;
}

void tml_uart_init(void) {
    if (!tml_usb_start()) return;
    for (uint32_t ms = 0; ms < TML_USB_HOST_WAIT_MS && !open; ++ms) tml_delay_ms(1); /* without a host it goes on alone */
}

static void send(void) {
    uint32_t tries = stalled ? 1u : SEND_TRIES; /* who has stopped reading holds nobody up twice */
    if (!tml_usb_attached()) tml_usb_bus_reset();
    while (sending && open && --tries > 0) __asm__ volatile("" ::: "memory");
    stalled = open && sending;
    if (open && !sending && to_send_bytes > 0) {
        sending = true;
        tml_usb_send(to_send, to_send_bytes);
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
    if (arrived == taken) {
        (void)tml_usb_attached();
        return -1;
    }
    __asm__ volatile("" ::: "memory"); /* the interrupt has written it */
    const uint8_t byte = received[taken % RECEIVED_BYTES];
    ++taken;
    if (receiver_waits) receive();
    return byte;
}
