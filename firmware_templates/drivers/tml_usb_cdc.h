/* A serial line as a USB device of class CDC-ACM: what it says of itself and how it answers its host (tml_usb_cdc.c, which also is
 * tml_uart.h's line), above a family's USB controller (uart_rp2_usb.c, uart_nrf_usbd.c). */
#ifndef TML_USB_CDC_H
#define TML_USB_CDC_H

#include <stdbool.h>
#include <stdint.h>

#include "board_config.h"

enum { TML_USB_PACKET = 64, TML_USB_REQUEST_BYTES = 8 };

/* Endpoint 0 is for control; 1 in would carry notifications; 2 carries the line's bytes both ways. */
enum { TML_USB_NOTIFY = 1, TML_USB_DATA = 2 };

/* What a controller does. All but the first two are also called by its own interrupt. */

/* Connects to the bus, once; false where it can't. */
bool tml_usb_start(void);
/* Whether there is a host's cable; where it was plugged in only now the device connects. */
bool tml_usb_attached(void);
/* The next packet of an answer on endpoint 0. Behind the last one the host's status is awaited. */
void tml_usb_answer(const uint8_t *data, uint32_t bytes, bool first, bool last);
/* The status of a request without an answer. */
void tml_usb_confirm(void);
/* A request's data are to come: tml_usb_control_received gets them. */
void tml_usb_await_control(void);
void tml_usb_refuse(void);
/* SET_ADDRESS, with its status. */
void tml_usb_set_address(uint32_t address);
/* Opens endpoints 1 and 2 with data toggles of 0. */
void tml_usb_open_endpoints(void);
/* Room for one packet more on endpoint 2. */
void tml_usb_receive(void);
/* A packet to the host on endpoint 2; not before the last one is gone. */
void tml_usb_send(const uint8_t *data, uint32_t bytes);
/* To the board's bootloader, as a host asks for that opens the line at 1200 baud and hangs up. Returns where there is none. */
void tml_usb_enter_bootloader(void);

/* What a controller tells of. */

void tml_usb_bus_reset(void);
void tml_usb_request(const uint8_t request[TML_USB_REQUEST_BYTES]);
/* The host has a packet of endpoint 0. */
void tml_usb_control_sent(void);
void tml_usb_control_received(const uint8_t *data, uint32_t bytes);
/* The host has the packet of endpoint 2. */
void tml_usb_packet_sent(void);
/* A packet of endpoint 2; whether there is room for another. */
bool tml_usb_packet_received(const uint8_t *data, uint32_t bytes);

void tml_usb_irq(void);

#endif
