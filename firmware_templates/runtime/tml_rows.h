/* Windows of rows for steps that run row by row: the rows held lie one behind the other, the first at the window's start.
 *
 * A tensor's rows are numbered from 0; `base` is the number of the first row held. */
#ifndef TML_ROWS_H
#define TML_ROWS_H

#include "tml_common.h"

TML_INLINE int32_t tml_least(int32_t a, int32_t b) { return a < b ? a : b; }
TML_INLINE int32_t tml_most(int32_t a, int32_t b) { return a > b ? a : b; }

/* The first row that a reader's next call needs, `height` where it has made all its calls. */
TML_INLINE int32_t tml_next_row(int32_t done, int32_t calls, int32_t stride, int32_t pad_top, int32_t height) {
    return done == calls ? height : tml_most(done * stride - pad_top, 0);
}

/* The place in a window, in rows, of what is written over the first row of a call, number `start`; where that is above
 * the tensor, of what is written behind the rows that there are. */
TML_INLINE int32_t tml_place(int32_t start, int32_t base, int32_t kernel) {
    return start < 0 ? kernel + start : start - base;
}

typedef struct {
    int32_t words[4];
} tml_row_words;

/* Moves `bytes` bytes down by `distance`; both are multiples of four, as is the address. Four words are loaded before
 * they are stored, which may be over the next ones. */
TML_SHARED void tml_rows_down(void *to, int32_t distance, int32_t bytes) {
    int32_t *out = (int32_t *)to;
    const int32_t *from = out + distance / 4;
    const int32_t *const end = from + bytes / 4;
    while (end - from >= 8) {
        const tml_row_words first = *(const tml_row_words *)(const void *)from;
        *(tml_row_words *)(void *)out = first;
        __asm__ volatile("" : : : "memory");
        const tml_row_words second = *(const tml_row_words *)(const void *)(from + 4);
        *(tml_row_words *)(void *)(out + 4) = second;
        __asm__ volatile("" : : : "memory");
        from += 8;
        out += 8;
    }
    while (from != end) *out++ = *from++;
}

/* Drops the rows before `first` from a window that holds rows up to `made`; gives the new base. */
TML_INLINE int32_t tml_rows_keep(void *window, int32_t base, int32_t first, int32_t made, int32_t row_bytes) {
    const int32_t kept = tml_least(first, made);
    if (kept > base && made > kept) tml_rows_down(window, (kept - base) * row_bytes, (made - kept) * row_bytes);
    return kept;
}

#endif
