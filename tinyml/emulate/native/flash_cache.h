/* A set-associative cache with least-recently-used replacement, of which only the misses matter. */
#ifndef TINYML_FLASH_CACHE_H
#define TINYML_FLASH_CACHE_H
#include <stdint.h>

struct flash_cache {
    uint32_t *tags;      /* sets * ways, the most recently used first in each set; 0 is an empty line */
    uint32_t sets;       /* 0: there is no such cache, and every new line misses */
    uint32_t ways;
    uint32_t line_shift; /* log2 of the bytes of a line */
    uint32_t last;       /* the line that was used last, plus one */
};

static inline uint64_t flash_cache_use(struct flash_cache *cache, uint64_t first, uint64_t last) {
    uint64_t misses = 0;
    for (uint32_t line = (uint32_t)(first >> cache->line_shift); line <= (uint32_t)(last >> cache->line_shift); ++line) {
        const uint32_t tag = line + 1;
        if (tag == cache->last) continue;
        cache->last = tag;
        if (cache->sets == 0) {
            ++misses;
            continue;
        }
        uint32_t *set = cache->tags + (line % cache->sets) * cache->ways, way = 0;
        while (way + 1 < cache->ways && set[way] != tag) ++way;
        misses += set[way] != tag;
        for (; way > 0; --way) set[way] = set[way - 1];
        set[0] = tag;
    }
    return misses;
}

#endif
