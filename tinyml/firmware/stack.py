"""The worst case of the stack, from the machine code: frames and call graph of the linked image.

A frame is the larger of what the compiler reports (GCC's ``-fstack-usage``, clang's ``.stack_sizes``) and of what the
function's own instructions take; library functions have only the latter. Calls are decoded from the image, so nothing
that was linked in is missed. The bound covers the deepest path from reset, plus one exception with its handler.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tinyml.firmware.image import Image, Symbol
from tinyml.firmware.thumb import (
    Instruction,
    adjusts_stack_by_register,
    branch_target,
    decode,
    is_indirect_call,
    is_indirect_jump,
    pushed_bytes,
)

BASIC_FRAME_BYTES, FPU_FRAME_BYTES, ALIGNMENT_BYTES = 32, 104, 4


@dataclass(frozen=True, slots=True)
class StackBound:
    """``size_bytes`` is ``thread_bytes`` (the deepest path from reset, ``path``) and ``exception_bytes`` on top of it.

    ``recursive``, ``indirect`` and ``unbounded`` name the functions that make it less than a bound: on a cycle of
    calls, calling through a pointer, with a frame of variable size. All three empty means that the bound holds.
    """

    size_bytes: int
    thread_bytes: int
    exception_bytes: int
    path: tuple[tuple[str, int], ...]
    recursive: tuple[str, ...]
    indirect: tuple[str, ...]
    unbounded: tuple[str, ...]
    frames: dict[str, int]

    @property
    def holds(self) -> bool:
        """Whether nothing was met that the analysis can't bound."""
        return not (self.recursive or self.indirect or self.unbounded)


@dataclass(slots=True)
class _Function:
    frame: int
    calls: set[int]
    indirect: bool
    variable: bool


def worst_case_stack(image: Image, *, build_dir: Path | None = None, fpu: bool = False) -> StackBound:
    """Bounds the stack of ``image`` in bytes.

    ``build_dir`` is searched for GCC's ``.su`` files; ``fpu`` says that exceptions save the FPU's registers (26 words
    instead of 8; Armv7-M ARM, DDI 0403E, B1.5.6-7), each with a word of alignment.
    """
    reported, dynamic = read_stack_usage(build_dir) if build_dir else ({}, set())
    by_address = dict(image.stack_sizes)
    functions: dict[int, _Function] = {}
    for function, body in _bodies(image):
        analysed = _analyse(image, function, body)
        known = max(by_address.get(function.address, 0), _lookup(reported, function.name))
        analysed.frame = max(analysed.frame, known) if known else analysed.frame
        analysed.variable = _base_name(function.name) in dynamic or (analysed.variable and not known)
        functions[function.address] = analysed
    walk = _Walk(functions)
    reset, *handlers = _vectors(image)
    thread, path = walk.deepest(reset)
    frame = (FPU_FRAME_BYTES if fpu else BASIC_FRAME_BYTES) + ALIGNMENT_BYTES
    exception = max((frame + walk.deepest(handler)[0] for handler in sorted(set(handlers))), default=0)
    name = {f.address: f.name for f in image.functions}
    seen = walk.reached
    return StackBound(
        size_bytes=-(-(thread + exception) // 8) * 8,
        thread_bytes=thread,
        exception_bytes=exception,
        path=tuple((name.get(address, hex(address)), functions[address].frame) for address in path),
        recursive=tuple(sorted(name.get(address, hex(address)) for address in walk.recursive)),
        indirect=tuple(sorted(name[a] for a in seen if functions[a].indirect)),
        unbounded=tuple(sorted(name[a] for a in seen if functions[a].variable)),
        frames={name[address]: function.frame for address, function in functions.items()},
    )


def read_stack_usage(build_dir: Path) -> tuple[dict[str, int], set[str]]:
    """GCC's stack usage by function name, the largest of several with one name, and those without a bound."""
    sizes: dict[str, int] = {}
    dynamic: set[str] = set()
    for path in sorted(build_dir.rglob("*.su")):
        for line in path.read_text("utf-8", "replace").splitlines():
            fields = line.split("\t")
            if len(fields) != 3 or not fields[1].isdigit():
                continue
            name = _base_name(fields[0].rsplit(":", 1)[-1])
            sizes[name] = max(sizes.get(name, 0), int(fields[1]))
            if fields[2].strip() == "dynamic":
                dynamic.add(name)
    return sizes, dynamic


def _base_name(name: str) -> str:
    """Without the suffixes of clones, such as ``.constprop.0``."""
    return re.split(r"\.(?:constprop|isra|part|cold|lto_priv)\b", name)[0]


def _lookup(reported: dict[str, int], name: str) -> int:
    return reported.get(_base_name(name), 0)


def _vectors(image: Image) -> list[int]:
    """Reset and the handlers, those of peripherals too."""
    table = image.address("tml_vectors")
    count = image.by_name["tml_vectors"].size_bytes // 4
    section = next(s for s in image.sections if s.address <= table < s.address + s.size_bytes)
    start = table - section.address
    words = [int.from_bytes(section.data[start + 4 * i : start + 4 * i + 4], "little") for i in range(count)]
    return [word & ~1 for word in words[1:] if word]


def _bodies(image: Image) -> list[tuple[Symbol, list[tuple[int, bytes]]]]:
    """Each function with its stretches of code. A size of zero, as in assembly, reaches to the next function."""
    ranges = image.code_ranges()
    functions = image.functions
    bodies = []
    for index, function in enumerate(functions):
        following = functions[index + 1].address if index + 1 < len(functions) else 1 << 32
        end = function.address + function.size_bytes if function.size_bytes else following
        pieces = []
        for start, code in ranges:
            low, high = max(start, function.address), min(start + len(code), end)
            if low < high:
                pieces.append((low, code[low - start : high - start]))
        bodies.append((function, pieces))
    return bodies


def _analyse(image: Image, function: Symbol, body: list[tuple[int, bytes]]) -> _Function:
    result = _Function(0, set(), False, False)
    literals: dict[int, int] = {}
    end = function.address + max(function.size_bytes, 2)
    for address, code in body:
        for instruction in decode(address, code):
            result.frame += pushed_bytes(instruction)
            result.variable |= adjusts_stack_by_register(instruction)
            _note_literal(image, instruction, literals)
            target = branch_target(instruction)
            if target is not None and not (function.address <= target[0] < end and not target[1]):
                callee = image.function_at(target[0])
                if callee is not None and (callee.address != function.address or target[1]):
                    result.calls.add(callee.address)
            elif is_indirect_call(instruction) or is_indirect_jump(instruction):
                callee = image.function_at(literals.get(instruction.first >> 3 & 15, -1))
                if callee is not None:
                    result.calls.add(callee.address)
                else:
                    result.indirect = True
    return result


def _note_literal(image: Image, i: Instruction, literals: dict[int, int]) -> None:
    """Remembers what ``LDR Rt, [PC, #imm]`` loads: the address of a function called from afar."""
    if i.size_bytes == 2 and i.first & 0xF800 == 0x4800:
        register, offset = i.first >> 8 & 7, 4 * (i.first & 0xFF)
    elif i.size_bytes == 4 and i.first == 0xF8DF:
        register, offset = i.second >> 12, i.second & 0xFFF
    else:
        return
    place = (i.address + 4 & ~3) + offset
    for section in image.sections:
        if section.has_data and section.address <= place < section.address + section.size_bytes - 3:
            start = place - section.address
            literals[register] = int.from_bytes(section.data[start : start + 4], "little")


class _Walk:
    """Depth-first over the call graph, each function once."""

    def __init__(self, functions: dict[int, _Function]) -> None:
        self.functions = functions
        self.recursive: set[int] = set()
        self._done: dict[int, tuple[int, tuple[int, ...]]] = {}

    @property
    def reached(self) -> set[int]:
        return set(self._done)

    def deepest(self, root: int) -> tuple[int, tuple[int, ...]]:
        """(bytes, path) of the deepest chain of calls from ``root``; calls that close a cycle are only noted."""
        open_calls: list[tuple[int, list[int]]] = [(root, sorted(self._calls(root)))]
        active = {root}
        while open_calls:
            address, pending = open_calls[-1]
            if pending:
                callee = pending.pop()
                if callee in active:
                    self.recursive.update(a for a, _ in open_calls[[a for a, _ in open_calls].index(callee) :])
                elif callee not in self._done:
                    open_calls.append((callee, sorted(self._calls(callee))))
                    active.add(callee)
                continue
            below = [self._done[c] for c in self._calls(address) if c in self._done]
            depth, path = max(below, default=(0, ()))
            frame = self.functions[address].frame if address in self.functions else 0
            self._done[address] = (frame + depth, (address, *path))
            open_calls.pop()
            active.discard(address)
        return self._done[root]

    def _calls(self, address: int) -> set[int]:
        function = self.functions.get(address)
        return function.calls if function else set()
