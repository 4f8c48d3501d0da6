/* The two sources of pictures behind tml_camera.h: the board's sensor (one of the camera_*.c files) and the host. */
#ifndef TML_CAMERA_SOURCE_H
#define TML_CAMERA_SOURCE_H

#include <stdint.h>

#include "tml_camera.h"

int tml_sensor_start(void);
int tml_sensor_begin_frame(void);
const uint8_t *tml_sensor_next_line(void);

int tml_host_camera_start(void);
int tml_host_camera_begin_frame(void);
const uint8_t *tml_host_camera_next_line(void);

#endif
