#include "tml_stack.h"

extern uint32_t _stack_limit[], _estack[];

enum { PAINT = 0x5AFEC0DE };

void tml_stack_paint(void) {
    uint32_t *here;
    __asm__ volatile("mov %0, sp" : "=r"(here));
    /* volatile: the compiler must not turn the loop into a call that would use the stack being painted */
    for (volatile uint32_t *word = _stack_limit; word < here; ++word) *word = PAINT;
}

uint32_t tml_stack_used_bytes(void) {
    const volatile uint32_t *word = _stack_limit;
    while (word < _estack && *word == PAINT) ++word;
    return (uint32_t)((uintptr_t)_estack - (uintptr_t)word);
}
