#include "tml_camera.h"

#include "tml_camera_source.h"
#include "tml_semihosting.h"

int tml_camera_start(void) { return tml_host_present() ? tml_host_camera_start() : tml_sensor_start(); }

int tml_camera_begin_frame(void) { return tml_host_present() ? tml_host_camera_begin_frame() : tml_sensor_begin_frame(); }

const uint8_t *tml_camera_next_line(void) {
    return tml_host_present() ? tml_host_camera_next_line() : tml_sensor_next_line();
}
