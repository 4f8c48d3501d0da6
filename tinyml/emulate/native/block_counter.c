/* Counts executed Thumb instructions per step of the network, as a basic-block hook for Unicorn.
 *
 * Blocks are counted between the entry of network_invoke and the return from it. `slot` says for each halfword of the
 * code what begins there; a block that begins in a step's function or in what it calls counts for that step. */
#include <stdint.h>

enum { OTHER = 0, INVOKE = 1, INVOKE_ENTRY = 2, RETURN_SITE = 3, FIRST_STEP = 4 };

struct counter {
    uint64_t base;           /* address of the first byte of code */
    uint64_t code_bytes;
    const uint8_t *code;
    const uint16_t *slot;    /* one for each halfword */
    uint32_t *block_bytes;   /* one for each halfword: size of the block that was counted there last ... */
    uint32_t *block_count;   /* ... and its instructions */
    uint64_t *counts;        /* one for each slot */
    uint32_t current;        /* slot that is being counted, OTHER outside network_invoke */
    uint32_t windows;        /* how often network_invoke returned */
    uint64_t outside;        /* blocks within the window that lie outside the code */
};

static uint32_t instructions(const uint8_t *code, uint32_t bytes) {
    uint32_t count = 0;
    for (uint32_t i = 0; i + 2 <= bytes; ++count) i += (code[i + 1] >> 3) >= 0x1D ? 4 : 2;
    return count;
}

void tinyml_count_block(void *uc, uint64_t address, uint32_t bytes, void *user_data) {
    struct counter *c = user_data;
    const uint64_t offset = address - c->base;
    (void)uc;
    if (c->windows != 0) return;
    if (offset >= c->code_bytes || bytes > c->code_bytes - offset) {
        c->outside += c->current != OTHER;
        return;
    }
    const uint64_t index = offset >> 1;
    const uint16_t slot = c->slot[index];
    if (c->current == OTHER) {
        if (slot != INVOKE_ENTRY) return;
        c->current = INVOKE;
    } else if (slot == RETURN_SITE) {
        c->current = OTHER;
        ++c->windows;
        return;
    } else if (slot == INVOKE || slot == INVOKE_ENTRY) {
        c->current = INVOKE;
    } else if (slot >= FIRST_STEP) {
        c->current = slot;
    }
    if (c->block_bytes[index] != bytes) {
        c->block_bytes[index] = bytes;
        c->block_count[index] = instructions(c->code + offset, bytes);
    }
    c->counts[c->current] += c->block_count[index];
}
