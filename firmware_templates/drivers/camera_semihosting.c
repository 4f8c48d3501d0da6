/* The host's camera: frames one after the other in a file, as the board's sensor would send them. */
#include <stddef.h>

#include "board_config.h"
#include "tml_camera_source.h"
#include "tml_semihosting.h"

static int file = -1;
static uint32_t frames_left;
static uint8_t line[TML_CAMERA_LINE_BYTES];

int tml_host_camera_start(void) {
    file = tml_host_open("tml_camera.bin", TML_FILE_READ);
    if (file < 0) return TML_CAMERA_ABSENT;
    frames_left = (uint32_t)tml_host_file_bytes(file) / (TML_CAMERA_LINE_BYTES * TML_CAMERA_HEIGHT);
    return TML_CAMERA_OK;
}

int tml_host_camera_begin_frame(void) {
    if (frames_left == 0) return TML_CAMERA_END;
    --frames_left;
    return TML_CAMERA_OK;
}

const uint8_t *tml_host_camera_next_line(void) { return tml_host_read(file, line, sizeof line) ? line : NULL; }
