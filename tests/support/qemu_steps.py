"""Runs lowered steps on their own on a Cortex-M55 in QEMU, for which Unicorn has no model: all of them in one image.

The image reads the inputs of every run from a file and writes the outputs to another one by semihosting. It leaves
with 1 where a step wrote outside of its buffers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.support.core_build import compile_core
from tests.support.shared import require_tool
from tests.support.step_build import GUARD, GUARD_BYTES, Array, Case, buffer_sizes, output_name, step_source

CORE, MACHINE = "cortex-m55", "mps3-an547"
_INPUTS, _OUTPUTS = "inputs.bin", "outputs.bin"
_TIMEOUT_S = 300

_START = """
#include <stdint.h>
#include <string.h>
static uint8_t stack[65536] __attribute__((aligned(16)));
static int host(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}
static void leave(uint32_t code) {
    const uint32_t block[2] = {0x20026, code};
    host(0x20, block);
}
static int open_file(const char *name, uint32_t length, uint32_t mode) {
    const uintptr_t block[3] = {(uintptr_t)name, mode, length};
    return host(1, block);
}
static int in_file, out_file;
static void transfer(int operation, int file, void *data, uint32_t bytes) {
    const uintptr_t block[3] = {(uintptr_t)file, (uintptr_t)data, bytes};
    if (bytes != 0 && host(operation, block) != 0) leave(3);
}
__attribute__((unused)) static void guard(uint8_t *buffer, uint32_t bytes) {
    memset(buffer, %(guard)d, bytes + 2 * %(guard_bytes)d);
}
__attribute__((unused)) static void check(const uint8_t *buffer, uint32_t bytes) {
    for (int i = 0; i < %(guard_bytes)d; i++) {
        if (buffer[i] != %(guard)d || buffer[%(guard_bytes)d + bytes + i] != %(guard)d) leave(1);
    }
}
void all_steps(void);
__attribute__((used)) static void fault(void) { leave(2); }
__attribute__((used)) static void begin(void) {
    *(volatile uint32_t *)0xE000ED88 = 0x00F00000;
    __asm__ volatile("dsb\\n isb");
    in_file = open_file("%(inputs)s", sizeof "%(inputs)s" - 1, 1);
    out_file = open_file("%(outputs)s", sizeof "%(outputs)s" - 1, 5);
    if (in_file < 0 || out_file < 0) leave(4);
    all_steps();
    leave(0);
}
__attribute__((naked, used)) void start(void) {
    __asm__ volatile("msr msp, %%0\\n b begin" : : "r"(stack + sizeof stack));
}
__attribute__((section(".text.entry"), used)) static void (*const vectors[15])(void) = {
    start, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault};
"""


def start_code() -> str:
    """C from the vectors to ``all_steps``, with ``transfer(operation, file, data, bytes)``: 5 writes, 6 reads."""
    return _START % {"guard": GUARD, "guard_bytes": GUARD_BYTES, "inputs": _INPUTS, "outputs": _OUTPUTS}


def run_image(elf: Path, inputs: Sequence[Array]) -> bytes:
    """What an image with :func:`start_code` writes to its output file when it reads ``inputs``."""
    qemu, directory = require_tool("qemu-system-arm"), elf.parent
    (directory / _INPUTS).write_bytes(b"".join(array.tobytes() for array in inputs))
    done = subprocess.run(
        [str(qemu), "-M", MACHINE, "-nographic", "-monitor", "none", "-serial", "null",
         "-semihosting-config", "enable=on,target=native", "-kernel", str(elf)],
        cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"QEMU left with {done.returncode}: {done.stderr.decode()[:1000]}"
    return (directory / _OUTPUTS).read_bytes()


def run_in_qemu(
    cases: Sequence[Case],
    inputs: Sequence[Sequence[Sequence[Array]]],
    directory: Path,
    *,
    compiler: str = "gcc",
    optimise: str = "-O2",
) -> list[list[list[Array]]]:
    """The outputs of each case for each of its inputs; fails where a byte outside of the buffers was written."""
    source = "".join(f'#include "{header}"\n' for header in sorted({case.step.header for case in cases}))
    source += start_code()
    source += "".join(step_source(case, f"s{i}_") + _runner(case, i) for i, case in enumerate(cases))
    calls = "".join(f"    for (int n = 0; n < {len(runs)}; n++) case_{i}();\n" for i, runs in enumerate(inputs))
    source += f"void all_steps(void) {{\n{calls}}}\n"
    elf = compile_core(source, CORE, directory, entries=("start",), compiler=compiler, optimise=optimise)
    data, position = run_image(elf, [array for runs in inputs for run in runs for array in run]), 0
    results: list[list[list[Array]]] = []
    for case, runs in zip(cases, inputs, strict=True):
        results.append([])
        for _ in runs:
            outputs: list[Array] = []
            for tensor in case.step.outputs:
                info = case.graph.tensor(tensor)
                content = data[position : position + info.size_bytes]
                outputs.append(np.frombuffer(content, info.dtype.numpy).reshape(info.shape))
                position += info.size_bytes
            results[-1].append(outputs)
    assert position == len(data)
    return results


def _runner(case: Case, index: int) -> str:
    """C of ``case_<index>``: one run of a step between guards."""
    prefix, sizes = f"s{index}_", buffer_sizes(case)
    guards = "".join(f"    guard({prefix}{name}, {size});\n" for name, size in sizes.items())
    checks = "".join(f"    check({prefix}{name}, {size});\n" for name, size in sizes.items())
    reads = "".join(
        f"    transfer(6, in_file, {prefix}in_{i} + {GUARD_BYTES}, {case.graph.tensor(t).size_bytes});\n"
        for i, t in enumerate(case.step.inputs)
    )
    writes = "".join(
        f"    transfer(5, out_file, {prefix}{output_name(case, i)} + {GUARD_BYTES},"
        f" {case.graph.tensor(t).size_bytes});\n"
        for i, t in enumerate(case.step.outputs)
    )
    return f"static void case_{index}(void) {{\n{guards}{reads}    {prefix}run();\n{checks}{writes}}}\n"
