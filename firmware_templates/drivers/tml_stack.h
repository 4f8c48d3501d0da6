/* Stack painting: how deep did the stack go? */
#ifndef TML_STACK_H
#define TML_STACK_H

#include <stdint.h>

/* Fills the free memory below the stack pointer with a pattern. */
void tml_stack_paint(void);

/* Bytes from the top of the stack to the deepest word that no longer holds the pattern. */
uint32_t tml_stack_used_bytes(void);

#endif
