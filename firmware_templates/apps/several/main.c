/* Runs several networks in turn, each in the arena that they share. One image for emulator and board: where a semihosting
 * host has a file of inputs, one round of all networks after the other, the outputs go to another; else they run on
 * built-in inputs, and times and hashes of the outputs go to the console, one JSON object a line. */
#include <stdbool.h>
#include <stdint.h>

#include "app_config.h"
#include "networks.h"
#include "tml_clock.h"
#include "tml_console.h"
#include "tml_cycles.h"
#include "tml_semihosting.h"
#include "tml_stack.h"

enum { EXIT_OK = 0, EXIT_SHORT_INPUT = 4, EXIT_NO_OUTPUT = 5, BUILT_IN_ROUNDS = 3 };

static uint32_t round_bytes(void) {
    uint32_t total = 0;
    for (int n = 0; n < NETWORKS_COUNT; ++n) {
        for (int i = 0; i < networks_input_count(n); ++i) total += networks_input_bytes(n, i);
    }
    return total;
}

static int run_round(int input_file, int output_file) {
    for (int n = 0; n < NETWORKS_COUNT; ++n) {
        for (int i = 0; i < networks_input_count(n); ++i) {
            if (!tml_host_read(input_file, networks_input(n, i), networks_input_bytes(n, i))) return EXIT_SHORT_INPUT;
        }
        networks_invoke(n);
        for (int i = 0; i < networks_output_count(n); ++i) {
            if (!tml_host_write(output_file, networks_output(n, i), networks_output_bytes(n, i))) return EXIT_NO_OUTPUT;
        }
    }
    return EXIT_OK;
}

static int run_files(int input_file) {
    const int output_file = tml_host_open("tml_outputs.bin", TML_FILE_WRITE);
    if (output_file < 0) return EXIT_NO_OUTPUT;
    const uint32_t file_bytes = (uint32_t)tml_host_file_bytes(input_file);
    if (file_bytes % round_bytes() != 0) return EXIT_SHORT_INPUT;
    const uint32_t rounds = file_bytes / round_bytes();
    uint32_t stack_bytes = 0;
    for (uint32_t k = 0; k < rounds; ++k) {
        if (k == 0) tml_stack_paint();
        const int failed = run_round(input_file, output_file);
        if (failed) return failed;
        if (k == 0) stack_bytes = tml_stack_used_bytes();
    }
    tml_host_close(input_file);
    tml_host_close(output_file);
    tml_print("{\"event\":\"done\"");
    tml_print_field("inputs", rounds);
    tml_print_field("stack_used_bytes", stack_bytes);
    tml_print("}\n");
    return EXIT_OK;
}

/* Built-in inputs: a ramp in steps of 31, all smallest values, all largest values. */
static uint8_t pattern(uint32_t which, uint32_t index) {
    if (which == 0) return (uint8_t)(index * 31u - 128u);
    return which == 1 ? 0x80u : 0x7Fu;
}

/* FNV-1a over all outputs, so that runs can be compared without printing them. */
static uint32_t hash_of_outputs(int n) {
    uint32_t hash = 2166136261u;
    for (int i = 0; i < networks_output_count(n); ++i) {
        const uint8_t *const output = (const uint8_t *)networks_output(n, i);
        for (uint32_t k = 0; k < networks_output_bytes(n, i); ++k) hash = (hash ^ output[k]) * 16777619u;
    }
    return hash;
}

static void run_built_in_inputs(void) {
    tml_print("{\"event\":\"start\",\"model\":" APP_MODEL_JSON);
    tml_print_field("core_hz", tml_core_hz());
    tml_print_field("arena_bytes", NETWORKS_ARENA_BYTES);
    tml_print("}\n");
    tml_cycles_init();
    for (uint32_t which = 0; which < BUILT_IN_ROUNDS; ++which) {
        for (int n = 0; n < NETWORKS_COUNT; ++n) {
            for (int i = 0; i < networks_input_count(n); ++i) {
                uint8_t *const input = (uint8_t *)networks_input(n, i);
                for (uint32_t k = 0; k < networks_input_bytes(n, i); ++k) input[k] = pattern(which, k);
            }
            const uint32_t start = tml_cycles();
            networks_invoke(n);
            const uint32_t cycles = tml_cycles() - start;
            tml_print("{\"event\":\"result\"");
            tml_print_field("network", (uint32_t)n);
            tml_print_field("input", which);
            tml_print_field("cycles", cycles);
            tml_print_field("us", (uint32_t)((uint64_t)cycles * 1000000u / tml_core_hz()));
            tml_print(",\"hash\":\"");
            tml_print_hex(hash_of_outputs(n));
            tml_print("\"}\n");
        }
    }
    tml_print("{\"event\":\"done\"");
    tml_print_field("inputs", BUILT_IN_ROUNDS);
    tml_print("}\n");
}

int main(void) {
    tml_console_init();
    if (tml_host_present()) {
        const int input_file = tml_host_open("tml_inputs.bin", TML_FILE_READ);
        if (input_file >= 0) return run_files(input_file);
    }
    run_built_in_inputs();
    return EXIT_OK;
}
