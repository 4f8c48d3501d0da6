/* zig's freestanding target has the memory functions in its compiler runtime but ships no string.h for them. */
#ifndef TML_ZIG_STRING_H
#define TML_ZIG_STRING_H
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#define TML_RESTRICT
#else
#define TML_RESTRICT restrict
#endif
void *memcpy(void *TML_RESTRICT destination, const void *TML_RESTRICT source, size_t bytes);
void *memmove(void *destination, const void *source, size_t bytes);
void *memset(void *destination, int value, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);
size_t strlen(const char *text);
#ifdef __cplusplus
}
#endif
#endif
