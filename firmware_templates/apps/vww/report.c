/* Visual wake words: the best class of a frame and the scores of all; light for one of them. */
#include "report.h"

#include <stdint.h>

#include "app_config.h"
#include "network.h"
#include "tml_console.h"
#include "tml_led.h"

static const char *const classes[APP_CLASS_COUNT] = APP_CLASS_NAMES; /* as JSON strings */

/* The value of an output byte in 1/10,000, rounded; APP_SCORE_FACTOR is its scale in 2^-16 of that. */
static int32_t score(int8_t output) {
    return (int32_t)(((int64_t)(output - APP_SCORE_ZERO) * APP_SCORE_FACTOR + 32768) >> 16);
}

static uint32_t best_class(const int8_t *output) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < APP_CLASS_COUNT; ++i) {
        if (output[i] > output[best]) best = i;
    }
    return best;
}

void report_result(void) {
    const int8_t *const output = (const int8_t *)network_output(0);
    const uint32_t best = best_class(output);
    tml_led_set(0, best == APP_LIT_CLASS && output[best] >= APP_LIT_OUTPUT);
    tml_print(",\"class\":");
    tml_print(classes[best]);
    tml_print(",\"score\":");
    print_fixed(score(output[best]), 4);
    tml_print(",\"scores\":[");
    for (uint32_t i = 0; i < APP_CLASS_COUNT && i < APP_PRINTED_VALUES; ++i) {
        if (i > 0) tml_print(",");
        print_fixed(score(output[i]), 4);
    }
    tml_print("]");
}
