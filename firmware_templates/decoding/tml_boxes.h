/* Boxes out of a YOLOv2 network's int8 output: thresholds, the best ones, non-maximum suppression; integers throughout.
 *
 * Redmon and Farhadi 2017, arXiv:1612.08242, section 2 and figure 3: a box's centre is its cell's corner plus sigmoid(x),
 * its size the anchor's times exp(w); its score is sigmoid(objectness) times the best class's softmax. What depends on
 * one byte alone comes from tables of 256 (tinyml/detection/tables.py makes them from the output's scale and zero point).
 * Memory is the caller's list of boxes, whatever the network says. tinyml/detection/boxes.py computes the same.
 */
#ifndef TML_BOXES_H
#define TML_BOXES_H

#include <stdint.h>

/* Lengths are in 1/256 cell, from the grid's upper left corner; scores in 1/32768. */
typedef struct {
    int32_t left, top, right, bottom;
    uint32_t score;
    uint32_t class_index;
} tml_box;

typedef struct {
    int32_t rows, columns, anchor_count, class_count;
    const uint16_t *sigmoid; /* of each code, in 1/32768 */
    const uint32_t *growth;  /* exp of each code, in 1/4096 */
    const uint16_t *softmax; /* exp of so many codes below the largest, in 1/32768 */
    const uint16_t *anchors; /* width and height of each, in 1/256 cell */
    uint32_t least_score;
    uint32_t most_overlap; /* intersection over union, in 1/256, above which the weaker of a class is dropped */
} tml_box_decoder;

enum { TML_BOX_VALUES = 5 };

static inline int32_t tml_box_between(int64_t value, int32_t limit) {
    return value < 0 ? 0 : value > limit ? limit : (int32_t)value;
}

/* The score of the values at `raw`, and which class has it; 0 where objectness alone is too low. */
static inline uint32_t tml_box_score(const tml_box_decoder *decoder, const int8_t *raw, uint32_t *class_index) {
    const uint32_t objectness = decoder->sigmoid[raw[4] + 128];
    const int8_t *const scores = raw + TML_BOX_VALUES;
    int32_t best = 0;
    uint32_t sum = 0;
    *class_index = 0;
    if (objectness < decoder->least_score) return 0;
    for (int32_t i = 1; i < decoder->class_count; i++) {
        if (scores[i] > scores[best]) best = i;
    }
    for (int32_t i = 0; i < decoder->class_count; i++) sum += decoder->softmax[scores[best] - scores[i]];
    *class_index = (uint32_t)best;
    return (uint32_t)(((uint64_t)objectness << 15) / sum);
}

/* One side of a box around `centre`, cut to the grid. */
static inline void tml_box_side(const tml_box_decoder *decoder, int32_t centre, int8_t code, uint32_t anchor,
                                int32_t cells, int32_t *low, int32_t *high) {
    const int64_t half = (int64_t)(((uint64_t)anchor * decoder->growth[code + 128]) >> 13);
    *low = tml_box_between(centre - half, cells * 256);
    *high = tml_box_between(centre + half, cells * 256);
}

/* Puts `box` behind all that score at least as much; the last of a full list is lost. Returns how many there are. */
static inline uint32_t tml_box_insert(tml_box *boxes, uint32_t count, uint32_t limit, tml_box box) {
    uint32_t at = count;
    if (count == limit && (limit == 0 || boxes[limit - 1].score >= box.score)) return count;
    if (count == limit) at = limit - 1;
    for (; at > 0 && boxes[at - 1].score < box.score; at--) boxes[at] = boxes[at - 1];
    boxes[at] = box;
    return count < limit ? count + 1 : limit;
}

static inline int64_t tml_box_area(int32_t left, int32_t top, int32_t right, int32_t bottom) {
    return left < right && top < bottom ? (int64_t)(right - left) * (bottom - top) : 0;
}

/* Whether two boxes have more of their union in common than allowed. */
static inline int tml_box_overlap(const tml_box *a, const tml_box *b, uint32_t most) {
    const int64_t common = tml_box_area(a->left > b->left ? a->left : b->left, a->top > b->top ? a->top : b->top,
                                        a->right < b->right ? a->right : b->right,
                                        a->bottom < b->bottom ? a->bottom : b->bottom);
    const int64_t both = tml_box_area(a->left, a->top, a->right, a->bottom) +
                         tml_box_area(b->left, b->top, b->right, b->bottom) - common;
    return common * 256 > (int64_t)most * both;
}

/* The boxes of `raw`, [rows, columns, anchors * (5 + classes)], best first: at most `limit`, which bounds the candidates
 * of the suppression, too. Returns how many. */
static inline uint32_t tml_decode_boxes(const tml_box_decoder *decoder, const int8_t *raw, tml_box *boxes,
                                        uint32_t limit) {
    uint32_t count = 0, kept = 0;
    for (int32_t row = 0; row < decoder->rows; row++) {
        for (int32_t column = 0; column < decoder->columns; column++) {
            for (int32_t anchor = 0; anchor < decoder->anchor_count; anchor++) {
                tml_box box;
                box.score = tml_box_score(decoder, raw, &box.class_index);
                if (box.score >= decoder->least_score && box.score > 0) {
                    const int32_t x = column * 256 + (decoder->sigmoid[raw[0] + 128] >> 7);
                    const int32_t y = row * 256 + (decoder->sigmoid[raw[1] + 128] >> 7);
                    const uint16_t *const size = decoder->anchors + 2 * anchor;
                    tml_box_side(decoder, x, raw[2], size[0], decoder->columns, &box.left, &box.right);
                    tml_box_side(decoder, y, raw[3], size[1], decoder->rows, &box.top, &box.bottom);
                    count = tml_box_insert(boxes, count, limit, box);
                }
                raw += TML_BOX_VALUES + decoder->class_count;
            }
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        int drop = 0;
        for (uint32_t j = 0; j < kept && !drop; j++) {
            drop = boxes[j].class_index == boxes[i].class_index &&
                   tml_box_overlap(&boxes[j], &boxes[i], decoder->most_overlap);
        }
        if (!drop) boxes[kept++] = boxes[i];
    }
    return kept;
}

#endif
