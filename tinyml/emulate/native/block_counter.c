/* Counts how often each basic block runs in each step of the network, as hooks for Unicorn.
 *
 * Blocks are counted between the entry of network_invoke and the return from it. `slot` says for each halfword of the
 * code what begins there; a block that begins in a step's function or in what it calls counts for that step. What the
 * blocks consist of is worked out afterwards, once for each. */
#include "flash_cache.h"

enum { OTHER = 0, INVOKE = 1, INVOKE_ENTRY = 2, RETURN_SITE = 3, FIRST_STEP = 4 };

struct block {
    uint64_t hits;
    uint64_t fell_through;   /* how often the block behind it ran next */
    uint32_t offset;
    uint32_t bytes;
    uint32_t slot;
    uint32_t next;           /* another block at the same offset, plus one; 0 ends the list */
};

struct counter {
    uint64_t base;           /* address of the first byte of code */
    uint64_t code_bytes;
    const uint16_t *slot;    /* one for each halfword */
    uint32_t *first;         /* one for each halfword: a block that begins there, plus one; 0 where none ran yet */
    struct block *blocks;
    uint64_t room;           /* how many blocks fit */
    uint64_t used;
    uint32_t current;        /* slot that is being counted, OTHER outside network_invoke */
    uint32_t windows;        /* how often network_invoke returned */
    uint32_t wanted;         /* how often it is called in one inference */
    uint64_t outside;        /* blocks within the window that lie outside the code */
    uint64_t lost;           /* blocks that had no room */
    uint32_t previous;       /* the block that ran before, plus one */
    uint32_t simulated;      /* whether the caches are */
    uint64_t *misses;        /* two for each slot: code and data */
    struct flash_cache code_cache, data_cache;
};

static uint32_t find(struct counter *c, uint32_t offset, uint32_t bytes) {
    for (uint32_t at = c->first[offset >> 1]; at != 0; at = c->blocks[at - 1].next)
        if (c->blocks[at - 1].bytes == bytes && c->blocks[at - 1].slot == c->current) return at;
    if (c->used == c->room) return 0;
    struct block *added = c->blocks + c->used++;
    added->hits = added->fell_through = 0;
    added->offset = offset;
    added->bytes = bytes;
    added->slot = c->current;
    added->next = c->first[offset >> 1];
    return c->first[offset >> 1] = (uint32_t)c->used;
}

void tinyml_count_block(void *uc, uint64_t address, uint32_t bytes, void *user_data) {
    struct counter *c = user_data;
    const uint64_t offset = address - c->base;
    (void)uc;
    if (c->windows >= c->wanted) return;
    if (offset >= c->code_bytes || bytes > c->code_bytes - offset) {
        c->outside += c->current != OTHER;
        return;
    }
    const uint16_t slot = c->slot[offset >> 1];
    if (c->current == OTHER) {
        if (slot != INVOKE_ENTRY) return;
        c->current = INVOKE;
    } else if (slot == RETURN_SITE) {
        c->current = OTHER;
        ++c->windows;
        c->previous = 0;
        return;
    } else if (slot == INVOKE || slot == INVOKE_ENTRY) {
        c->current = INVOKE;
    } else if (slot >= FIRST_STEP) {
        c->current = slot;
    }
    if (c->previous != 0) {
        struct block *before = c->blocks + c->previous - 1;
        before->fell_through += before->offset + before->bytes == offset;
    }
    c->previous = find(c, (uint32_t)offset, bytes);
    if (c->previous == 0)
        ++c->lost;
    else
        ++c->blocks[c->previous - 1].hits;
    if (c->simulated) c->misses[2 * c->current] += flash_cache_use(&c->code_cache, address, address + bytes - 1);
}

/* A read from the flash, wherever in it. */
void tinyml_count_read(void *uc, int type, uint64_t address, int bytes, int64_t value, void *user_data) {
    struct counter *c = user_data;
    (void)uc, (void)type, (void)value;
    if (c->simulated && c->windows < c->wanted && c->current != OTHER)
        c->misses[2 * c->current + 1] += flash_cache_use(&c->data_cache, address, address + (uint64_t)bytes - 1);
}
