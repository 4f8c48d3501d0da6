/* Pictures on request: what the network takes of a frame, as brightness, goes over the console, so that a host can
 * keep it. One byte asks for the next frame; docs/visual-wake-words.md has the lines that answer. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

/* Listens for requests: on the serial line, or in a file where a semihosting host answers. */
void capture_init(void);

/* Whether the next frame was asked for. Takes what has arrived since the last call. */
bool capture_requested(void);

void capture_begin(uint32_t frame);
void capture_row(const int8_t *row);
void capture_end(void);

#endif
