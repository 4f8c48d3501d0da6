#include "mlperf_network.h"

#include <string.h>

#include "mlperf_print.h"
#include "network.h"

/* How the host sends an input, and what a result is (mlcommons/tiny, the reference implementation of each benchmark):
 * RAW    the tensor's own bytes
 * CODES  int8 in the quantisation of the benchmark's model, through a table into this model's
 * IMAGE  uint8 brightnesses, which the network takes less 128
 * FLOAT  float32, little-endian, quantised here; the result is the mean square of the network's error, where
 *        APP_MLPERF_ERROR is 1 */
enum { FEED_RAW = 0, FEED_CODES = 1, FEED_IMAGE = 2, FEED_FLOAT = 3 };
enum { TYPE_INT8, TYPE_UINT8, TYPE_INT16, TYPE_INT32, TYPE_FLOAT32 };

typedef struct {
    uint8_t type;
    uint32_t elements;
    float scale;
    int32_t zero_point;
} tensor_format;

#ifndef NETWORK_FED_BY_ROWS
static const uint32_t input_bytes[APP_INPUT_COUNT] = APP_INPUT_BYTES;
#endif
static const tensor_format outputs[APP_OUTPUT_COUNT] = APP_MLPERF_OUTPUTS;

uint8_t mlperf_buffer[APP_MLPERF_BUFFER_BYTES] __attribute__((aligned(8)));

#if APP_MLPERF_FEED == 1
static const int8_t codes[256] = APP_MLPERF_CODES; /* by the byte that was sent, as unsigned */
#endif
#if APP_MLPERF_FEED == 3
static int8_t quantised[APP_MLPERF_BUFFER_BYTES / 4] __attribute__((aligned(4)));
#endif
#if APP_MLPERF_ERROR
static float mean_square;
#endif

#if APP_MLPERF_FEED != 1
/* Copies with every word exclusive-or `flip`: what the C library of a small system copies by bytes. */
static void copy_words(uint8_t *to, const uint8_t *from, uint32_t bytes, uint32_t flip) {
    uint32_t i = 0;
    for (; i + 4u <= bytes; i += 4u) {
        uint32_t word;
        memcpy(&word, from + i, 4);
        word ^= flip;
        memcpy(to + i, &word, 4);
    }
    for (; i < bytes; ++i) to[i] = (uint8_t)(from[i] ^ (uint8_t)flip);
}
#endif

#if APP_MLPERF_FEED == 3
/* round(value / scale) + zero point, halves away from zero, in the range of int8; what is no number counts as zero. */
static int8_t quantise(float value) {
    const float steps = value / NETWORK_INPUT_0_SCALE;
    if (!(steps > -512.0f && steps < 512.0f)) {
        if (steps > 0.0f) return 127;
        if (steps < 0.0f) return -128;
        return (int8_t)(NETWORK_INPUT_0_ZERO_POINT);
    }
    int32_t whole = (int32_t)steps;
    const float rest = steps - (float)whole;
    if (rest >= 0.5f) ++whole;
    if (rest <= -0.5f) --whole;
    whole += NETWORK_INPUT_0_ZERO_POINT;
    return (int8_t)(whole < -128 ? -128 : whole > 127 ? 127 : whole);
}
#endif

void mlperf_prepare(void) {
#if APP_MLPERF_FEED == 3
    for (uint32_t i = 0; i < sizeof quantised; ++i) {
        float value;
        memcpy(&value, mlperf_buffer + 4u * i, 4);
        quantised[i] = quantise(value);
    }
#endif
}

/* Bytes of the network's input from `at` on, in its own form. */
static void put(void *to, uint32_t at, uint32_t bytes) {
#if APP_MLPERF_FEED == 1
    for (uint32_t i = 0; i < bytes; ++i) ((int8_t *)to)[i] = codes[mlperf_buffer[at + i]];
#elif APP_MLPERF_FEED == 3
    copy_words((uint8_t *)to, (const uint8_t *)quantised + at, bytes, 0);
#else
    copy_words((uint8_t *)to, mlperf_buffer + at, bytes, APP_MLPERF_FEED == FEED_IMAGE ? 0x80808080u : 0u);
#endif
}

/* The input is written for each inference, as the network's memory is used again during one. */
void mlperf_infer(void) {
#ifdef NETWORK_FED_BY_ROWS
    for (uint32_t row = 0; row < NETWORK_INPUT_ROWS; ++row) {
        put(network_row(), row * NETWORK_ROW_BYTES, NETWORK_ROW_BYTES);
        network_invoke();
    }
#else
    for (uint32_t i = 0, at = 0; i < APP_INPUT_COUNT; at += input_bytes[i], ++i) put(network_input((int)i), at, input_bytes[i]);
    network_invoke();
#endif
}

static float real(const tensor_format *format, const uint8_t *data, uint32_t index) {
    int32_t value = 0;
    if (format->type == TYPE_INT8) value = (int8_t)data[index];
    if (format->type == TYPE_UINT8) value = data[index];
    if (format->type == TYPE_INT16) {
        int16_t narrow;
        memcpy(&narrow, data + 2u * index, 2);
        value = narrow;
    }
    if (format->type == TYPE_INT32) memcpy(&value, data + 4u * index, 4);
    if (format->type == TYPE_FLOAT32) {
        float exact;
        memcpy(&exact, data + 4u * index, 4);
        return exact;
    }
    return (float)(value - format->zero_point) * format->scale;
}

void mlperf_conclude(void) {
#if APP_MLPERF_ERROR
    const uint8_t *const output = (const uint8_t *)network_output(0);
    float sum = 0.0f;
    for (uint32_t i = 0; i < outputs[0].elements; ++i) {
        float sent;
        memcpy(&sent, mlperf_buffer + 4u * i, 4);
        const float difference = real(&outputs[0], output, i) - sent;
        sum += difference * difference;
    }
    mean_square = sum / (float)outputs[0].elements;
#endif
}

void mlperf_print_results(void) {
    mlperf_print("m-results-[");
#if APP_MLPERF_ERROR
    mlperf_print_float(mean_square);
#else
    for (int i = 0; i < APP_OUTPUT_COUNT; ++i) {
        const uint8_t *const output = (const uint8_t *)network_output(i);
        for (uint32_t k = 0; k < outputs[i].elements; ++k) {
            if (i + (int)k > 0) mlperf_print(",");
            mlperf_print_float(real(&outputs[i], output, k));
        }
    }
#endif
    mlperf_print("]\r\n");
}
