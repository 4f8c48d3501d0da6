#include "journal.h"

#include "app_config.h"
#include "frontend.h"
#include "tml_semihosting.h"

enum { EXIT_NO_OUTPUT = 5 };

static int features_file = -1, scores_file = -1;

void journal_start(void) {
    if (!tml_host_present()) return;
    features_file = tml_host_open("tml_features.bin", TML_FILE_WRITE);
    scores_file = tml_host_open("tml_scores.bin", TML_FILE_WRITE);
}

static void append(int file, const void *data, uint32_t bytes) {
    if (file >= 0 && !tml_host_write(file, data, bytes)) tml_exit(EXIT_NO_OUTPUT);
}

void journal_frame(const int8_t *features) { append(features_file, features, FRONTEND_FEATURES); }

void journal_scores(uint32_t frame, const int8_t *scores, const uint16_t *sums) {
    append(scores_file, &frame, sizeof frame);
    append(scores_file, scores, APP_LABEL_COUNT);
    append(scores_file, sums, APP_LABEL_COUNT * sizeof *sums);
}

bool journal_schedule(uint32_t *first, uint32_t *every) {
    uint32_t wanted[2];
    if (!tml_host_present()) return false;
    const int file = tml_host_open("tml_schedule.bin", TML_FILE_READ);
    if (file < 0) return false;
    const bool known = tml_host_read(file, wanted, sizeof wanted) && wanted[1] != 0;
    tml_host_close(file);
    if (!known) return false;
    *first = wanted[0];
    *every = wanted[1];
    return true;
}
