/* SCCB, which is I2C without a claim on timing, on two pins by hand (OmniVision, SCCB Functional Specification 2.2, section
 * 3; NXP UM10204, section 3.1): a camera is set up once, so that no peripheral has to serve it. Lines are pulled up and
 * driven low only; `pins` of the including file are functions
 *   sccb_clock(high), sccb_data(high), sccb_data_read(). */
#ifndef TML_SCCB_H
#define TML_SCCB_H

#include <stdbool.h>
#include <stdint.h>

#include "tml_delay.h"

static void sccb_clock(uint32_t high);
static void sccb_data(uint32_t high);
static uint32_t sccb_data_read(void);

enum { SCCB_HALF_BIT_US = 5 }; /* 100 kHz at most */

static void sccb_pulse(void) {
    tml_delay_us(SCCB_HALF_BIT_US);
    sccb_clock(1);
    tml_delay_us(SCCB_HALF_BIT_US);
    sccb_clock(0);
}

static void sccb_begin(void) {
    sccb_data(1);
    sccb_clock(1);
    tml_delay_us(SCCB_HALF_BIT_US);
    sccb_data(0);
    tml_delay_us(SCCB_HALF_BIT_US);
    sccb_clock(0);
}

static void sccb_end(void) {
    sccb_data(0);
    tml_delay_us(SCCB_HALF_BIT_US);
    sccb_clock(1);
    tml_delay_us(SCCB_HALF_BIT_US);
    sccb_data(1);
    tml_delay_us(SCCB_HALF_BIT_US);
}

/* Sends eight bits; whether the ninth was pulled low, which an I2C device acknowledges with. */
static bool sccb_send(uint32_t byte) {
    for (int32_t bit = 7; bit >= 0; --bit) {
        sccb_data(byte >> bit & 1u);
        sccb_pulse();
    }
    sccb_data(1);
    tml_delay_us(SCCB_HALF_BIT_US);
    sccb_clock(1);
    tml_delay_us(SCCB_HALF_BIT_US);
    const bool acknowledged = sccb_data_read() == 0;
    sccb_clock(0);
    return acknowledged;
}

static inline uint32_t sccb_receive(void) {
    uint32_t byte = 0;
    sccb_data(1);
    for (int32_t bit = 7; bit >= 0; --bit) {
        tml_delay_us(SCCB_HALF_BIT_US);
        sccb_clock(1);
        tml_delay_us(SCCB_HALF_BIT_US);
        byte = byte << 1 | sccb_data_read();
        sccb_clock(0);
    }
    sccb_pulse(); /* not acknowledged: it was the last byte */
    return byte;
}

/* Writes `value` to register `reg` of the device at the seven-bit `address`; `reg_bytes` is 1 or 2. */
static inline bool sccb_write(uint32_t address, uint32_t reg_bytes, uint32_t reg, uint32_t value) {
    sccb_begin();
    bool answered = sccb_send(address << 1);
    if (reg_bytes > 1u) answered = sccb_send(reg >> 8) && answered;
    answered = sccb_send(reg & 0xFFu) && answered;
    answered = sccb_send(value) && answered;
    sccb_end();
    return answered;
}

/* The value of a register, by two transfers as SCCB wants it; 0x100 where the device does not answer. */
static inline uint32_t sccb_read(uint32_t address, uint32_t reg_bytes, uint32_t reg) {
    sccb_begin();
    bool answered = sccb_send(address << 1);
    if (reg_bytes > 1u) answered = sccb_send(reg >> 8) && answered;
    answered = sccb_send(reg & 0xFFu) && answered;
    sccb_end();
    sccb_begin();
    answered = sccb_send(address << 1 | 1u) && answered;
    const uint32_t value = sccb_receive();
    sccb_end();
    return answered ? value : 0x100u;
}

#endif
