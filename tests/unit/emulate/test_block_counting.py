"""Counting blocks: what belongs to which step, and that the compiled hook is the Python one's equal."""

from __future__ import annotations

import ctypes
import random
from pathlib import Path

import pytest

from tests.support.shared import missing
from tinyml.board import FlashCache
from tinyml.emulate import native_code
from tinyml.emulate.counting import BlockCounter, BlockHits, CountPoints, mixes
from tinyml.emulate.native_code import host_compiler, shared_object
from tinyml.emulate.native_counter import NativeCounter
from tinyml.firmware.image import Symbol
from tinyml.plan.instruction_mix import FlashMisses, Kind

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


CACHE = FlashCache(8, 2, 64, 32, 1.0, 1.0, "test")


def bytes_at(address: int, size: int) -> bytes:
    return CODE[address - BASE : address - BASE + size]


def count(blocks: list[tuple[int, int]]) -> dict[str, int]:
    counter = BlockCounter(len(CODE), BASE, POINTS)
    for offset, size in blocks:
        counter.enter(BASE + offset, size)
    return {name: mix.instructions for name, mix in mixes(POINTS, counter.blocks(), bytes_at).items()}


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
    counter = BlockCounter(len(CODE), BASE, POINTS)
    for address in (BASE - 2, BASE + 0x40, 0x20000000):
        counter.enter(address, 2)
    assert counter.outside == 1, "only within the window"


def test_a_branch_that_is_taken_refills_the_pipeline() -> None:
    branch = b"\x00\xbf\xfc\xd1"  # nop; bne to two instructions before
    blocks = [BlockHits(1, 0, 4, 10, 3), BlockHits(2, 0, 2, 5, 1), BlockHits(0, 0, 4, 2, 2)]
    found = mixes(POINTS, blocks, lambda _address, size: branch[:size], {1: FlashMisses(7, 8)})
    assert found["network_step_000"].counts == {Kind.ALU: 10, Kind.BRANCH: 10, Kind.REFILL: 7}
    assert found["network_step_001"].counts == {Kind.ALU: 5}, "no branch, however it goes on"
    assert found["network_invoke"].counts == {Kind.ALU: 2, Kind.BRANCH: 2}
    assert found["network_step_000"].misses == FlashMisses(7, 8)
    assert found["network_step_001"].misses == FlashMisses()


def test_least_recently_used_lines_go_first() -> None:
    counter = BlockCounter(len(CODE), BASE, POINTS, CACHE)
    counter.enter(BASE + 0x40, 2)
    for line in (0, 2, 4, 0, 2, 4, 1, 1, 0, 2):  # two sets of two lines of 8 bytes; 0, 2 and 4 share a set
        counter.read(0x1000 + 8 * line, 4)
    assert counter.step_misses()[0].data == 9
    counter.read(0x1006, 4)
    assert counter.step_misses()[0].data == 9, "both lines are there"


def test_the_compiled_hook_counts_the_same() -> None:
    library = shared_object("block_counter")
    if library is None:
        missing("there is no C compiler for this machine")
    hooks = ctypes.CDLL(str(library))
    source = random.Random(1)
    starts = [0, 0x10, 0x40, 0x44, 0x50, 0x80, 0x88, 0xA0, 0xA4, 0x100, 0x120, 0x180]
    for cache in (None, CACHE):
        for _ in range(25):
            python = BlockCounter(len(CODE), BASE, POINTS, cache)
            native = NativeCounter(hooks, BlockCounter(len(CODE), BASE, POINTS, cache), cache)
            for _ in range(200):
                offset, size = source.choice(starts), source.choice((2, 4, 8, 12))
                python.enter(BASE + offset, size)
                hooks.tinyml_count_block(None, ctypes.c_uint64(BASE + offset), size, ctypes.byref(native.state))
                at, wide = source.randrange(0x1000, 0x1100), source.choice((1, 2, 4))
                python.read(at, wide)
                hooks.tinyml_count_read(None, 0, ctypes.c_uint64(at), wide, 0, ctypes.byref(native.state))
            by_place = {(b.step, b.address, b.size_bytes): b for b in python.blocks()}
            assert {(b.step, b.address, b.size_bytes): b for b in native.blocks()} == by_place
            assert native.step_misses() == python.step_misses()
            assert (native.windows, native.outside) == (python.windows, python.outside)
            assert by_place and (cache is None or sum(m.data for m in python.step_misses().values()) > 0)


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
