#include "capture.h"

#include "app_config.h"
#include "tml_console.h"
#include "tml_semihosting.h"
#include "tml_vision.h"

enum { REQUEST = 'c', TRIPLES_A_PIECE = 15 };
static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int file = -1;
static uint32_t crc, rows;

void capture_init(void) {
    if (tml_host_present()) {
        file = tml_host_open("tml_requests.bin", TML_FILE_READ);
    } else {
        tml_console_listen();
    }
}

bool capture_requested(void) {
    if (tml_host_present()) {
        uint8_t byte = 0;
        return file >= 0 && tml_host_read(file, &byte, 1) && byte == REQUEST;
    }
    bool asked = false;
    for (int byte = tml_console_read(); byte >= 0; byte = tml_console_read()) asked = asked || byte == REQUEST;
    return asked;
}

void capture_begin(uint32_t frame) {
    crc = 0xFFFFFFFFu;
    rows = 0;
    tml_print("{\"event\":\"capture\"");
    tml_print_field("frame", frame);
    tml_print_field("size", APP_IMAGE_SIZE);
    tml_print_field("channels", APP_IMAGE_CHANNELS);
    tml_print("}\n");
}

/* CRC-32 of IEEE 802.3 (reflected, polynomial 0x04C11DB7), as zlib computes it. */
static void add_to_crc(uint32_t byte) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0xEDB88320u : 0u);
}

/* Base64 (RFC 4648, section 4), a piece at a time. */
void capture_row(const int8_t *row) {
    char piece[4 * TRIPLES_A_PIECE + 1];
    uint32_t used = 0;
    tml_print("{\"event\":\"row\"");
    tml_print_field("row", rows++);
    tml_print(",\"data\":\"");
    for (uint32_t i = 0; i < TML_VISION_ROW_BYTES; i += 3u) {
        const uint32_t left = TML_VISION_ROW_BYTES - i;
        uint32_t bits = 0;
        for (uint32_t k = 0; k < 3u; ++k) {
            const uint32_t byte = k < left ? tml_vision_brightness(row[i + k]) : 0u;
            if (k < left) add_to_crc(byte);
            bits = bits << 8 | byte;
        }
        for (uint32_t k = 0; k < 4u; ++k) piece[used++] = k <= left ? DIGITS[bits >> (18u - 6u * k) & 63u] : '=';
        if (used == sizeof piece - 1u || left <= 3u) {
            piece[used] = '\0';
            tml_print(piece);
            used = 0;
        }
    }
    tml_print("\"}\n");
}

void capture_end(void) {
    tml_print("{\"event\":\"captured\"");
    tml_print_field("rows", rows);
    tml_print(",\"crc32\":\"");
    tml_print_hex(~crc);
    tml_print("\"}\n");
}
