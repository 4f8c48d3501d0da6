#include "tml_proof.h"

#include <stdbool.h>
#include <stdint.h>

#include "app_config.h"
#include "network.h"
#include "tml_console.h"
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

/* One inference on the next input of the file. */
static bool run_next(int input_file) {
#ifdef NETWORK_STATE_BYTES
    network_reset(); /* The reference takes each input for a first one. */
#endif
#ifdef NETWORK_FED_BY_ROWS
    for (uint32_t row = 0; row < NETWORK_INPUT_ROWS; ++row) {
        if (!tml_host_read(input_file, network_row(), NETWORK_ROW_BYTES)) return false;
        network_invoke();
    }
#else
    for (int i = 0; i < APP_INPUT_COUNT; ++i) {
        if (!tml_host_read(input_file, network_input(i), input_bytes[i])) return false;
    }
    network_invoke();
#endif
    return true;
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
        if (n == 0) tml_stack_paint();
        if (!run_next(input_file)) return EXIT_SHORT_INPUT;
        if (n == 0) stack_bytes = tml_stack_used_bytes();
        for (int i = 0; i < APP_OUTPUT_COUNT; ++i) {
            if (!tml_host_write(output_file, network_output(i), output_bytes[i])) return EXIT_NO_OUTPUT;
        }
    }
    tml_host_close(input_file);
    tml_host_close(output_file);
    tml_print("{\"event\":\"done\"");
    tml_print_field("inputs", count);
    tml_print_field("stack_used_bytes", stack_bytes);
    tml_print("}\n");
    return EXIT_OK;
}

bool tml_proof(int *exit_code) {
    if (!tml_host_present()) return false;
    const int input_file = tml_host_open("tml_inputs.bin", TML_FILE_READ);
    if (input_file < 0) return false;
    *exit_code = run_files(input_file);
    return true;
}
