/* What an application with a camera says of a frame. */
#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

/* The application's own: prints what the network's outputs say as fields of a JSON object, each with a comma before it,
 * and switches the light. Called when the network has seen a whole frame. */
void report_result(void);

/* `value` divided by 10^`decimals`. */
void print_fixed(int32_t value, uint32_t decimals);

#endif
