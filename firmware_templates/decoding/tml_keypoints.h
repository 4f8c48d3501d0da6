/* One person's keypoints out of a PoseNet's int8 heatmaps and offsets; integers throughout, no memory of its own.
 *
 * Papandreou et al. 2018, arXiv:1803.08225, section 3.1.1: a keypoint lies in the cell with the largest heatmap value,
 * moved by that cell's offset. tinyml/detection/keypoints.py computes the same.
 */
#ifndef TML_KEYPOINTS_H
#define TML_KEYPOINTS_H

#include <stdint.h>

/* Places in 1/256 cell from the first cell's centre; the score is the heatmap's code. */
typedef struct {
    int32_t x, y;
    int8_t score;
} tml_keypoint;

/* heatmap is [rows, columns, count], offsets [rows, columns, 2 * count]: y of every keypoint, then x; `shift` has what
 * each of their codes moves, in 1/256 cell. Of equal heatmap values the first, row by row, counts. */
static inline void tml_decode_keypoints(const int8_t *heatmap, const int8_t *offsets, int32_t rows, int32_t columns,
                                        int32_t count, const int32_t *shift, tml_keypoint *keypoints) {
    for (int32_t k = 0; k < count; k++) {
        int32_t best = 0;
        for (int32_t cell = 1; cell < rows * columns; cell++) {
            if (heatmap[cell * count + k] > heatmap[best * count + k]) best = cell;
        }
        const int8_t *const moved = offsets + best * 2 * count;
        keypoints[k].y = (best / columns) * 256 + shift[moved[k] + 128];
        keypoints[k].x = (best % columns) * 256 + shift[moved[count + k] + 128];
        keypoints[k].score = heatmap[best * count + k];
    }
}

#endif
