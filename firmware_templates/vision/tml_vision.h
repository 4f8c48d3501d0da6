/* From camera lines to the network's input, a line at a time: the largest centred square, averaged over areas to the
 * model's size, grey where the model is, as int8. The same integers as tinyml/features/image.py, bit for bit.
 *
 * app_config.h says what the model wants (APP_IMAGE_SIZE, APP_IMAGE_CHANNELS, APP_IMAGE_CODES), board_config.h what the
 * camera gives. */
#ifndef TML_VISION_H
#define TML_VISION_H

#include <stdbool.h>
#include <stdint.h>

#include "app_config.h"

#define TML_VISION_ROW_BYTES (APP_IMAGE_SIZE * APP_IMAGE_CHANNELS)

/* Before the first line of a frame. */
void tml_vision_begin(void);

/* Takes the camera's next line. True where it completed a row of the input: TML_VISION_ROW_BYTES bytes at `row`, which
 * is untouched otherwise. A frame gives APP_IMAGE_SIZE rows. */
bool tml_vision_line(const uint8_t *pixels, int8_t *row);

/* The brightness, 0 to 255, that the network's input byte stands for: the darkest of those that give this byte. */
uint32_t tml_vision_brightness(int8_t value);

#endif
