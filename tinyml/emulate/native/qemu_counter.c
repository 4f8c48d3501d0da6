/* Counts how often each basic block runs in each step of the network, as a TCG plugin for QEMU.
 *
 * spec=FILE lists what to watch, one a line: "invoke START END", "return ADDRESS", "step ADDRESS",
 * "body START END" (functions that count for network_invoke itself), "calls N". When
 * network_invoke returns for the N-th time, out=FILE is written, a line for each block and step that ran it: the step's number (0 for
 * network_invoke itself), address, bytes, how often it ran, how often the block behind it ran next. */
#include "qemu_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { INVOKE = 0, FIRST_STEP = 1, MAX_RETURNS = 64, MAX_BODIES = 512 };
enum role { PLAIN, ENTRY, BODY, RETURN, STEP };

struct use {
    struct use *other_step, *older;
    uint64_t address, bytes, hits, fell_through;
    size_t step;
};

struct block {
    struct use *uses;
    uint64_t address, bytes;
    enum role role;
    size_t step;
};

static uint64_t invoke_start, invoke_end, returns[MAX_RETURNS], *steps;
static uint64_t bodies[MAX_BODIES][2];
static size_t step_count, return_count, body_count, current;
static struct use *all, *previous;
static int counting, finished;
static unsigned long long calls_left = 1;
static char out_path[4096];

static void write_out(void) {
    FILE *file = fopen(out_path, "w");
    if (file == NULL) return;
    for (const struct use *u = all; u != NULL; u = u->older)
        fprintf(file, "%zu %llu %llu %llu %llu\n", u->step, (unsigned long long)u->address, (unsigned long long)u->bytes,
                (unsigned long long)u->hits, (unsigned long long)u->fell_through);
    fclose(file);
}

static void on_block(unsigned cpu, void *data) {
    struct block *block = data;
    struct use *use;
    (void)cpu;
    if (finished) return;
    if (!counting) {
        if (block->role != ENTRY) return;
        counting = 1;
        current = INVOKE;
    } else if (block->role == RETURN) {
        counting = 0;
        previous = NULL;
        if (--calls_left != 0) return;
        finished = 1;
        write_out();
        return;
    } else if (block->role == STEP) {
        current = FIRST_STEP + block->step;
    } else if (block->role != PLAIN) {
        current = INVOKE;
    }
    if (previous != NULL) previous->fell_through += previous->address + previous->bytes == block->address;
    for (use = block->uses; use != NULL && use->step != current;) use = use->other_step;
    if (use == NULL) {
        use = calloc(1, sizeof *use);
        if (use == NULL) abort();
        use->address = block->address;
        use->bytes = block->bytes;
        use->step = current;
        use->other_step = block->uses;
        use->older = all;
        block->uses = all = use;
    }
    ++use->hits;
    previous = use;
}

/* QEMU 7.2 says 4 of a halfword instruction at the end of a page, so the size of the last one is read off its code. */
static uint64_t bytes_of(struct qemu_plugin_tb *tb) {
    const size_t count = qemu_plugin_tb_n_insns(tb);
    if (count == 0) return 0;
    const struct qemu_plugin_insn *const last = qemu_plugin_tb_get_insn(tb, count - 1);
    const unsigned char *const code = qemu_plugin_insn_data(last);
    const int is_wide = (code[1] & 0xE0) == 0xE0 && (code[1] & 0x18) != 0;
    return qemu_plugin_insn_vaddr(last) - qemu_plugin_tb_vaddr(tb) + (is_wide ? 4 : 2);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    struct block *block = calloc(1, sizeof *block);
    (void)id;
    if (block == NULL) abort();
    block->address = qemu_plugin_tb_vaddr(tb);
    block->bytes = bytes_of(tb);
    if (block->address >= invoke_start && block->address < invoke_end)
        block->role = block->address == invoke_start ? ENTRY : BODY;
    for (size_t k = 0; k < body_count; ++k)
        if (block->address >= bodies[k][0] && block->address < bodies[k][1]) block->role = BODY;
    for (size_t k = 0; k < return_count; ++k)
        if (block->address == returns[k]) block->role = RETURN;
    for (size_t k = 0; k < step_count; ++k)
        if (block->address == steps[k]) {
            block->role = STEP;
            block->step = k;
        }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, block);
}

static int read_spec(const char *path) {
    char line[256];
    unsigned long long a, b;
    size_t room = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) return -1;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "invoke %llx %llx", &a, &b) == 2) {
            invoke_start = a;
            invoke_end = b;
        } else if (sscanf(line, "body %llx %llx", &a, &b) == 2 && body_count < MAX_BODIES) {
            bodies[body_count][0] = a;
            bodies[body_count++][1] = b;
        } else if (sscanf(line, "calls %llu", &a) == 1) {
            calls_left = a;
        } else if (sscanf(line, "return %llx", &a) == 1 && return_count < MAX_RETURNS) {
            returns[return_count++] = a;
        } else if (sscanf(line, "step %llx", &a) == 1) {
            if (step_count == room) {
                room = 2 * room + 64;
                steps = realloc(steps, room * sizeof *steps);
                if (steps == NULL) return -1;
            }
            steps[step_count++] = a;
        }
    }
    fclose(file);
    return 0;
}

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                                               char **argv) {
    const char *spec = NULL;
    (void)info;
    for (int i = 0; i < argc; ++i) {
        if (strncmp(argv[i], "spec=", 5) == 0) spec = argv[i] + 5;
        if (strncmp(argv[i], "out=", 4) == 0) snprintf(out_path, sizeof out_path, "%s", argv[i] + 4);
    }
    if (spec == NULL || read_spec(spec) != 0) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    return 0;
}
