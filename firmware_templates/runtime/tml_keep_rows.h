/* A window of rows that slides along time: what it holds stays from one inference to the next. */
#ifndef TML_KEEP_ROWS_H
#define TML_KEEP_ROWS_H

#include "tml_common.h"

/* Moves the rows in `window` down by `new_bytes`, so that `kept_bytes` of them stay, and puts the new ones behind them.
 * Copies of at most `new_bytes` do not overlap. */
TML_INLINE void tml_keep_rows(const void *rows, void *window, int32_t kept_bytes, int32_t new_bytes) {
    uint8_t *const held = (uint8_t *)window;
    for (int32_t at = 0; at < kept_bytes; at += new_bytes) {
        const int32_t left = kept_bytes - at;
        memcpy(held + at, held + at + new_bytes, (uint32_t)(left < new_bytes ? left : new_bytes));
    }
    memcpy(held + kept_bytes, rows, (uint32_t)new_bytes);
}

#endif
