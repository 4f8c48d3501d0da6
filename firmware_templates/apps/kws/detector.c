#include "detector.h"

#include "app_config.h"

enum { MAX_QUIET = 0xFFFF };

static const uint16_t limits[APP_LABEL_COUNT] = APP_LIMITS;         /* 0: never announced */
static const uint16_t refractory[APP_LABEL_COUNT] = APP_REFRACTORY; /* in inferences */

static uint8_t history[APP_AVERAGED][APP_LABEL_COUNT];
static uint16_t sums[APP_LABEL_COUNT];
static uint16_t loud_ago[APP_LABEL_COUNT]; /* inferences since the label was last above its limit, 0: never */
static uint32_t slot;

int detector_push(const int8_t *scores) {
    int best = -1;
    for (int label = 0; label < APP_LABEL_COUNT; ++label) {
        const uint8_t code = (uint8_t)(scores[label] + 128);
        sums[label] = (uint16_t)(sums[label] + code - history[slot][label]);
        history[slot][label] = code;
        if (limits[label] != 0 && (best < 0 || sums[label] > sums[best])) best = label;
        if (loud_ago[label] != 0 && loud_ago[label] != MAX_QUIET) ++loud_ago[label];
    }
    slot = slot + 1u == APP_AVERAGED ? 0 : slot + 1u;
    if (best < 0 || sums[best] < limits[best]) return -1;
    /* loud_ago is one more than the inferences that have passed, so that 0 can mean never */
    const int announced = loud_ago[best] == 0 || loud_ago[best] - 1 >= refractory[best];
    loud_ago[best] = 1;
    return announced ? best : -1;
}

const uint16_t *detector_sums(void) { return sums; }

uint32_t detector_permille(int label) {
    const uint32_t full = 256u * APP_AVERAGED;
    return (sums[label] * 1000u + full / 2u) / full;
}
