/* Where things are in a frame: boxes, best first, or one person's keypoints, in pixels of the network's picture; light
 * while there is any. `tinyml/firmware/detect.py` says the same in Python. */
#include "report.h"

#include <stdbool.h>
#include <stdint.h>

#include "app_config.h"
#include "detection_config.h"
#include "network.h"
#include "tml_console.h"
#include "tml_led.h"

static const char *const names[APP_NAME_COUNT] = APP_NAMES; /* as JSON strings */

/* `key` and a length in 1/256 cell as pixels. */
static void print_pixels(const char *key, int32_t length) {
    tml_print(key);
    print_fixed((length * APP_CELL_PIXELS * 100 + 128) >> 8, 2);
}

static void print_name_and_score(uint32_t index, uint32_t name, int32_t ten_thousandths) {
    tml_print(index > 0u ? ",{\"name\":" : "{\"name\":");
    tml_print(names[name]);
    tml_print(",\"score\":");
    print_fixed(ten_thousandths, 4);
}

#if APP_DETECTS_BOXES

void report_result(void) {
    static tml_box boxes[BOX_DECODER_LIMIT];
    const uint32_t count =
        tml_decode_boxes(&box_decoder, (const int8_t *)network_output(0), boxes, BOX_DECODER_LIMIT);
    tml_led_set(0, count > 0u);
    tml_print(",\"boxes\":[");
    for (uint32_t i = 0; i < count; ++i) {
        print_name_and_score(i, boxes[i].class_index, (int32_t)((boxes[i].score * 10000u + 16384u) >> 15));
        print_pixels(",\"left\":", boxes[i].left);
        print_pixels(",\"top\":", boxes[i].top);
        print_pixels(",\"right\":", boxes[i].right);
        print_pixels(",\"bottom\":", boxes[i].bottom);
        tml_print("}");
    }
    tml_print("]");
}

#else

#include "score.h"

void report_result(void) {
    static tml_keypoint keypoints[APP_NAME_COUNT];
    tml_decode_keypoints((const int8_t *)network_output(APP_HEATMAP_OUTPUT),
                         (const int8_t *)network_output(APP_OFFSETS_OUTPUT), APP_ROWS, APP_COLUMNS,
                         (int32_t)APP_NAME_COUNT, keypoint_shift, keypoints);
    bool any = false;
    tml_print(",\"keypoints\":[");
    for (uint32_t i = 0; i < APP_NAME_COUNT; ++i) {
        any = any || keypoints[i].score >= APP_LIT_OUTPUT;
        print_name_and_score(i, i, score(keypoints[i].score));
        print_pixels(",\"x\":", keypoints[i].x);
        print_pixels(",\"y\":", keypoints[i].y);
        tml_print("}");
    }
    tml_led_set(0, any);
    tml_print("]");
}

#endif
