/* UNIDIRECTIONAL_SEQUENCE_LSTM on cores with the DSP extension, two cells at a time.
 *
 * Inputs and state are widened to int16 once a step, behind the gates in the scratch, each whole four of elements in
 * the order in which SXTB16 unpacks four bytes of weights. Sources: those of tml_lstm.h.
 */
#ifndef TML_LSTM_DSP_H
#define TML_LSTM_DSP_H

#include "tml_common_dsp.h"
#include "tml_lstm.h"

TML_INLINE void tml_widen_dsp(const int8_t *x, int32_t *to, int count) {
    TML_NO_UNROLL
    for (int i = 0; i + 4 <= count; i += 4, to += 2) {
        const int32_t word = (int32_t)*(const tml_word *)(const void *)(x + i);
        to[0] = __sxtb16(word);
        to[1] = tml_sxtb16_high(word);
    }
}

/* Sums of `depth` products with two rows of weights, added to what sums[] holds; `wide` are the whole fours of x. */
TML_INLINE void tml_dot2_wide_dsp(const int32_t *wide, const int8_t *x, const int8_t *w0, const int8_t *w1, int depth,
                                  int32_t *sums) {
    const int32_t *const end = wide + depth / 4 * 2;
    int32_t s0 = sums[0], s1 = sums[1];
    TML_UNROLL(2)
    for (; wide != end; wide += 2, w0 += 4, w1 += 4) {
        const int32_t m0 = (int32_t)*(const tml_word *)(const void *)w0;
        const int32_t m1 = (int32_t)*(const tml_word *)(const void *)w1;
        s0 = __smlad(tml_sxtb16_high(m0), wide[1], __smlad(__sxtb16(m0), wide[0], s0));
        s1 = __smlad(tml_sxtb16_high(m1), wide[1], __smlad(__sxtb16(m1), wide[0], s1));
    }
    TML_UNROLL(3)
    for (int i = 0; i < depth % 4; ++i) {
        s0 += x[depth / 4 * 4 + i] * w0[i];
        s1 += x[depth / 4 * 4 + i] * w1[i];
    }
    sums[0] = s0, sums[1] = s1;
}

TML_INLINE void tml_lstm_dsp(const int8_t *input, int8_t *output, int8_t *state, int16_t *cells_state, void *scratch,
                             const int8_t *weights, const int8_t *recurrent, const int32_t *bias,
                             const int32_t *recurrent_bias, const int32_t *scales, const int32_t *recurrent_scales,
                             int steps, int inputs, int cells, int cell_power, int cell_clip,
                             int32_t hidden_multiplier, int hidden_shift, int hidden_zero_point) {
    int16_t *const gates = (int16_t *)scratch;
    int32_t *const wide = (int32_t *)scratch + 2 * cells, *const wide_state = wide + inputs / 4 * 2;
    TML_NO_UNROLL
    for (int step = 0; step < steps; ++step, input += inputs, output += cells) {
        tml_widen_dsp(input, wide, inputs);
        tml_widen_dsp(state, wide_state, cells);
        TML_NO_UNROLL
        for (int gate = 0; gate < 4; ++gate) {
            TML_NO_UNROLL
            for (int cell = 0; cell < cells; cell += 2) {
                const int first = gate * cells + cell, second = cell + 1 < cells ? first + 1 : first;
                int32_t from_input[2] = {bias[first], bias[second]};
                int32_t from_state[2] = {recurrent_bias[first], recurrent_bias[second]};
                tml_dot2_wide_dsp(wide, input, weights + first * inputs, weights + second * inputs, inputs, from_input);
                tml_dot2_wide_dsp(wide_state, state, recurrent + first * cells, recurrent + second * cells, cells,
                                  from_state);
                gates[first] =
                    tml_lstm_sum(from_input[0], from_state[0], scales + 2 * gate, recurrent_scales + 2 * gate);
                gates[second] =
                    tml_lstm_sum(from_input[1], from_state[1], scales + 2 * gate, recurrent_scales + 2 * gate);
            }
        }
        tml_lstm_cells(gates, output, state, cells_state, cells, cell_power, cell_clip, hidden_multiplier,
                       hidden_shift, hidden_zero_point);
    }
}

#endif
