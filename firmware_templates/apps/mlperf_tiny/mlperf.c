#include "mlperf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "app_config.h"
#include "mlperf_network.h"
#include "mlperf_print.h"

enum { DEFAULT_WARMUPS = 10, DUMP_COLUMNS = 8, LARGEST_COUNT = 0x7FFFFFFF };

static char command[MLPERF_COMMAND_CHARACTERS + 1];
static uint32_t command_length; /* beyond MLPERF_COMMAND_CHARACTERS: too long, the rest is dropped */
static uint32_t load_bytes, loaded_bytes;
static bool inferred;

static bool is_space(char c) { return c == ' ' || c == '\r' || c == '\n' || c == '\t' || c == '\0'; }

/* The next word of `*rest`, cut off with a zero; NULL where there is none. */
static char *next_word(char **rest) {
    char *word = *rest;
    while (*word == ' ') ++word;
    if (*word == '\0') {
        *rest = word;
        return NULL;
    }
    char *end = word;
    while (*end != '\0' && *end != ' ') ++end;
    if (*end == ' ') *end++ = '\0';
    *rest = end;
    return word;
}

static bool is_word(const char *word, const char *name) {
    while (*word != '\0' && *word == *name) ++word, ++name;
    return *word == *name;
}

/* As atoi() reads a number: what does not begin with one is 0. Stops at the largest count. */
static int32_t number(const char *text) {
    const bool negative = *text == '-';
    int32_t value = 0;
    if (*text == '-' || *text == '+') ++text;
    for (; *text >= '0' && *text <= '9'; ++text) {
        const int32_t digit = *text - '0';
        value = value > (LARGEST_COUNT - digit) / 10 ? LARGEST_COUNT : value * 10 + digit;
    }
    return negative ? -value : value;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* What the host sent, without bytes that would not be text in its log. */
static void print_quoted(const char *text, uint32_t limit) {
    for (uint32_t i = 0; i < limit && text[i] != '\0'; ++i) {
        const char c = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
        mlperf_send(&c, 1);
    }
}

static void load(char *rest) {
    const char *const word = next_word(&rest);
    load_bytes = loaded_bytes = 0;
    if (word == NULL) {
        mlperf_print("e-[Command 'db load' requires the # of bytes]\r\n");
        return;
    }
    const int32_t bytes = number(word);
    if (bytes <= 0) {
        mlperf_print("e-[Command 'db load' must be >0 bytes]\r\n");
    } else if ((uint32_t)bytes > APP_MLPERF_BUFFER_BYTES) {
        mlperf_print("e-[Supplied buffer size ");
        mlperf_print_u64((uint32_t)bytes);
        mlperf_print(" exceeds maximum of ");
        mlperf_print_u64(APP_MLPERF_BUFFER_BYTES);
        mlperf_print("]\r\n");
    } else {
        memset(mlperf_buffer, 0, APP_MLPERF_BUFFER_BYTES);
        load_bytes = (uint32_t)bytes;
        mlperf_print("m-[Expecting ");
        mlperf_print_u64(load_bytes);
        mlperf_print(" bytes]\r\n");
    }
}

static void store(const char *digits) {
    if ((strlen(digits) & 1u) != 0) {
        mlperf_print("e-[Insufficent number of hex digits]\r\n"); /* spelt as the benchmark's own code does */
        return;
    }
    if (loaded_bytes == load_bytes) {
        mlperf_print("e-[Command 'db' got more bytes than 'db load' announced]\r\n");
        return;
    }
    for (; *digits != '\0'; digits += 2) {
        const int high = hex_digit(digits[0]), low = hex_digit(digits[1]);
        if (high < 0 || low < 0) {
            mlperf_print("e-[Invalid hex digit '");
            print_quoted(digits, 2);
            mlperf_print("']\r\n");
            return;
        }
        mlperf_buffer[loaded_bytes++] = (uint8_t)(high << 4 | low);
        if (loaded_bytes == load_bytes) {
            mlperf_print("m-load-done\r\n"); /* the other digits are of no interest */
            return;
        }
    }
}

static void dump(void) {
    for (uint32_t i = 0; i < load_bytes; ++i) {
        mlperf_print(i % DUMP_COLUMNS == 0 ? "m-buffer-" : "-");
        mlperf_print_hex_byte(mlperf_buffer[i]);
        if (i % DUMP_COLUMNS == DUMP_COLUMNS - 1 || i + 1 == load_bytes) mlperf_print("\r\n");
    }
}

static void db(char *rest) {
    const char *const word = next_word(&rest);
    if (word == NULL) {
        mlperf_print("e-[Command 'db' requires a subcommand]\r\n");
    } else if (is_word(word, "load")) {
        load(rest);
    } else if (is_word(word, "print")) {
        dump();
    } else {
        store(word);
    }
}

static void results(void) {
    if (inferred) {
        mlperf_print_results();
    } else {
        mlperf_print("e-[Command 'results' needs an inference before it]\r\n");
    }
}

static void infer(char *rest) {
    const char *const iterations = next_word(&rest);
    const char *const warmups = next_word(&rest);
    const int32_t count = iterations == NULL ? 1 : number(iterations);
    const int32_t warmup_count = warmups == NULL ? DEFAULT_WARMUPS : number(warmups);
    if (count <= 0) {
        mlperf_print("e-[Inference iterations must be >0]\r\n");
        return;
    }
    if (warmup_count < 0) {
        mlperf_print("e-[Inference warmup must be >=0]\r\n");
        return;
    }
    mlperf_prepare();
    mlperf_print("m-warmup-start-");
    mlperf_print_u64((uint32_t)warmup_count);
    mlperf_print("\r\n");
    for (int32_t i = 0; i < warmup_count; ++i) {
        mlperf_infer();
        mlperf_tick();
    }
    mlperf_print("m-warmup-done\r\nm-infer-start-");
    mlperf_print_u64((uint32_t)count);
    mlperf_print("\r\n");
    mlperf_timestamp();
    for (int32_t i = 0; i < count; ++i) {
        mlperf_infer();
        mlperf_tick();
    }
    mlperf_timestamp();
    mlperf_print("m-infer-done\r\n");
    inferred = true;
    mlperf_conclude();
    results();
}

static void help(void) {
    mlperf_print(
        APP_MLPERF_FIRMWARE
        "\r\n\r\n"
        "help           : this text\r\n"
        "name           : the device's name\r\n"
        "profile        : the benchmark's and the model's name\r\n"
        "timestamp      : a mark of time\r\n"
        "db load N      : expect N bytes\r\n"
        "db HH[HH]*     : bytes in hexadecimal\r\n"
        "db print       : the bytes loaded\r\n"
        "infer N [W=10] : N inferences after W to warm up\r\n"
        "results        : the last results as real numbers\r\n");
}

static void execute(char *text) {
    const char *const word = next_word(&text);
    if (word == NULL) {
        mlperf_print("e-[Unknown command: ]\r\n");
    } else if (is_word(word, "name")) {
        mlperf_print("m-name-dut-[" APP_MLPERF_VENDOR "]\r\n");
    } else if (is_word(word, "profile")) {
        mlperf_print("m-profile-[" APP_MLPERF_FIRMWARE "]\r\nm-model-[" APP_MLPERF_MODEL "]\r\n");
    } else if (is_word(word, "timestamp")) {
        mlperf_timestamp();
    } else if (is_word(word, "db")) {
        db(text);
    } else if (is_word(word, "infer")) {
        infer(text);
    } else if (is_word(word, "results")) {
        results();
    } else if (is_word(word, "help")) {
        help();
    } else {
        mlperf_print("e-[Unknown command: ");
        print_quoted(word, MLPERF_COMMAND_CHARACTERS);
        mlperf_print("]\r\n");
    }
}

void mlperf_begin(void) {
    mlperf_print(APP_MLPERF_ENERGY ? "m-timestamp-mode-energy\r\n" : "m-timestamp-mode-performance\r\n");
    mlperf_print("m-init-done\r\nm-ready\r\n");
}

void mlperf_receive(uint8_t byte) {
    const char c = (char)byte;
    if (c != '%') {
        if (command_length == 0 && is_space(c)) return; /* the end of a line that a person typed */
        if (command_length < MLPERF_COMMAND_CHARACTERS) command[command_length] = c == '\0' ? '?' : c;
        if (command_length <= MLPERF_COMMAND_CHARACTERS) ++command_length;
        return;
    }
    if (command_length > MLPERF_COMMAND_CHARACTERS) {
        mlperf_print("e-[Command longer than 80 characters]\r\n");
    } else {
        while (command_length > 0 && is_space(command[command_length - 1])) --command_length;
        command[command_length] = '\0';
        execute(command);
    }
    command_length = 0;
    mlperf_print("m-ready\r\n");
}
