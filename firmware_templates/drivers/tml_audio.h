/* Sound as an application gets it: from the host that emulates or debugs the core where one answers, otherwise from the
 * board's microphone. */
#ifndef TML_AUDIO_H
#define TML_AUDIO_H

#include <stdbool.h>
#include <stdint.h>

/* As the functions of tml_microphone.h. */
int tml_audio_start(uint32_t sample_rate_hz, int16_t *ring, uint32_t ring_samples);
uint32_t tml_audio_position(void);
uint32_t tml_audio_overruns(void);

/* Sleeps until there are more samples. False where the host's sound has ended. */
bool tml_audio_wait(void);

/* Tells how long computing took. The host's time goes by samples, so that as many arrive as would have on a board; a
 * board's microphone has gone on by itself. */
void tml_audio_spent(uint32_t us);

#endif
