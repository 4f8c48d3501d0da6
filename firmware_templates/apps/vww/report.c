/* Visual wake words: the best class of a frame and the scores of all; light for one of them. */
#include "report.h"

#include <stdint.h>

#include "app_config.h"
#include "network.h"
#include "score.h"
#include "tml_console.h"
#include "tml_led.h"

static const char *const classes[APP_CLASS_COUNT] = APP_CLASS_NAMES; /* as JSON strings */

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
