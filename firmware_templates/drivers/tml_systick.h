/* SysTick as a 32-bit counter of core cycles (ARM DDI 0403E, B3.3; DDI 0419E, B3.3). */
#ifndef TML_SYSTICK_H
#define TML_SYSTICK_H

#include <stdint.h>

void tml_systick_init(void);
uint32_t tml_systick_cycles(void);

#endif
