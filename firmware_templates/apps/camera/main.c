/* Camera, crop and resize, network, and one JSON object a frame on the console; what it says of a frame is the
 * application's (report.h). With a semihosting host the pictures come from it, and the program ends after the last;
 * alone, it runs for ever. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "app_config.h"
#include "capture.h"
#include "network.h"
#include "report.h"
#include "tml_camera.h"
#include "tml_clock.h"
#include "tml_console.h"
#include "tml_cycles.h"
#include "tml_led.h"
#include "tml_proof.h"
#include "tml_semihosting.h"
#include "tml_stack.h"
#include "tml_vision.h"

enum { EXIT_OK = 0, EXIT_NO_CAMERA = 6, EXIT_BAD_FRAME = 7 };
enum { LOST_FRAMES_REPORTED = 16 };

#ifdef NETWORK_FED_BY_ROWS
_Static_assert(NETWORK_ROW_BYTES == TML_VISION_ROW_BYTES, "the network takes rows of the picture");
#endif
#if defined(NETWORK_FED_BY_ROWS) && !TML_CAMERA_HOLDS_FRAME
/* The network is slower than this sensor's lines, which nobody holds: the rows wait here. */
static int8_t waiting[APP_IMAGE_SIZE][TML_VISION_ROW_BYTES];
#endif

/* Where row y of the network's input goes. */
static int8_t *place_of(uint32_t y) {
#ifndef NETWORK_FED_BY_ROWS
    return (int8_t *)network_input(0) + y * TML_VISION_ROW_BYTES;
#elif TML_CAMERA_HOLDS_FRAME
    (void)y;
    return network_row();
#else
    return waiting[y];
#endif
}

/* A row is complete: a network fed by rows takes it at once where the camera can wait for it. */
static void take_row(const int8_t *row, bool send) {
#if defined(NETWORK_FED_BY_ROWS) && TML_CAMERA_HOLDS_FRAME
    if (send) capture_row(row);
    network_invoke();
#else
    (void)row;
    (void)send;
#endif
}

/* A frame through the resizing to the network. False where the sensor lost a line of it. */
static bool take_frame(bool send) {
    uint32_t rows = 0;
    tml_vision_begin();
    for (uint32_t y = 0; y < TML_CAMERA_HEIGHT; ++y) {
        const uint8_t *const pixels = tml_camera_next_line();
        int8_t *const row = rows < APP_IMAGE_SIZE ? place_of(rows) : NULL;
        if (pixels == NULL) return false;
        if (!tml_vision_line(pixels, row)) continue;
        take_row(row, send);
        ++rows;
    }
    return true;
}

/* What is left to compute when the frame is there. */
static void finish(bool send) {
#if defined(NETWORK_FED_BY_ROWS) && TML_CAMERA_HOLDS_FRAME
    (void)send;
#else
    for (uint32_t y = 0; send && y < APP_IMAGE_SIZE; ++y) capture_row(place_of(y));
#ifdef NETWORK_FED_BY_ROWS
    for (uint32_t y = 0; y < APP_IMAGE_SIZE; ++y) (void)network_push_row(waiting[y]);
#else
    network_invoke();
#endif
#endif
}

static void forget_frame(void) {
#ifdef NETWORK_FED_BY_ROWS
    network_reset();
#endif
}

void print_fixed(int32_t value, uint32_t decimals) {
    uint32_t magnitude = value < 0 ? 0u - (uint32_t)value : (uint32_t)value, unit = 1;
    for (uint32_t i = 0; i < decimals; ++i) unit *= 10u;
    if (value < 0) tml_print("-");
    tml_print_u32(magnitude / unit);
    tml_print(".");
    for (magnitude %= unit; unit > 1u; magnitude %= unit) {
        unit /= 10u;
        tml_print_u32(magnitude / unit);
    }
}

static void report(uint32_t frame, uint32_t network_us, uint32_t frame_us) {
    tml_print("{\"event\":\"frame\"");
    tml_print_field("frame", frame);
    report_result();
    if (!tml_host_present() && frame_us > 0) { /* an emulator's time says nothing */
        tml_print_field("us", network_us);
        tml_print(",\"fps\":");
        print_fixed((int32_t)(100000000u / frame_us), 2);
    }
    tml_print("}\n");
}

static uint32_t microseconds(uint32_t cycles) { return (uint32_t)((uint64_t)cycles * 1000000u / tml_core_hz()); }

/* Frames until the host has no more. */
static int run(void) {
    uint32_t frame = 0, lost = 0, last = tml_cycles();
    bool send = false;
    for (;;) {
        send = capture_requested() || send;
        const int began = tml_camera_begin_frame();
        if (began == TML_CAMERA_END) break;
        if (began == TML_CAMERA_OK && send) capture_begin(frame);
        if (began != TML_CAMERA_OK || !take_frame(send)) {
            if (tml_host_present()) return EXIT_BAD_FRAME;
            forget_frame();
            if (++lost % LOST_FRAMES_REPORTED == 0) {
                tml_print("{\"event\":\"lost\"");
                tml_print_field("frames", lost);
                tml_print("}\n");
            }
            continue;
        }
        const uint32_t start = tml_cycles();
        finish(send);
        const uint32_t now = tml_cycles();
        if (send) capture_end();
        report(frame, microseconds(now - start), microseconds(now - last));
        send = false;
        last = now;
        ++frame;
    }
    tml_print("{\"event\":\"done\"");
    tml_print_field("frames", frame);
    tml_print("}\n");
    return EXIT_OK;
}

int main(void) {
    int exit_code = 0;
    tml_console_init();
    if (tml_proof(&exit_code)) return exit_code;
    tml_led_init();
    tml_cycles_init();
    tml_print("{\"event\":\"start\",\"app\":" APP_NAME_JSON ",\"model\":" APP_MODEL_JSON);
    tml_print_field("core_hz", tml_core_hz());
    tml_print_field("arena_bytes", NETWORK_ARENA_BYTES);
    tml_print_field("camera_width", TML_CAMERA_WIDTH);
    tml_print_field("camera_height", TML_CAMERA_HEIGHT);
    tml_print("}\n");
    if (tml_camera_start() != TML_CAMERA_OK) {
        tml_print("{\"event\":\"error\",\"message\":\"no camera answers\"}\n");
        return EXIT_NO_CAMERA;
    }
    capture_init();
    return run();
}
