/* The console: the host's where there is one, the board's serial line otherwise. Output is one JSON object a line. */
#ifndef TML_CONSOLE_H
#define TML_CONSOLE_H

#include <stdint.h>

/* Starts the clocks and the serial line where no host answers. */
void tml_console_init(void);

void tml_print(const char *text);
void tml_print_u32(uint32_t value);
void tml_print_i32(int32_t value);
void tml_print_hex(uint32_t value); /* 0x and eight digits */
void tml_print_field(const char *name, uint32_t value); /* ,"name":value */

/* From here on the console is the board's serial line in both directions, also where a host answers. */
void tml_console_listen(void);

/* The next byte received, or -1. */
int tml_console_read(void);

/* Sends bytes; those that arrive meanwhile are kept for tml_console_read, up to 128. */
void tml_console_write(const char *data, uint32_t bytes);

#endif
