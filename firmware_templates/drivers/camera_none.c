/* An emulated board: there is no camera but the host's. */
#include <stddef.h>

#include "tml_camera_source.h"

int tml_sensor_start(void) { return TML_CAMERA_ABSENT; }

int tml_sensor_begin_frame(void) { return TML_CAMERA_TIMEOUT; }

const uint8_t *tml_sensor_next_line(void) { return NULL; }
