/* Words in a stream of scores: bit for bit the arithmetic of tinyml/streaming/detector.py. */
#ifndef DETECTOR_H
#define DETECTOR_H

#include <stdint.h>

/* Takes the network's scores, int8 with zero point -128 and scale 1/256. The announced label, or -1. */
int detector_push(const int8_t *scores);

/* The sums of the last scores, by label. */
const uint16_t *detector_sums(void);

/* A label's mean score in thousandths. */
uint32_t detector_permille(int label);

#endif
