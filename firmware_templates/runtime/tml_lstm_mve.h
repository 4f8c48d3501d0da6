/* UNIDIRECTIONAL_SEQUENCE_LSTM on cores with MVE: sixteen products at a time. The rest is tml_lstm.h's. */
#ifndef TML_LSTM_MVE_H
#define TML_LSTM_MVE_H

#include "tml_common_mve.h"
#include "tml_lstm.h"

/* sum + the products of two rows of bytes. */
TML_INLINE int32_t tml_dot_mve(int32_t sum, const int8_t *x, const int8_t *w, int depth) {
    int i = 0;
    TML_MVE_NO_UNROLL
    for (; i + 16 <= depth; i += 16) {
        sum = vmladavaq_s8(sum, vldrbq_s8(x + i), vldrbq_s8(w + i));
    }
    if (depth % 16 != 0) {
        sum = vmladavaq_s8(sum, tml_load_lanes_mve(x + i, depth - i), tml_load_lanes_mve(w + i, depth - i));
    }
    return sum;
}

TML_INLINE void tml_lstm_mve(const int8_t *input, int8_t *output, int8_t *state, int16_t *cells_state, void *scratch,
                             const int8_t *weights, const int8_t *recurrent, const int32_t *bias,
                             const int32_t *recurrent_bias, const int32_t *scales, const int32_t *recurrent_scales,
                             int steps, int inputs, int cells, int cell_power, int cell_clip,
                             int32_t hidden_multiplier, int hidden_shift, int hidden_zero_point) {
    int16_t *const gates = (int16_t *)scratch;
    TML_MVE_NO_UNROLL
    for (int step = 0; step < steps; step++, input += inputs, output += cells) {
        TML_MVE_NO_UNROLL
        for (int gate = 0; gate < 4; gate++) {
            TML_MVE_NO_UNROLL
            for (int cell = gate * cells; cell < (gate + 1) * cells; cell++) {
                const int32_t from_input = tml_dot_mve(bias[cell], input, weights + cell * inputs, inputs);
                const int32_t from_state = tml_dot_mve(recurrent_bias[cell], state, recurrent + cell * cells, cells);
                gates[cell] = tml_lstm_sum(from_input, from_state, scales + 2 * gate, recurrent_scales + 2 * gate);
            }
        }
        tml_lstm_cells(gates, output, state, cells_state, cells, cell_power, cell_clip, hidden_multiplier,
                       hidden_shift, hidden_zero_point);
    }
}

#endif
