/* The RP2040's and RP2350's own USB socket, below the serial line of tml_usb_cdc.c.
 *
 * RP2040 datasheet, section 4.1 (buffers, example of a device, registers); RP2350 datasheet, section 12.7, the same but for
 * MAIN_CTRL.PHY_ISO; 2.18 and 8.6 (PLL), 2.15 and 8.1 (clk_usb), 2.14 and 7.5 (resets), 2.8.3 and 5.4 (the boot ROM's functions).
 * Not worked around: RP2040-E5 of chips B0 and B1, which may not leave the bus reset behind a hub that is busy with other devices. */
#include "board_config.h"
#include "tml_clock.h"
#include "tml_registers.h"
#include "tml_usb_cdc.h"

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

enum { ROM_TABLE = 0x14, ROM_LOOKUP_OF_RP2350 = 0x16, ROM_LOOKUP_OF_RP2040 = 0x18 };
enum { ROM_SECURE = 0x4, REBOOT_BOOTSEL = 0x2, REBOOT_NO_RETURN = 0x100, STATUS_MS = 10 };

static uint32_t new_address; /* takes effect behind the request's status */
static bool set_address, control_odd, sent_odd, received_odd;

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

static uint32_t length_of(uint32_t buffer) {
    const uint32_t bytes = RAM(buffer) & LENGTH;
    return bytes < TML_USB_PACKET ? bytes : TML_USB_PACKET;
}

static void get(uint32_t place, uint8_t *data, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; ++i) data[i] = (uint8_t)(RAM(place + (i & ~3u)) >> (8u * (i & 3u)));
}

void tml_usb_await_control(void) { hand_over(EP0_OUT, DATA1 | TML_USB_PACKET); }

static void send_control(const uint8_t *data, uint32_t bytes) {
    put(EP0_DATA, data, bytes);
    hand_over(EP0_IN, FULL | (control_odd ? DATA1 : 0u) | bytes);
    control_odd = !control_odd;
}

void tml_usb_answer(const uint8_t *data, uint32_t bytes, bool first, bool last) {
    (void)last;
    if (first) control_odd = true;
    send_control(data, bytes);
    if (first) tml_usb_await_control(); /* its status, which may come early */
}

void tml_usb_confirm(void) {
    control_odd = true;
    send_control(0, 0);
}

void tml_usb_refuse(void) {
    EP_STALL_ARM = 3;
    RAM(EP0_IN) = STALL;
    RAM(EP0_OUT) = STALL;
}

void tml_usb_set_address(uint32_t address) {
    new_address = address;
    set_address = true;
    tml_usb_confirm();
}

void tml_usb_receive(void) {
    hand_over(EP2_OUT, (received_odd ? DATA1 : 0u) | TML_USB_PACKET);
    received_odd = !received_odd;
}

void tml_usb_open_endpoints(void) {
    RAM(EP1_IN_CONTROL) = 1u << 31 | 1u << 29 | 3u << 26 | EP1_IN_DATA;
    RAM(EP2_OUT_CONTROL) = 1u << 31 | 1u << 29 | 2u << 26 | EP2_OUT_DATA;
    RAM(EP2_IN_CONTROL) = 1u << 31 | 1u << 29 | 2u << 26 | EP2_IN_DATA;
    sent_odd = received_odd = false;
}

void tml_usb_send(const uint8_t *data, uint32_t bytes) {
    put(EP2_IN_DATA, data, bytes);
    hand_over(EP2_IN, FULL | (sent_odd ? DATA1 : 0u) | bytes);
    sent_odd = !sent_odd;
}

static void buffers_done(uint32_t done) {
    uint8_t packet[TML_USB_PACKET];
    if ((done & DONE_EP0_IN) != 0) {
        if (set_address) ADDR_ENDP = new_address;
        set_address = false;
        tml_usb_control_sent();
    }
    if ((done & DONE_EP0_OUT) != 0) {
        const uint32_t bytes = length_of(EP0_OUT);
        get(EP0_DATA, packet, bytes);
        tml_usb_control_received(packet, bytes);
    }
    if ((done & DONE_EP2_IN) != 0) tml_usb_packet_sent();
    if ((done & DONE_EP2_OUT) != 0) {
        const uint32_t bytes = length_of(EP2_OUT);
        get(EP2_OUT_DATA, packet, bytes);
        if (tml_usb_packet_received(packet, bytes)) tml_usb_receive();
    }
}

void tml_usb_irq(void) {
    const uint32_t what = INTS;
    if ((what & INT_BUS_RESET) != 0) {
        SIE_STATUS = STATUS_BUS_RESET;
        ADDR_ENDP = 0;
        tml_usb_bus_reset();
    }
    if ((what & INT_BUFF_STATUS) != 0) {
        const uint32_t done = BUFF_STATUS;
        BUFF_STATUS = done;
        buffers_done(done);
    }
    if ((what & INT_SETUP) != 0) {
        uint8_t request[TML_USB_REQUEST_BYTES];
        SIE_STATUS = STATUS_SETUP;
        set_address = false;
        get(0, request, sizeof request);
        tml_usb_request(request);
    }
}

/* 12 MHz x 100 / 5 / 5 = 48 MHz: the oscillator between them wants 750 to 1,600 MHz (RP2040 datasheet, 2.18.2; RP2350, 8.6.3). */
static bool start_clock(void) {
    RESETS_CLEAR = TML_RP2_PLL_USB_RESET;
    if (!tml_clock_wait(&RESETS_DONE, TML_RP2_PLL_USB_RESET, TML_RP2_PLL_USB_RESET)) return false;
    PLL(0x0u) = 1;
    PLL(0x8u) = 100;
    PLL(0x4u) = 1u << 3 | 1u << 2; /* all on but the dividers and the fractional part */
    if (!tml_clock_wait(&PLL(0x0u), 1u << 31, 1u << 31)) return false;
    PLL(0xCu) = 5u << 16 | 5u << 12;
    PLL(0x4u) = 1u << 2;
    TML_REG32(TML_RP2_CLK_USB_CTRL) = 1u << 11; /* the PLL, enabled */
    return true;
}

bool tml_usb_start(void) {
    if (!start_clock()) return false;
    RESETS_CLEAR = TML_RP2_USB_RESET;
    if (!tml_clock_wait(&RESETS_DONE, TML_RP2_USB_RESET, TML_RP2_USB_RESET)) return false;
    for (uint32_t at = 0; at < 0x100u; at += 4u) RAM(at) = 0;
    USB_MUXING = 1u << 3 | 1u << 0; /* to the PHY, connected by software */
    USB_PWR = 1u << 3 | 1u << 2;    /* VBUS taken for there */
    MAIN_CTRL = 1;                  /* enabled, as a device, out of isolation */
    SIE_CTRL = 1u << 29;            /* interrupt after each buffer of endpoint 0 */
    INTE = INT_BUFF_STATUS | INT_BUS_RESET | INT_SETUP;
    NVIC_ISER = 1u << TML_USB_IRQ;
    SIE_CTRL = 1u << 29 | 1u << 16; /* the pull-up: the host sees a device */
    return true;
}

bool tml_usb_attached(void) { return true; } /* USB_PWR says so, too */

/* A pointer of 16 bits at the boot ROM's start. */
static uintptr_t rom_pointer(uint32_t place) {
    uintptr_t address = TML_RP2_ROM + place;
    __asm__("" : "+r"(address)); /* the compiler would take it for part of a null pointer's object */
    return *(const volatile uint16_t *)address;
}

/* The RP2040's reset_to_usb_boot, the RP2350's reboot, which the ROM finds by two letters. Both set the watchdog, with all that the
 * USB drive and picotool need, and wait 10 ms for it: meanwhile the host sees its request answered. */
void tml_usb_enter_bootloader(void) {
#if TML_RP2_ROM_MAGIC == 1 /* RP2040 datasheet, 2.8.3 */
    typedef uintptr_t lookup(uintptr_t table, uint32_t code);
    typedef void reset(uint32_t activity_pins, uint32_t interfaces_off);
    const uintptr_t found = ((lookup *)rom_pointer(ROM_LOOKUP_OF_RP2040))(rom_pointer(ROM_TABLE), 'U' | 'B' << 8);
    if (found != 0) ((reset *)found)(0, 0);
#else /* RP2350 datasheet, 5.4.1 and 5.4.8.24 */
    typedef uintptr_t lookup(uint32_t code, uint32_t availability);
    typedef int reboot(uint32_t flags, uint32_t delay_ms, uint32_t interfaces_off, uint32_t activity_pin);
    const uintptr_t found = ((lookup *)rom_pointer(ROM_LOOKUP_OF_RP2350))('R' | 'B' << 8, ROM_SECURE);
    if (found != 0) ((reboot *)found)(REBOOT_BOOTSEL | REBOOT_NO_RETURN, STATUS_MS, 0, 0);
#endif
}
