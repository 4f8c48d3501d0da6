"""Runs generated C with kernels that only say where they are called, and replays the calls over tagged memory.

    events = recorded([Case("a", program, plan)], folder)["a"]
    replay(program, plan, events)        # AssertionError where a call would read a byte that something overwrote

What is replayed are the addresses of the C itself. A byte of the arena carries which byte of which tensor it is; a call
of a step has to find all that it reads, and, unless it works in place or block by block, still after it has written.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.support.host_build import compile_c, host_compiler
from tinyml.codegen import generate
from tinyml.graph.ir import ABSENT
from tinyml.lower.program import Int, Program, Step
from tinyml.paths import templates_dir
from tinyml.plan.planner import Plan

_STEP = re.compile(r"(TML_STEP void \w+_step_(\d+)(?:_last)?\((.*?)\)) \{\n.*?TML_STEP_DONE\(\);\n\}", re.DOTALL)
_KERNELS = re.compile(r'#include "tml_(?!common|rows)\w+\.h"\n|TML_SHARED void \w+\(.*?\) \{\n.*?\n\}\n', re.DOTALL)
_HEAD = """
#include <stdint.h>
#include <stdio.h>
const uint8_t *row_base;
void row_moved(const void *to, long distance, long bytes) {
    printf("M %ld %ld %ld\\n", (long)((const uint8_t *)to - row_base), distance, bytes);
}
"""
_RUN = """
#include "%(name)s.h"
const uint8_t *%(name)s_base(void);
static void run_%(name)s(void) {
    row_base = %(name)s_base();
    printf("N %(name)s\\n");
#ifdef %(upper)s_FED_BY_ROWS
    for (int i = 0; i < %(upper)s_INPUT_ROWS; ++i) {
        printf("R %%ld\\n", (long)((const uint8_t *)%(name)s_row() - row_base));
        %(name)s_invoke();
    }
#else
    %(name)s_invoke();
#endif
}
"""

Event = tuple[str, ...]
Tags = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A program and its plan under a name of its own."""

    name: str
    program: Program
    plan: Plan


def recorded(cases: Sequence[Case], folder: Path) -> dict[str, list[Event]]:
    """What the C of each case does in one inference, in order.

    ``S step x… y``: a call of a step by rows with the offsets of its pointers (without: a whole step); ``M to distance
    bytes``: bytes moved down; ``R offset``: where the next row of a fed input belongs.
    """
    rows = (templates_dir() / "runtime" / "tml_rows.h").read_text("utf-8")
    moved = "void row_moved(const void *, long, long);\nTML_SHARED void tml_rows_down"
    opened = re.compile(r"(tml_rows_down\(void \*to[^{]*\{)")
    rows = opened.sub(r"\1 row_moved(to, distance, bytes);", rows.replace("TML_SHARED void tml_rows_down", moved))
    (folder / "tml_rows.h").write_text(rows, "utf-8")
    sources = []
    for case in cases:
        text = generate(case.program, case.plan, case.name)
        base = f"const uint8_t *{case.name}_base(void) {{ return {case.name}_arena; }}\n"
        code = _KERNELS.sub("", _STEP.sub(_said, text[f"{case.name}.c"])) + base
        (folder / f"{case.name}.h").write_text(text[f"{case.name}.h"], "utf-8")
        (folder / f"{case.name}.c").write_text("#include <stdio.h>\nextern const uint8_t *row_base;\n" + code, "utf-8")
        sources.append(folder / f"{case.name}.c")
    runs = "".join(_RUN % {"name": case.name, "upper": case.name.upper()} for case in cases)
    calls = "".join(f"    run_{case.name}();\n" for case in cases)
    (folder / "main.c").write_text(f"{_HEAD}{runs}\nint main(void) {{\n{calls}    return 0;\n}}\n", "utf-8")
    program = folder / "program"
    compile_c(
        host_compiler(), [folder / "main.c", *sources], program, ["-std=gnu11", "-O0", "-w", "-include", "stdint.h"]
    )
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, list[Event]] = {}
    for line in done.stdout.splitlines():
        kind, *values = line.split()
        if kind == "N":
            events = found.setdefault(values[0], [])
        else:
            events.append((kind, *values))
    return found


def _said(found: re.Match[str]) -> str:
    """The function of a step with a body that says where it is called."""
    pointers = re.findall(r"\*(\w+)", found[3])
    shown = "".join(" %ld" for _ in pointers)
    places = "".join(f", (long)((const uint8_t *){p} - row_base)" for p in pointers)
    return f'{found[1]} {{\n    printf("S {int(found[2])}{shown}\\n"{places});\n}}'


def calls_of(events: Iterable[Event]) -> list[int]:
    """The steps of the calls, in order."""
    return [int(event[1]) for event in events if event[0] == "S"]


class _Memory:
    """Tags of every byte: storage tensor and byte number, -1 for nothing that anyone wants."""

    def __init__(self, program: Program, plan: Plan, blocks: bool) -> None:
        self.program, self.plan, self.blocks = program, plan, blocks
        self.bytes: Tags = np.full(plan.arena_bytes, -1, np.int64)
        self.calls = [0] * len(program.steps)
        self.fed = 0

    def tags(self, tensor: int, start: int, end: int) -> Tags:
        return (np.int64(self.program.storage(tensor)) << 32) + np.arange(start, end)

    def write(self, tensor: int, start: int, end: int, offset: int) -> None:
        assert offset >= 0 and offset + end - start <= len(self.bytes), "a write leaves the arena"
        self.bytes[offset : offset + end - start] = self.tags(tensor, start, end)

    def holds(self, tensor: int, start: int, end: int, offset: int) -> bool:
        return np.array_equal(self.bytes[offset : offset + end - start], self.tags(tensor, start, end))

    def size(self, tensor: int) -> int:
        return self.program.graph.tensors[tensor].size_bytes

    def row(self, tensor: int) -> int:
        return self.size(tensor) // self.program.graph.tensors[tensor].shape[1]


def replay(program: Program, plan: Plan, events: Sequence[Event], *, blocks: bool = True) -> None:
    """Replay ``events``; AssertionError names the step that would not find what it reads, or an output that is lost.

    Without ``blocks`` kernels count as reading all rows of a call until they return.
    """
    memory = _Memory(program, plan, blocks)
    if not program.fed_by_rows:
        for tensor in program.graph.inputs:
            memory.write(tensor, 0, memory.size(tensor), plan.offsets[tensor])
    for event in events:
        numbers = [int(value) for value in event[1:]]
        if event[0] == "M":
            to, distance, count = numbers
            memory.bytes[to : to + count] = memory.bytes[to + distance : to + distance + count].copy()
        elif event[0] == "R":
            tensor = program.graph.inputs[0]
            row = memory.row(tensor)
            memory.write(tensor, memory.fed * row, (memory.fed + 1) * row, numbers[0])
            memory.fed += 1
        else:
            _call(memory, numbers[0], numbers[1:])
    wanted = [1 if step.rows is None else step.rows.calls for step in program.steps]
    assert memory.calls == wanted, f"calls made {memory.calls}, wanted {wanted}"
    for tensor in program.graph.outputs:
        assert memory.holds(tensor, 0, memory.size(tensor), plan.offsets[tensor]), f"output {tensor} is lost"


@dataclass(frozen=True, slots=True)
class _Span:
    tensor: int
    start: int
    end: int
    offset: int


def _call(memory: _Memory, index: int, pointers: Sequence[int]) -> None:
    step = memory.program.steps[index]
    call = memory.calls[index]
    memory.calls[index] += 1
    reads, writes = _spans(memory, index, step, call, pointers)
    _expect(memory, index, call, reads, "reads what something overwrote")
    if step.scratch_bytes and not (step.rows is not None and step.rows.reduces):
        scratch = memory.plan.scratch_offsets[index]
        memory.bytes[scratch : scratch + step.scratch_bytes] = -1
        _expect(memory, index, call, reads, "has scratch over what it reads")
    if memory.blocks and step.rows is not None and step.rows.blocks is not None and step.rows.count == 1:
        _block_by_block(memory, index, call, pointers)
        return
    for write in writes:
        memory.write(write.tensor, write.start, write.end, write.offset)
    in_place = {(i, o) for i, o in step.in_place}
    starts = {
        reads_at
        for reads_at, read in enumerate(reads)
        for o, write in enumerate(writes)
        if (step.inputs.index(read.tensor), o) in in_place and read.offset == write.offset
    }
    kept = [read for i, read in enumerate(reads) if i not in starts]
    _expect(memory, index, call, kept, "writes over what it reads")


def _spans(
    memory: _Memory, index: int, step: Step, call: int, pointers: Sequence[int]
) -> tuple[list[_Span], list[_Span]]:
    plan, rows = memory.plan, step.rows
    by_rows = {} if rows is None else {step.inputs[p]: at for p, at in zip(rows.positions, pointers, strict=False)}
    reads, writes = [], []
    for tensor in dict.fromkeys(t for t in step.inputs if t != ABSENT):
        if tensor in by_rows and rows is not None:
            first = max(0, call * rows.stride - rows.pad_top)
            last = min(call * rows.stride - rows.pad_top + rows.kernel, rows.in_height)
            row = memory.row(tensor)
            reads.append(_Span(tensor, first * row, last * row, by_rows[tensor]))
        else:
            reads.append(_Span(tensor, 0, memory.size(tensor), plan.offsets[tensor]))
    for tensor in step.outputs:
        if rows is None:
            writes.append(_Span(tensor, 0, memory.size(tensor), plan.offsets[tensor]))
        elif not rows.reduces:
            made = rows.count * memory.row(tensor)
            writes.append(_Span(tensor, call * made, min((call + 1) * made, memory.size(tensor)), pointers[-1]))
        elif call + 1 == rows.calls:
            writes.append(_Span(tensor, 0, memory.size(tensor), plan.offsets[tensor]))
    return reads, writes


def _expect(memory: _Memory, index: int, call: int, spans: Iterable[_Span], what: str) -> None:
    for span in spans:
        held = memory.holds(span.tensor, span.start, span.end, span.offset)
        assert held, f"step {index}, call {call}, {what}: tensor {span.tensor}, bytes {span.start} to {span.end}"


def _block_by_block(memory: _Memory, index: int, call: int, pointers: Sequence[int]) -> None:
    """A call that reads the input for some pixels of a row of output, writes them, and goes on to the right."""
    step = memory.program.steps[index]
    rows, (x_at, y_at) = step.rows, pointers
    assert rows is not None and rows.blocks is not None
    (source,), (output,) = (step.inputs[p] for p in rows.positions), step.outputs
    values = {arg.name: arg.value for arg in step.args if isinstance(arg, Int)}
    span = (values.get("kernel_w", 1) - 1) * values.get("dilation_w", 1) + 1
    _, _, in_width, depth = memory.program.graph.tensors[source].shape
    _, _, width, channels = memory.program.graph.tensors[output].shape
    first = max(0, call * rows.stride - rows.pad_top)
    last = min(call * rows.stride - rows.pad_top + rows.kernel, rows.in_height)
    for start in range(0, width, rows.blocks.pixels):
        end = min(start + rows.blocks.pixels, width)
        left = max(0, start * rows.blocks.stride - rows.blocks.pad_left)
        right = min((end - 1) * rows.blocks.stride - rows.blocks.pad_left + span, in_width)
        for row in range(first, last):
            begin, stop = (row * in_width + left) * depth, (row * in_width + right) * depth
            offset = x_at + begin - first * in_width * depth
            held = memory.holds(source, begin, stop, offset)
            assert held, f"step {index}, call {call}, reads what the blocks before column {start} overwrote"
        done = call * width + start
        memory.write(output, done * channels, (call * width + end) * channels, y_at + start * channels)
