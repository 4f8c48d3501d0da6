#include "mlperf_print.h"

#include <stdbool.h>
#include <string.h>

#include "mlperf.h"

enum { MILLION = 1000000, U64_DIGITS = 20 };

void mlperf_print(const char *text) { mlperf_send(text, (uint32_t)strlen(text)); }

static void print_digits(uint64_t value, uint32_t least) {
    char digits[U64_DIGITS];
    uint32_t count = 0;
    do {
        digits[U64_DIGITS - ++count] = (char)('0' + (int)(value % 10u));
        value /= 10u;
    } while (value != 0 || count < least);
    mlperf_send(&digits[U64_DIGITS - count], count);
}

void mlperf_print_u64(uint64_t value) { print_digits(value, 1); }

void mlperf_print_hex_byte(uint8_t value) {
    const char text[2] = {"0123456789abcdef"[value >> 4], "0123456789abcdef"[value & 15u]};
    mlperf_send(text, sizeof text);
}

/* A value of at least 2^-10 and less than 2^30 in millionths, rounded to nearest: exact, from the float's own bits. */
static uint64_t millionths(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const int exponent = (int)(bits >> 23 & 0xFFu) - 150; /* of the last bit of the mantissa */
    const uint64_t mantissa = ((bits & 0x7FFFFFu) | 0x800000u) * (uint64_t)MILLION;
    if (exponent >= 0) return mantissa << exponent;
    return (mantissa + (1ull << (-exponent - 1))) >> -exponent;
}

static void print_fixed(float value) {
    const uint64_t scaled = value == 0.0f ? 0u : millionths(value);
    mlperf_print_u64(scaled / MILLION);
    mlperf_print(".");
    print_digits(scaled % MILLION, 6);
}

void mlperf_print_float(float value) {
    int exponent = 0;
    if (value != value) {
        mlperf_print("nan");
        return;
    }
    if (value < 0.0f) {
        mlperf_print("-");
        value = -value;
    }
    if (value > 3.4028235e38f) {
        mlperf_print("inf");
        return;
    }
    if (value == 0.0f || (value >= 0.001f && value < 1e9f)) {
        print_fixed(value);
        return;
    }
    for (; value >= 10.0f; ++exponent) value /= 10.0f;
    for (; value < 1.0f; --exponent) value *= 10.0f;
    print_fixed(value);
    mlperf_print(exponent < 0 ? "e-" : "e");
    mlperf_print_u64((uint32_t)(exponent < 0 ? -exponent : exponent));
}
