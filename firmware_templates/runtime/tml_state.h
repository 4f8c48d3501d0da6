/* What a network keeps between its runs: reading it moves nothing, assigning it copies. */
#ifndef TML_STATE_H
#define TML_STATE_H

#include "tml_common.h"

TML_INLINE void tml_read_state(void *state) {
    (void)state;
}

TML_INLINE void tml_assign_state(const void *value, void *state, int bytes) {
    memcpy(state, value, (size_t)bytes);
}

#endif
