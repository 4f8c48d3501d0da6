/* Counts executed instructions per step of the network, as a TCG plugin for QEMU.
 *
 * spec=FILE lists what to watch, one a line: "invoke START END", "return ADDRESS", "step ADDRESS". When network_invoke
 * returns for the first time, out=FILE is written: the instructions of network_invoke itself, then of each step. */
#include "qemu_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

enum { INVOKE = 0, FIRST_STEP = 1, MAX_RETURNS = 64 };

static uint64_t executed, mark;
static uint64_t invoke_start, invoke_end, returns[MAX_RETURNS], *steps, *counts;
static size_t step_count, return_count, current;
static int counting, finished;
static char out_path[4096];

static void switch_to(size_t slot) {
    counts[current] += executed - mark;
    mark = executed;
    current = slot;
}

static void on_invoke_entry(unsigned cpu, void *data) {
    (void)cpu, (void)data;
    if (finished || counting) return;
    counting = 1;
    mark = executed;
    current = INVOKE;
}

static void on_invoke_body(unsigned cpu, void *data) {
    (void)cpu, (void)data;
    if (counting && current != INVOKE) switch_to(INVOKE);
}

static void on_step(unsigned cpu, void *data) {
    (void)cpu;
    if (counting) switch_to(FIRST_STEP + (size_t)(uintptr_t)data);
}

static void on_return(unsigned cpu, void *data) {
    FILE *file;
    (void)cpu, (void)data;
    if (!counting) return;
    switch_to(INVOKE);
    counting = 0;
    finished = 1;
    file = fopen(out_path, "w");
    if (file == NULL) return;
    for (size_t i = 0; i < FIRST_STEP + step_count; ++i) fprintf(file, "%llu\n", (unsigned long long)counts[i]);
    fclose(file);
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    for (size_t i = 0, n = qemu_plugin_tb_n_insns(tb); i < n; ++i) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint64_t pc = qemu_plugin_insn_vaddr(insn);
        if (pc == invoke_start)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_invoke_entry, QEMU_PLUGIN_CB_NO_REGS, NULL);
        else if (pc > invoke_start && pc < invoke_end)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_invoke_body, QEMU_PLUGIN_CB_NO_REGS, NULL);
        for (size_t k = 0; k < return_count; ++k)
            if (pc == returns[k]) qemu_plugin_register_vcpu_insn_exec_cb(insn, on_return, QEMU_PLUGIN_CB_NO_REGS, NULL);
        for (size_t k = 0; k < step_count; ++k)
            if (pc == steps[k])
                qemu_plugin_register_vcpu_insn_exec_cb(insn, on_step, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)k);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &executed, 1);
    }
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
    counts = calloc(FIRST_STEP + step_count, sizeof *counts);
    return counts == NULL ? -1 : 0;
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
