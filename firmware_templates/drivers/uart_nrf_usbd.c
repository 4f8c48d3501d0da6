/* The nRF52840's own USB socket, below the serial line of tml_usb_cdc.c. nRF52840 Product Specification v1.7, sections 6.35
 * (USBD: start, EasyDMA, control transfers, bulk transfers, registers), 5.3 (POWER: USB supply, GPREGRET), 4.2.4 (interrupts).
 *
 * The controller answers SET_ADDRESS itself, keeps data toggles itself, and takes the next bulk packet as soon as the last one is
 * fetched. Of a control transfer it does a packet at a time. Data go between its buffers and RAM by EasyDMA, one endpoint at a
 * time: each transfer, a few microseconds, is waited for, with the controller's interrupt off.
 *
 * nRF52840 errata (Rev 1, 2 and 3): 187 and 171, it may not start; 199, no tasks during EasyDMA. 104 and 154 are of engineering
 * samples, 166 of isochronous endpoints, which there are none of. */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_delay.h"
#include "tml_registers.h"
#include "tml_usb_cdc.h"

#define POWER_GPREGRET TML_REG32(0x4000051Cu)
#define POWER_USBREGSTATUS TML_REG32(0x40000438u)
#define USBD(offset) TML_REG32(0x40027000u + (offset))
#define TASKS_EP0RCVOUT USBD(0x04Cu)
#define TASKS_EP0STATUS USBD(0x050u)
#define TASKS_EP0STALL USBD(0x054u)
#define EVENTS_USBRESET USBD(0x100u)
#define EVENTS_EP0DATADONE USBD(0x128u)
#define EVENTS_EP0SETUP USBD(0x15Cu)
#define EVENTS_EPDATA USBD(0x160u)
#define INTENSET USBD(0x304u)
#define EVENTCAUSE USBD(0x400u)
#define EPDATASTATUS USBD(0x46Cu)
#define REQUEST(byte) USBD(0x480u + 4u * (byte)) /* BMREQUESTTYPE to WLENGTHH */
#define SIZE_EPOUT(endpoint) USBD(0x4A0u + 4u * (endpoint))
#define ENABLE USBD(0x500u)
#define USBPULLUP USBD(0x504u)
#define DTOGGLE USBD(0x50Cu)
#define EPINEN USBD(0x510u)
#define EPOUTEN USBD(0x514u)
#define IN_CHANNEL(endpoint) (0x600u + 0x14u * (endpoint))
#define OUT_CHANNEL(endpoint) (0x700u + 0x14u * (endpoint))
#define ERRATUM_199 USBD(0xC1Cu)
#define HIDDEN_KEY TML_REG32(0x4006EC00u)
#define HIDDEN_171 0x4006EC14u
#define HIDDEN_187 0x4006ED14u
#define NVIC_ISER1 TML_REG32(0xE000E104u)
#define NVIC_ICER1 TML_REG32(0xE000E184u)
#define SCB_AIRCR TML_REG32(0xE000ED0Cu)

enum { VBUS_DETECTED = 1, SUPPLY_READY = 2 };
enum { CAUSE_READY = 1 << 11 };
enum { INT_USBRESET = 1 << 0, INT_EP0DATADONE = 1 << 10, INT_EP0SETUP = 1 << 23, INT_EPDATA = 1 << 24 };
enum { DATA_GONE = 1 << TML_USB_DATA, DATA_CAME = 1 << (16 + TML_USB_DATA) };
enum { TOGGLE_SELECT = 0, TOGGLE_DATA0 = 1 << 8, IN_BIT = 0x80 };
enum { INTERRUPT = 1 << (TML_USB_IRQ - 32) };
enum { STATUS_MS = 10 };

static uint8_t control_packet[TML_USB_PACKET] __attribute__((aligned(4))); /* EasyDMA reads and writes RAM only */
static uint8_t data_packet[TML_USB_PACKET] __attribute__((aligned(4)));
static volatile bool packet_waits, may_fetch, control_comes, answer_ends;
static bool started, failed;

/* The controller's interrupt off; whether it was on. */
static uint32_t quiet(void) {
    const uint32_t before = NVIC_ISER1 & INTERRUPT;
    NVIC_ICER1 = INTERRUPT;
    __asm__ volatile("dsb\n isb" ::: "memory");
    return before;
}

/* Between a buffer of the controller and RAM, with the task STARTEPIN or STARTEPOUT and its event ENDEP (6.35.6, EasyDMA). */
static void transfer(uint32_t channel, const uint8_t *data, uint32_t bytes, uint32_t start, uint32_t end) {
    const uint32_t before = quiet();
    USBD(channel) = (uint32_t)(uintptr_t)data;
    USBD(channel + 4u) = bytes; /* MAXCNT */
    USBD(end) = 0;
    ERRATUM_199 = 0x82u;
    USBD(start) = 1;
    (void)tml_clock_wait(&USBD(end), 1, 1);
    ERRATUM_199 = 0;
    USBD(end) = 0;
    __asm__ volatile("dmb" ::: "memory");
    NVIC_ISER1 = before;
}

static void transfer_in(uint32_t endpoint, const uint8_t *data, uint32_t bytes) {
    transfer(IN_CHANNEL(endpoint), data, bytes, 0x004u + 4u * endpoint, 0x108u + 4u * endpoint);
}

/* What the controller has received; the bytes. Of an empty packet SIZE only wants to be written. */
static uint32_t transfer_out(uint32_t endpoint, uint8_t *data) {
    const uint32_t came = SIZE_EPOUT(endpoint) & 0x7Fu, bytes = came < TML_USB_PACKET ? came : TML_USB_PACKET;
    if (bytes == 0) {
        SIZE_EPOUT(endpoint) = 0;
    } else {
        transfer(OUT_CHANNEL(endpoint), data, bytes, 0x028u + 4u * endpoint, 0x130u + 4u * endpoint);
    }
    return bytes;
}

void tml_usb_answer(const uint8_t *data, uint32_t bytes, bool first, bool last) {
    (void)first;
    for (uint32_t i = 0; i < bytes; ++i) control_packet[i] = data[i];
    answer_ends = last;
    transfer_in(0, control_packet, bytes);
}

void tml_usb_confirm(void) { TASKS_EP0STATUS = 1; }

void tml_usb_await_control(void) {
    control_comes = true;
    TASKS_EP0RCVOUT = 1;
}

void tml_usb_refuse(void) { TASKS_EP0STALL = 1; }

void tml_usb_set_address(uint32_t address) { (void)address; } /* the controller has answered (6.35.9) */

static void begin_with_data0(uint32_t address) {
    DTOGGLE = address | TOGGLE_SELECT;
    DTOGGLE = address | TOGGLE_DATA0;
}

void tml_usb_open_endpoints(void) {
    packet_waits = may_fetch = false;
    EPINEN = 1u << 0 | 1u << TML_USB_NOTIFY | 1u << TML_USB_DATA;
    EPOUTEN = 1u << 0 | 1u << TML_USB_DATA;
    begin_with_data0(IN_BIT | TML_USB_NOTIFY);
    begin_with_data0(IN_BIT | TML_USB_DATA);
    begin_with_data0(TML_USB_DATA);
    SIZE_EPOUT(TML_USB_DATA) = 0; /* the first packet may come */
}

static void fetch(void) {
    packet_waits = false;
    may_fetch = tml_usb_packet_received(data_packet, transfer_out(TML_USB_DATA, data_packet));
}

void tml_usb_receive(void) {
    const uint32_t before = quiet();
    may_fetch = true;
    if (packet_waits) fetch();
    NVIC_ISER1 = before;
}

void tml_usb_send(const uint8_t *data, uint32_t bytes) { transfer_in(TML_USB_DATA, data, bytes); }

static void control_data(void) {
    if (control_comes) {
        control_comes = false;
        tml_usb_control_received(control_packet, transfer_out(0, control_packet));
    } else if (answer_ends) {
        answer_ends = false;
        TASKS_EP0STATUS = 1; /* not by a shortcut: that could come during EasyDMA (erratum 199) */
    } else {
        tml_usb_control_sent();
    }
}

static void setup(void) {
    uint8_t request[TML_USB_REQUEST_BYTES];
    for (uint32_t i = 0; i < sizeof request; ++i) request[i] = (uint8_t)REQUEST(i);
    control_comes = answer_ends = false;
    tml_usb_request(request);
}

static void data_moved(void) {
    const uint32_t moved = EPDATASTATUS;
    EPDATASTATUS = moved;
    if ((moved & DATA_GONE) != 0) tml_usb_packet_sent();
    if ((moved & DATA_CAME) != 0) {
        packet_waits = true;
        if (may_fetch) fetch();
    }
}

/* An event is cleared before what it tells of is looked at, so that the next is not lost. */
static bool happened(volatile uint32_t *event) {
    if (*event == 0) return false;
    *event = 0;
    (void)*event; /* the write has arrived before the handler returns */
    return true;
}

void tml_usb_irq(void) {
    if (happened(&EVENTS_USBRESET)) { /* the controller has closed all endpoints but 0 */
        packet_waits = may_fetch = control_comes = answer_ends = false;
        tml_usb_bus_reset();
    }
    if (happened(&EVENTS_EP0DATADONE)) control_data();
    if (happened(&EVENTS_EPDATA)) data_moved();
    if (happened(&EVENTS_EP0SETUP)) setup();
}

static void write_hidden(uint32_t address, uint32_t value) {
    const bool locked = HIDDEN_KEY == 0;
    if (locked) HIDDEN_KEY = 0x9375u;
    TML_REG32(address) = value;
    if (locked) HIDDEN_KEY = 0x9375u;
}

static void stop(void) {
    (void)quiet();
    USBPULLUP = 0;
    ENABLE = 0;
    started = false;
}

/* 6.35.4: enabled where VBUS is there, pulled up once the controller and its supply are ready; the crystal runs already. */
static bool start(void) {
    stop(); /* a bootloader may have left it on */
    EVENTCAUSE = CAUSE_READY;
    write_hidden(HIDDEN_187, 3);
    write_hidden(HIDDEN_171, 0xC0u);
    ENABLE = 1;
    const bool ready = tml_clock_wait(&EVENTCAUSE, CAUSE_READY, CAUSE_READY);
    EVENTCAUSE = CAUSE_READY;
    write_hidden(HIDDEN_171, 0);
    write_hidden(HIDDEN_187, 0);
    if (!ready || !tml_clock_wait(&POWER_USBREGSTATUS, SUPPLY_READY, SUPPLY_READY)) {
        stop();
        return false;
    }
    INTENSET = INT_USBRESET | INT_EP0DATADONE | INT_EP0SETUP | INT_EPDATA;
    NVIC_ISER1 = INTERRUPT;
    USBPULLUP = 1;
    return true;
}

bool tml_usb_attached(void) {
    if ((POWER_USBREGSTATUS & VBUS_DETECTED) == 0) {
        if (started) stop();
        failed = false;
        return false;
    }
    if (!started && !failed) {
        started = start();
        failed = !started; /* not again before the cable is plugged in anew */
    }
    return started;
}

bool tml_usb_start(void) { return tml_usb_attached(); }

void tml_usb_enter_bootloader(void) {
#ifdef TML_USB_BOOTLOADER_MAGIC
    tml_delay_ms(STATUS_MS); /* the host sees its request answered */
    stop();
    POWER_GPREGRET = TML_USB_BOOTLOADER_MAGIC;
    SCB_AIRCR = 0x05FA0004u; /* SYSRESETREQ: Armv7-M Architecture Reference Manual, B3.2.6 */
    for (;;) {
    }
#endif
}
