"""Counting blocks: what belongs to which step, and that the compiled hook is the Python one's equal."""

from __future__ import annotations

import ctypes
import random
from pathlib import Path

import pytest

from tests.support.shared import missing
from tinyml.emulate import native_code
from tinyml.emulate.counting import BlockCounter, CountPoints, by_step, slot_counts
from tinyml.emulate.native_code import host_compiler, shared_object
from tinyml.emulate.unicorn import _NativeState
from tinyml.firmware.image import Symbol

BASE = 0x8000
NOP, WIDE = b"\x00\xbf", b"\xaf\xf3\x00\x80"
POINTS = CountPoints(
    invoke=Symbol("network_invoke", BASE + 0x40, 0x20, "STT_FUNC", False),
    returns=(BASE + 0x10,),
    steps=(
        Symbol("network_step_000", BASE + 0x80, 0x20, "STT_FUNC", True),
        Symbol("network_step_001", BASE + 0xA0, 0x20, "STT_FUNC", True),
    ),
)
CODE = NOP * 0x80 + WIDE * 0x40  # the second half has instructions of four bytes


def count(blocks: list[tuple[int, int]]) -> dict[str, int]:
    counter = BlockCounter(CODE, BASE, POINTS)
    for offset, size in blocks:
        counter.enter(BASE + offset, size)
    return by_step(POINTS, slot_counts(counter.counts))


def test_a_step_includes_what_it_calls_and_nothing_else_is_counted() -> None:
    blocks = [
        (0x00, 16),  # main
        (0x40, 8),  # network_invoke: 4
        (0x80, 8),  # step 0: 4
        (0x120, 16),  # a function that step 0 calls: 4 wide instructions
        (0x84, 4),  # back in step 0: 2
        (0x48, 4),  # network_invoke: 2
        (0xA0, 2),  # step 1: 1
        (0x4C, 2),  # network_invoke: 1
        (0x140, 8),  # memcpy called by network_invoke: 2
        (0x10, 8),  # main again
        (0x40, 8),  # a second inference
    ]
    assert count(blocks) == {"network_invoke": 9, "network_step_000": 10, "network_step_001": 1}


def test_blocks_outside_the_code_are_noticed() -> None:
    counter = BlockCounter(CODE, BASE, POINTS)
    for address in (BASE - 2, BASE + 0x40, 0x20000000):
        counter.enter(address, 2)
    assert counter.outside == 1, "only within the window"


def test_the_compiled_hook_counts_the_same() -> None:
    library = shared_object("block_counter")
    if library is None:
        missing("there is no C compiler for this machine")
    source = random.Random(1)
    starts = [0, 0x10, 0x40, 0x44, 0x50, 0x80, 0x88, 0xA0, 0xA4, 0x100, 0x120, 0x180]
    for _ in range(50):
        blocks = [(source.choice(starts), source.choice((2, 4, 8, 12))) for _ in range(200)]
        python = BlockCounter(CODE, BASE, POINTS)
        for offset, size in blocks:
            python.enter(BASE + offset, size)
        assert native_counts(library, python, blocks) == python.counts
        assert sum(python.counts) > 0


def native_counts(library: Path, python: BlockCounter, blocks: list[tuple[int, int]]) -> list[int]:
    function = ctypes.CDLL(str(library)).tinyml_count_block
    halfwords = len(python.slots)
    counts = (ctypes.c_uint64 * len(python.counts))()
    arrays = (
        ctypes.create_string_buffer(python.code, len(python.code)),
        (ctypes.c_uint16 * halfwords)(*python.slots),
        (ctypes.c_uint32 * halfwords)(),
        (ctypes.c_uint32 * halfwords)(),
        counts,
    )
    state = _NativeState(BASE, len(python.code), *(ctypes.cast(array, ctypes.c_void_p) for array in arrays))
    for offset, size in blocks:
        function(None, ctypes.c_uint64(BASE + offset), ctypes.c_uint32(size), ctypes.byref(state))
    return list(counts)


def test_the_compiled_hook_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if host_compiler() is None:
        missing("there is no C compiler for this machine")
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path))
    first = shared_object("block_counter")
    assert first is not None and first.is_relative_to(tmp_path)
    before = first.stat().st_mtime_ns
    assert shared_object("block_counter") == first and first.stat().st_mtime_ns == before
    assert [path.name for path in first.parent.iterdir()] == [first.name], "nothing half-written is left"


def test_no_compiler_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(native_code, "host_compiler", lambda: None)
    assert shared_object("block_counter") is None
    monkeypatch.setattr(native_code, "host_compiler", lambda: ["/no/such/compiler"])
    assert shared_object("block_counter") is None
