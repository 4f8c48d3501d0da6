/* Runs the network and reports. One image for emulator and board: where a semihosting host has a file of inputs, the
 * outputs go to another; else the network runs on built-in inputs, and results and times go to the console, which is
 * the serial line of a board alone, one JSON object a line. */
#include <stdbool.h>
#include <stdint.h>

#include "app_config.h"
#include "network.h"
#include "tml_console.h"
#include "tml_cycles.h"
#include "tml_semihosting.h"
#include "tml_stack.h"

enum { EXIT_OK = 0, EXIT_SHORT_INPUT = 4, EXIT_NO_OUTPUT = 5 };

static const uint32_t input_bytes[APP_INPUT_COUNT] = APP_INPUT_BYTES;
static const uint32_t output_bytes[APP_OUTPUT_COUNT] = APP_OUTPUT_BYTES;

static uint32_t sum(const uint32_t *values, int count) {
    uint32_t total = 0;
    for (int i = 0; i < count; ++i) total += values[i];
    return total;
}

#if defined(TML_TRACE) && TML_TRACE
/* The trace file: for every tensor its index in the model's file, its size, its bytes, in the order of computation. */
static int trace_file = -1;

void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes);

void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes) {
    const uint32_t header[2] = {source_tensor, bytes};
    if (trace_file < 0) return;
    if (!tml_host_write(trace_file, header, sizeof header) || !tml_host_write(trace_file, data, bytes)) tml_exit(EXIT_NO_OUTPUT);
}

static void trace_begin_input(uint32_t input) {
    const uint32_t header[2] = {0xFFFFFFFFu, input};
    if (trace_file < 0) trace_file = tml_host_open("tml_trace.bin", TML_FILE_WRITE);
    if (trace_file < 0 || !tml_host_write(trace_file, header, sizeof header)) tml_exit(EXIT_NO_OUTPUT);
}
#else
static void trace_begin_input(uint32_t input) { (void)input; }
#endif

static void print_field(const char *name, uint32_t value) {
    tml_print(",\"");
    tml_print(name);
    tml_print("\":");
    tml_print_u32(value);
}

static int run_files(int input_file) {
    const int output_file = tml_host_open("tml_outputs.bin", TML_FILE_WRITE);
    if (output_file < 0) return EXIT_NO_OUTPUT;
    const uint32_t file_bytes = (uint32_t)tml_host_file_bytes(input_file);
    const uint32_t one_input = sum(input_bytes, APP_INPUT_COUNT);
    if (one_input == 0 || file_bytes % one_input != 0) return EXIT_SHORT_INPUT;
    const uint32_t count = file_bytes / one_input;
    uint32_t stack_bytes = 0;
    for (uint32_t n = 0; n < count; ++n) {
        trace_begin_input(n);
        for (int i = 0; i < APP_INPUT_COUNT; ++i) {
            if (!tml_host_read(input_file, network_input(i), input_bytes[i])) return EXIT_SHORT_INPUT;
        }
        if (n == 0) tml_stack_paint();
        network_invoke();
        if (n == 0) stack_bytes = tml_stack_used_bytes();
        for (int i = 0; i < APP_OUTPUT_COUNT; ++i) {
            if (!tml_host_write(output_file, network_output(i), output_bytes[i])) return EXIT_NO_OUTPUT;
        }
    }
    tml_host_close(input_file);
    tml_host_close(output_file);
    tml_print("{\"event\":\"done\"");
    print_field("inputs", count);
    print_field("stack_used_bytes", stack_bytes);
    tml_print("}\n");
    return EXIT_OK;
}

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
    print_field("input", n);
    print_field("cycles", cycles);
    print_field("us", (uint32_t)((uint64_t)cycles * 1000000u / TML_CORE_HZ));
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

static void run_built_in_inputs(void) {
    uint32_t stack_bytes = 0;
    tml_print("{\"event\":\"start\",\"model\":" APP_MODEL_JSON);
    print_field("core_hz", TML_CORE_HZ);
    print_field("arena_bytes", NETWORK_ARENA_BYTES);
    tml_print("}\n");
    tml_cycles_init();
    for (uint32_t n = 0; n < 3; ++n) {
        for (int i = 0; i < APP_INPUT_COUNT; ++i) {
            uint8_t *const input = (uint8_t *)network_input(i);
            for (uint32_t k = 0; k < input_bytes[i]; ++k) input[k] = pattern(n, k);
        }
        if (n == 0) tml_stack_paint();
        const uint32_t start = tml_cycles();
        network_invoke();
        const uint32_t cycles = tml_cycles() - start;
        if (n == 0) stack_bytes = tml_stack_used_bytes();
        report(n, cycles);
    }
    tml_print("{\"event\":\"done\"");
    print_field("inputs", 3);
    print_field("stack_used_bytes", stack_bytes);
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
