/* The block that makes the RP2350's boot ROM accept the image: a secure Arm executable, one block in a loop of its own
 * (RP2350 datasheet, section 5.9.5, "minimum viable image metadata"). */
#include <stdint.h>

__attribute__((used, section(".image_def"))) static const uint32_t image_def[5] = {
    0xFFFFDED3u, /* start of block */
    0x10210142u, /* IMAGE_TYPE: executable, secure, Arm, RP2350 */
    0x000001FFu, /* last item, one word of items */
    0x00000000u, /* the next block is this one */
    0xAB123579u, /* end of block */
};
