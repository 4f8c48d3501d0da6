/* The camera, a line at a time, so that no frame has to be held: the application takes each line before it asks for the
 * next. Where a semihosting host answers, its pictures come through the same functions. board_config.h says how large
 * they are (TML_CAMERA_WIDTH, TML_CAMERA_HEIGHT), in which format (TML_CAMERA_FORMAT) and how many bytes a line has
 * (TML_CAMERA_LINE_BYTES), and whether the driver keeps a whole frame (TML_CAMERA_HOLDS_FRAME): then the application may
 * take its time between lines. */
#ifndef TML_CAMERA_H
#define TML_CAMERA_H

#include <stdint.h>

#define TML_CAMERA_GREY 0   /* one byte a pixel */
#define TML_CAMERA_RGB565 1 /* two bytes a pixel, red in the five highest bits of the first byte */

enum {
    TML_CAMERA_OK = 0,
    TML_CAMERA_END = 1,     /* the host has no more pictures */
    TML_CAMERA_ABSENT = -1, /* no sensor answers */
    TML_CAMERA_TIMEOUT = -2 /* no frame came in time */
};

/* Starts the sensor: TML_CAMERA_OK or TML_CAMERA_ABSENT. */
int tml_camera_start(void);

/* Waits for the beginning of a frame: TML_CAMERA_OK, TML_CAMERA_END or TML_CAMERA_TIMEOUT. */
int tml_camera_begin_frame(void);

/* The next line from the top, valid until the next call. NULL where the line was lost, because the application was too
 * slow or the sensor stopped: the frame is spoilt then, and another one begins with tml_camera_begin_frame(). */
const uint8_t *tml_camera_next_line(void);

#endif
