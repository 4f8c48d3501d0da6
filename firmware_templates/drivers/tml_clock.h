/* The clocks. One of the clock_*.c files implements it; TML_CORE_HZ in board_config.h is what the core runs at after it. */
#ifndef TML_CLOCK_H
#define TML_CLOCK_H

void tml_clock_init(void);

#endif
