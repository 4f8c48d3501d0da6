// The camera by the Arduino_OV767X library, whole frames: 160 x 120 RGB565 at 5 frames a second, the fastest it offers.
#include <Arduino.h>
#include <Arduino_OV767X.h>

#include "board_config.h"

extern "C" {
#include "tml_camera_source.h"
}

enum { FRAMES_PER_SECOND = 5 };

static uint8_t frame[TML_CAMERA_LINE_BYTES * TML_CAMERA_HEIGHT];
static uint32_t next_line;

int tml_sensor_start(void) { return Camera.begin(QQVGA, RGB565, FRAMES_PER_SECOND) ? TML_CAMERA_OK : TML_CAMERA_ABSENT; }

int tml_sensor_begin_frame(void) {
    Camera.readFrame(frame);
    next_line = 0;
    return TML_CAMERA_OK;
}

const uint8_t *tml_sensor_next_line(void) {
    return next_line < TML_CAMERA_HEIGHT ? frame + TML_CAMERA_LINE_BYTES * next_line++ : nullptr;
}
