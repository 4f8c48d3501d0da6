/* What a host is told besides the detections: the features of every frame, the scores and sums of every inference. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

/* Opens the host's files; does nothing without a host. */
void journal_start(void);

void journal_frame(const int8_t *features);
void journal_scores(uint32_t frame, const int8_t *scores, const uint16_t *sums);

/* The frame of the first inference and the frames from one to the next, where the host wants others. False where it does
 * not. */
bool journal_schedule(uint32_t *first, uint32_t *every);

#endif
