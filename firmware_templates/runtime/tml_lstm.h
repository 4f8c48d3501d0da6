/* UNIDIRECTIONAL_SEQUENCE_LSTM, portable: int8 activations and weights, gates and cell in int16.
 *
 * Weights are those of the input, forget, cell and output gate one after the other, [4][cells][inputs] and
 * [4][cells][cells]; both kinds of bias have the zero point of what they are added to folded in. State and cell are
 * what the run before left, and what the next one reads. Scratch: four gates of all cells, int16.
 *
 * Sources: TFLite kernels/lstm_eval.cc, kernels/internal/reference/portable_tensor_utils.cc; gemmlowp
 * fixedpoint/fixedpoint.h (exp_on_negative_values, logistic, tanh) in 16 bits.
 */
#ifndef TML_LSTM_H
#define TML_LSTM_H

#include "tml_common.h"

TML_INLINE int32_t tml_clamp16(int32_t value) {
    return tml_clamp_int(value, INT16_MIN, INT16_MAX);
}

/* SaturatingRoundingDoublingHighMul in 16 bits; a and b are never both INT16_MIN here. */
TML_INLINE int32_t tml_high_mul16(int32_t a, int32_t b) {
    return (a * b + (1 << 14)) >> 15;
}

/* exp of a number that is not positive, with so many integer bits, as Q0.15. */
TML_INLINE int32_t tml_exp16(int32_t a, int integer_bits) {
    static const int16_t powers[7] = {25520, 19875, 12055, 4435, 600, 11, 0};
    const int fraction_bits = 15 - integer_bits;
    const int32_t quarter = 1 << (fraction_bits - 2);
    const int32_t modulo = (a & (quarter - 1)) - quarter;
    const int32_t x = tml_clamp16(modulo * (1 << integer_bits)) + (1 << 12);
    const int32_t x2 = tml_high_mul16(x, x);
    const int32_t x3 = tml_high_mul16(x2, x);
    const int32_t x4_over_4 = tml_rounding_shift(tml_high_mul16(x2, x2), 2);
    const int32_t tail = tml_rounding_shift(tml_high_mul16(x4_over_4 + x3, 10923) + x2, 1);
    int32_t result = tml_clamp16(28918 + tml_high_mul16(28918, x + tail));
    const int32_t remainder = modulo - a;
    for (int i = 0; i < 7 && i - 2 < integer_bits; i++) {
        if (remainder & (1 << (fraction_bits + i - 2))) {
            result = tml_high_mul16(result, powers[i]);
        }
    }
    if (integer_bits > 5 && a < -(1 << (20 - integer_bits))) {
        result = 0;
    }
    return a == 0 ? INT16_MAX : result;
}

/* 2 / (1 + x) of a Q0.15 number in [0, 1], as Q2.13, by three steps of Newton and Raphson. */
TML_INLINE int32_t tml_two_over_one_plus16(int32_t x) {
    const int32_t half_denominator = (x + INT16_MAX + 1) / 2;
    int32_t y = 23130 + tml_high_mul16(half_denominator, -15420);
    for (int i = 0; i < 3; i++) {
        y += tml_clamp16(tml_high_mul16(y, (1 << 13) - tml_high_mul16(half_denominator, y)) * 4);
    }
    return y;
}

/* Logistic function of Q3.12, as Q0.15. */
TML_INLINE int32_t tml_logistic16(int32_t a) {
    if (a == 0) {
        return 1 << 14;
    }
    const int32_t positive = tml_clamp16(tml_two_over_one_plus16(tml_exp16(a > 0 ? -a : a, 3)) * 2);
    return a > 0 ? positive : INT16_MAX - positive;
}

/* Hyperbolic tangent of a number with so many integer bits, as Q0.15. */
TML_INLINE int32_t tml_tanh16(int32_t a, int integer_bits) {
    if (a == 0) {
        return 0;
    }
    const int32_t two_over = tml_two_over_one_plus16(tml_exp16(a > 0 ? -a : a, integer_bits + 1));
    const int32_t positive = tml_clamp16((two_over - (1 << 13)) * 4);
    return a > 0 ? positive : -positive;
}

/* What goes into a gate's activation, of the sums over the inputs and over the state. */
TML_INLINE int16_t tml_lstm_sum(int32_t from_input, int32_t from_state, const int32_t *scale,
                                const int32_t *recurrent_scale) {
    const int32_t sum = tml_clamp16(tml_multiply(from_input, scale[0], scale[1], scale[1]));
    return (int16_t)tml_clamp16(
        tml_wrap_add(tml_multiply(from_state, recurrent_scale[0], recurrent_scale[1], recurrent_scale[1]), sum));
}

TML_INLINE void tml_lstm_gate(const int8_t *x, const int8_t *state, int16_t *gate, const int8_t *weights,
                              const int8_t *recurrent, const int32_t *bias, const int32_t *recurrent_bias, int inputs,
                              int cells, const int32_t *scale, const int32_t *recurrent_scale) {
    for (int cell = 0; cell < cells; cell++) {
        const int32_t from_input = tml_wrap_add(tml_dot(x, weights + cell * inputs, inputs), bias[cell]);
        const int32_t from_state = tml_wrap_add(tml_dot(state, recurrent + cell * cells, cells), recurrent_bias[cell]);
        gate[cell] = tml_lstm_sum(from_input, from_state, scale, recurrent_scale);
    }
}

/* The new cells, and of them the output and the new state. */
TML_INLINE void tml_lstm_cells(const int16_t *gates, int8_t *output, int8_t *state, int16_t *cells_state, int cells,
                               int cell_power, int cell_clip, int32_t hidden_multiplier, int hidden_shift,
                               int hidden_zero_point) {
    for (int i = 0; i < cells; i++) {
        const int32_t input_gate = tml_logistic16(gates[i]);
        const int32_t forget_gate = tml_logistic16(gates[cells + i]);
        const int32_t cell_gate = tml_tanh16(gates[2 * cells + i], 3);
        const int32_t output_gate = tml_logistic16(gates[3 * cells + i]);
        const int32_t kept = (int16_t)tml_rounding_shift(forget_gate * cells_state[i], 15);
        const int32_t added = (int16_t)tml_rounding_shift(input_gate * cell_gate, 30 + cell_power);
        int32_t cell = tml_clamp16(kept + added);
        if (cell_clip > 0) {
            cell = tml_clamp_int(cell, -cell_clip, cell_clip);
        }
        cells_state[i] = (int16_t)cell;
        output[i] = tml_requantize(output_gate * tml_tanh16(cell, 15 + cell_power), hidden_multiplier, hidden_shift,
                                   hidden_shift, hidden_zero_point, INT8_MIN, INT8_MAX);
    }
    memcpy(state, output, (size_t)cells);
}

TML_INLINE void tml_lstm(const int8_t *input, int8_t *output, int8_t *state, int16_t *cells_state, void *scratch,
                         const int8_t *weights, const int8_t *recurrent, const int32_t *bias,
                         const int32_t *recurrent_bias, const int32_t *scales, const int32_t *recurrent_scales,
                         int steps, int inputs, int cells, int cell_power, int cell_clip, int32_t hidden_multiplier,
                         int hidden_shift, int hidden_zero_point) {
    int16_t *gates = (int16_t *)scratch;
    for (int step = 0; step < steps; step++) {
        for (int gate = 0; gate < 4; gate++) {
            tml_lstm_gate(input, state, gates + gate * cells, weights + gate * cells * inputs,
                          recurrent + gate * cells * cells, bias + gate * cells, recurrent_bias + gate * cells, inputs,
                          cells, scales + 2 * gate, recurrent_scales + 2 * gate);
        }
        tml_lstm_cells(gates, output, state, cells_state, cells, cell_power, cell_clip, hidden_multiplier,
                       hidden_shift, hidden_zero_point);
        input += inputs;
        output += cells;
    }
}

#endif
