#include "tml_vision.h"

#include "tml_camera.h"

#define SIDE (TML_CAMERA_WIDTH < TML_CAMERA_HEIGHT ? TML_CAMERA_WIDTH : TML_CAMERA_HEIGHT)
#define TOP ((TML_CAMERA_HEIGHT - SIDE) / 2u)
#define LEFT ((TML_CAMERA_WIDTH - SIDE) / 2u)
#define PIXEL_BYTES (TML_CAMERA_LINE_BYTES / TML_CAMERA_WIDTH)
#define AREA (SIDE * SIDE)
#define COLOURS (TML_CAMERA_FORMAT == TML_CAMERA_GREY ? 1u : 3u)

_Static_assert(SIDE >= APP_IMAGE_SIZE, "the camera's square is smaller than the model's input");
_Static_assert(SIDE <= 2048u, "sums of an area need more than 32 bits");

#ifdef APP_IMAGE_CODES
/* What the network takes for each brightness, where its quantisation is not brightness - 128. */
static const int8_t codes[256] = APP_IMAGE_CODES;
#endif

/* In 1/APP_IMAGE_SIZE of a camera pixel an output pixel is SIDE wide and high, a camera pixel APP_IMAGE_SIZE. */
static uint32_t sums[APP_IMAGE_SIZE][COLOURS]; /* of the row that is being filled, weighted by area */
static uint32_t lines_seen;
static uint32_t height_left; /* of the row that is being filled */

static inline int8_t code(uint32_t brightness) {
#ifdef APP_IMAGE_CODES
    return codes[brightness];
#else
    return (int8_t)((int32_t)brightness - 128);
#endif
}

uint32_t tml_vision_brightness(int8_t value) {
#ifdef APP_IMAGE_CODES
    uint32_t brightness = 0;
    while (brightness < 255u && codes[brightness] != value) ++brightness;
    return brightness;
#else
    return (uint32_t)(value + 128);
#endif
}

static inline void unpack(const uint8_t *pixel, uint32_t *colour) {
#if TML_CAMERA_FORMAT == TML_CAMERA_GREY
    colour[0] = pixel[0];
#else
    const uint32_t packed = (uint32_t)pixel[0] << 8 | pixel[1];
    const uint32_t red = packed >> 11, green = packed >> 5 & 63u, blue = packed & 31u;
    colour[0] = red << 3 | red >> 2;
    colour[1] = green << 2 | green >> 4;
    colour[2] = blue << 3 | blue >> 2;
#endif
}

/* Rounds the sums of one output pixel and writes it in the model's channels. */
static inline void write_pixel(const uint32_t *total, int8_t *to) {
    uint32_t value[COLOURS];
    for (uint32_t c = 0; c < COLOURS; ++c) value[c] = (total[c] + AREA / 2u) / AREA;
#if TML_CAMERA_FORMAT == TML_CAMERA_GREY
    for (uint32_t c = 0; c < APP_IMAGE_CHANNELS; ++c) to[c] = code(value[0]);
#elif APP_IMAGE_CHANNELS == 1
    to[0] = code((77u * value[0] + 150u * value[1] + 29u * value[2] + 128u) >> 8);
#else
    for (uint32_t c = 0; c < 3u; ++c) to[c] = code(value[c]);
#endif
}

void tml_vision_begin(void) {
    lines_seen = 0;
    height_left = SIDE;
    for (uint32_t x = 0; x < APP_IMAGE_SIZE; ++x) {
        for (uint32_t c = 0; c < COLOURS; ++c) sums[x][c] = 0;
    }
}

/* Adds the line's part `weight` to output pixel x. Where that fills the row, writes it and begins the next with `rest`. */
static inline void add_pixel(uint32_t x, const uint32_t *across, uint32_t weight, uint32_t rest, int8_t *row) {
    uint32_t total[COLOURS];
    for (uint32_t c = 0; c < COLOURS; ++c) {
        total[c] = sums[x][c] + weight * across[c];
        sums[x][c] = row != 0 ? rest * across[c] : total[c];
    }
    if (row != 0) write_pixel(total, row + x * APP_IMAGE_CHANNELS);
}

bool tml_vision_line(const uint8_t *pixels, int8_t *row) {
    const uint32_t line = lines_seen++;
    if (line - TOP >= SIDE) return false; /* above or below the square: unsigned, so above is beyond */
    const bool fills = height_left <= APP_IMAGE_SIZE;
    const uint32_t weight = fills ? height_left : APP_IMAGE_SIZE;
    const uint32_t rest = APP_IMAGE_SIZE - weight;
    height_left = fills ? SIDE - rest : height_left - APP_IMAGE_SIZE;

    const uint8_t *pixel = pixels + LEFT * PIXEL_BYTES;
    uint32_t x = 0, width_left = SIDE;
    uint32_t across[COLOURS] = {0};
    for (uint32_t i = 0; i < SIDE; ++i, pixel += PIXEL_BYTES) {
        uint32_t colour[COLOURS];
        unpack(pixel, colour);
        if (width_left > APP_IMAGE_SIZE) {
            for (uint32_t c = 0; c < COLOURS; ++c) across[c] += APP_IMAGE_SIZE * colour[c];
            width_left -= APP_IMAGE_SIZE;
            continue;
        }
        const uint32_t beyond = APP_IMAGE_SIZE - width_left;
        for (uint32_t c = 0; c < COLOURS; ++c) across[c] += width_left * colour[c];
        add_pixel(x++, across, weight, rest, fills ? row : 0);
        for (uint32_t c = 0; c < COLOURS; ++c) across[c] = beyond * colour[c];
        width_left = SIDE - beyond;
    }
    return fills;
}
