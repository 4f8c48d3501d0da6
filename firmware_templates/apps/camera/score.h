/* How likely an output byte of a network for pictures says it is. */
#ifndef SCORE_H
#define SCORE_H

#include <stdint.h>

#include "app_config.h"

/* The value of an output byte in 1/10,000, rounded; APP_SCORE_FACTOR is its scale in 2^-16 of that. */
static inline int32_t score(int8_t output) {
    return (int32_t)(((int64_t)(output - APP_SCORE_ZERO) * APP_SCORE_FACTOR + 32768) >> 16);
}

#endif
