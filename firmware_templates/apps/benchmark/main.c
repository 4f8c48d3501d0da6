/* Runs the network and reports. One image for emulator and board: where a semihosting host has a file of inputs, the
 * outputs go to another; else the network runs on built-in inputs, and results and times go to the console, which is
 * the serial line of a board alone, one JSON object a line. */
#include <stdint.h>

#include "app_config.h"
#include "network.h"
#include "tml_clock.h"
#include "tml_console.h"
#include "tml_cycles.h"
#include "tml_proof.h"
#include "tml_stack.h"

static const uint32_t input_bytes[APP_INPUT_COUNT] = APP_INPUT_BYTES;
static const uint32_t output_bytes[APP_OUTPUT_COUNT] = APP_OUTPUT_BYTES;

/* Built-in inputs: a ramp in steps of 31, all smallest values, all largest values. */
static uint8_t pattern(uint32_t which, uint32_t index) {
    if (which == 0) return (uint8_t)(index * 31u - 128u);
    return which == 1 ? 0x80u : 0x7Fu;
}

/* FNV-1a over an output, so that runs can be compared without printing all of it. */
static uint32_t fnv1a(uint32_t hash, const uint8_t *data, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; ++i) hash = (hash ^ data[i]) * 16777619u;
    return hash;
}

static void report(uint32_t n, uint32_t cycles) {
    uint32_t hash = 2166136261u;
    for (int i = 0; i < APP_OUTPUT_COUNT; ++i) hash = fnv1a(hash, (const uint8_t *)network_output(i), output_bytes[i]);
    tml_print("{\"event\":\"result\"");
    tml_print_field("input", n);
    tml_print_field("cycles", cycles);
    tml_print_field("us", (uint32_t)((uint64_t)cycles * 1000000u / tml_core_hz()));
    tml_print(",\"hash\":\"");
    tml_print_hex(hash);
    tml_print("\",\"output\":[");
    const int8_t *const output = (const int8_t *)network_output(0);
    for (uint32_t i = 0; i < output_bytes[0] && i < APP_PRINTED_VALUES; ++i) {
        if (i > 0) tml_print(",");
        tml_print_i32(output[i]);
    }
    tml_print("]}\n");
}

/* Cycles of one inference on a built-in input. */
static uint32_t run_pattern(uint32_t n) {
    uint32_t cycles = 0;
#ifdef NETWORK_FED_BY_ROWS
    for (uint32_t at = 0; at < input_bytes[0];) {
        uint8_t *const row = (uint8_t *)network_row();
        for (uint32_t k = 0; k < NETWORK_ROW_BYTES; ++k) row[k] = pattern(n, at++);
        const uint32_t start = tml_cycles();
        network_invoke();
        cycles += tml_cycles() - start;
    }
#else
    for (int i = 0; i < APP_INPUT_COUNT; ++i) {
        uint8_t *const input = (uint8_t *)network_input(i);
        for (uint32_t k = 0; k < input_bytes[i]; ++k) input[k] = pattern(n, k);
    }
    const uint32_t start = tml_cycles();
    network_invoke();
    cycles = tml_cycles() - start;
#endif
    return cycles;
}

static void run_built_in_inputs(void) {
    uint32_t stack_bytes = 0;
    tml_print("{\"event\":\"start\",\"model\":" APP_MODEL_JSON);
    tml_print_field("core_hz", tml_core_hz());
    tml_print_field("arena_bytes", NETWORK_ARENA_BYTES);
    tml_print("}\n");
    tml_cycles_init();
    for (uint32_t n = 0; n < 3; ++n) {
        if (n == 0) tml_stack_paint();
        const uint32_t cycles = run_pattern(n);
        if (n == 0) stack_bytes = tml_stack_used_bytes();
        report(n, cycles);
    }
    tml_print("{\"event\":\"done\"");
    tml_print_field("inputs", 3);
    tml_print_field("stack_used_bytes", stack_bytes);
    tml_print("}\n");
}

int main(void) {
    int exit_code = 0;
    tml_console_init();
    if (!tml_proof(&exit_code)) run_built_in_inputs();
    return exit_code;
}
