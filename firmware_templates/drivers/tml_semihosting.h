/* Semihosting: files and console of a host that emulates or debugs the core (Arm, "Semihosting for AArch32 and AArch64"). */
#ifndef TML_SEMIHOSTING_H
#define TML_SEMIHOSTING_H

#include <stdbool.h>
#include <stdint.h>

enum { TML_FILE_READ = 1, TML_FILE_WRITE = 5 }; /* "rb" and "wb" of the specification's table of modes */

/* Whether a host answers. The first call asks it with a breakpoint; without a host the fault handler answers -1. */
bool tml_host_present(void);

/* Opens a file of the host; a negative value is an error. */
int tml_host_open(const char *path, int mode);

/* Bytes in an open file; negative on error. */
int tml_host_file_bytes(int handle);

/* Reads or writes exactly `bytes` bytes. False where fewer were transferred. */
bool tml_host_read(int handle, void *data, uint32_t bytes);
bool tml_host_write(int handle, const void *data, uint32_t bytes);
void tml_host_close(int handle);

/* Writes a string to the host's console. */
void tml_host_print(const char *text);

/* Ends the program: with a host, its process ends with `code`; without one the core sleeps for ever. */
__attribute__((noreturn)) void tml_exit(int code);

#endif
