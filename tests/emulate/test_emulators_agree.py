"""Unicorn with the compiled hook, Unicorn with the Python hook and QEMU: same bytes, same counts to the instruction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.shared import require_module, require_tool
from tests.support.trivial_network import (
    SOURCE,
    SOURCES,
    any_toolchain,
    built,
    hide_programs,
    outputs,
    render,
    require_toolchain,
    some_inputs,
    tensors,
)
from tinyml.board import FlashCache
from tinyml.boards import load_board
from tinyml.emulate.native_code import host_compiler
from tinyml.emulate.qemu import run_qemu
from tinyml.emulate.result import Emulation
from tinyml.emulate.run import run_firmware
from tinyml.emulate.unicorn import run_unicorn
from tinyml.errors import BuildError, MismatchError
from tinyml.firmware.build import build_project
from tinyml.firmware.image import read_image
from tinyml.firmware.measure import stack_bound
from tinyml.plan.instruction_mix import FlashMisses, Kind, total

pytestmark = pytest.mark.slow
INPUTS = some_inputs(4)
WANTED = [outputs(x) for x in INPUTS]


def unicorn(elf: Path, *, native: bool, count: bool = True) -> Emulation:
    require_module("unicorn")
    return run_unicorn(
        read_image(elf), load_board("nano33ble"), "CORTEX_M4", INPUTS, count=count, timeout_s=60, native=native
    )


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_three_ways_of_counting_agree(tmp_path_factory: pytest.TempPathFactory, toolchain: str) -> None:
    elf = built(tmp_path_factory, "nano33ble", require_toolchain(toolchain)).elf
    runs = [unicorn(elf, native=True), unicorn(elf, native=False)]
    require_tool("qemu-system-arm")
    runs.append(run_qemu(read_image(elf), "mps2-an386", INPUTS, count=True, timeout_s=60))
    for run in runs:
        assert run.outputs == WANTED
        assert run.step_mixes == runs[0].step_mixes
        assert run.instructions == sum(run.step_instructions.values())
        assert set(run.step_instructions) == {"network_invoke", "network_step_000", "network_step_001"}
        assert run.stack_used_bytes == runs[0].stack_used_bytes
    assert runs[0].step_instructions["network_step_000"] > 16, "at least one instruction an element"


def test_counting_can_be_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    run = unicorn(built(tmp_path_factory, "nano33ble", any_toolchain()).elf, native=True, count=False)
    assert run.outputs == WANTED and run.instructions is None and run.step_instructions == {}


def test_counts_are_of_the_instructions_there_are(tmp_path: Path) -> None:
    """A loop of known length adds exactly its instructions."""
    require_module("unicorn")
    mixes = []
    for rounds in (1000, 3000):
        loop = '__asm__ volatile("1: subs %0, #1\\n nop\\n nop.w\\n bne 1b" : "+r"(n) : : "cc");'
        statement = f"{{ unsigned n = {rounds}; {loop} }}"
        source = SOURCE.replace("int8_t copy[16];", "int8_t copy[16];\n    " + statement, 1)
        project = render(tmp_path / str(rounds), sources={**SOURCES, "network.c": source}, toolchain=any_toolchain())
        run = unicorn(build_project(project).elf, native=True)
        mixes.append(run.step_mixes["network_step_001"])
    assert mixes[1].instructions - mixes[0].instructions == 4 * 2000
    added = {kind: count - mixes[0].counts[kind] for kind, count in mixes[1].counts.items()}
    looped = {Kind.ALU: 6000, Kind.BRANCH: 2000, Kind.REFILL: 2000}
    assert {kind: count for kind, count in added.items() if count} == looped, "every added branch is taken"


def test_flash_caches_are_simulated_alike(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The compiled and the Python hooks see the same misses, and more in a smaller cache."""
    require_module("unicorn")
    image = read_image(built(tmp_path_factory, "nano33ble", any_toolchain()).elf)
    misses: list[FlashMisses | None] = []
    for lines in (2, 2, 64):
        cache = FlashCache(16, 2, 16 * lines, 16 * lines, 1.0, 1.0, "test")
        board = replace(load_board("nano33ble"), flash_cache=cache)
        native = not misses
        run = run_unicorn(image, board, "CORTEX_M4", INPUTS, count=True, timeout_s=60, native=native, caches=True)
        assert run.outputs == WANTED
        misses.append(total(run.step_mixes.values()).misses)
    assert misses[0] == misses[1]
    assert misses[0] is not None and misses[2] is not None
    assert 0 < misses[2].instruction < misses[0].instruction and 0 < misses[2].data <= misses[0].data


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_every_tensor_is_traced(tmp_path_factory: pytest.TempPathFactory, emulator: str) -> None:
    require_module("unicorn") if emulator == "unicorn" else require_tool("qemu-system-arm")
    firmware = built(tmp_path_factory, "nano33ble", any_toolchain(), "nano33ble-trace")
    run = run_firmware(firmware.elf, load_board("nano33ble"), INPUTS, emulator=emulator, trace=True)
    assert run.outputs == WANTED
    assert run.traces == [tensors(x) for x in INPUTS]


def test_a_trace_needs_the_tracing_image(tmp_path_factory: pytest.TempPathFactory) -> None:
    require_module("unicorn")
    elf = built(tmp_path_factory, "nano33ble", any_toolchain()).elf
    with pytest.raises(BuildError, match="wrote no trace"):
        run_firmware(elf, load_board("nano33ble"), INPUTS, emulator="unicorn", trace=True)


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("board", ["nano33ble", "pico", "pico2"])
def test_the_stack_bound_covers_what_painting_shows(
    tmp_path_factory: pytest.TempPathFactory, board: str, toolchain: str
) -> None:
    require_module("unicorn")
    loaded = load_board(board)
    firmware = built(tmp_path_factory, board, require_toolchain(toolchain))
    painted = run_firmware(firmware.elf, loaded, INPUTS, emulator="unicorn").stack_used_bytes
    bound = stack_bound(firmware, loaded)
    assert painted is not None and bound.holds
    assert 16 < painted <= bound.thread_bytes <= bound.size_bytes


def test_inputs_of_another_size_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    require_module("unicorn")
    elf = built(tmp_path_factory, "nano33ble", any_toolchain()).elf
    with pytest.raises(BuildError, match="not a multiple of the network's"):
        run_firmware(elf, load_board("nano33ble"), [bytes(15)], emulator="unicorn")


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
@pytest.mark.parametrize(
    "statement",
    [
        "*(volatile int *)0x90000000u = 1;",
        '__asm__ volatile("udf #0");',
        "((void (*)(void))0x90000001u)();",
    ],
    ids=["store", "undefined", "jump"],
)
def test_a_fault_is_reported_with_its_place(tmp_path: Path, emulator: str, statement: str) -> None:
    require_module("unicorn") if emulator == "unicorn" else require_tool("qemu-system-arm")
    source = SOURCE.replace("int8_t copy[16];", "int8_t copy[16];\n    " + statement, 1)
    project = render(tmp_path / "p", sources={**SOURCES, "network.c": source}, toolchain=any_toolchain())
    firmware = build_project(project)
    with pytest.raises(MismatchError, match="firmware stopped") as caught:
        run_firmware(firmware.elf, load_board("nano33ble"), INPUTS, emulator=emulator, timeout_s=30)
    assert "network_step_001" in caught.value.message or "90000000" in caught.value.message


@pytest.mark.parametrize("emulator", ["unicorn", "qemu"])
def test_a_firmware_that_never_ends_is_stopped(tmp_path: Path, emulator: str) -> None:
    require_module("unicorn") if emulator == "unicorn" else require_tool("qemu-system-arm")
    source = SOURCE.replace("int8_t copy[16];", 'int8_t copy[16];\n    for (;;) __asm__ volatile("nop");', 1)
    source = source.replace("int8_t *y = (int8_t *)(network_arena + 32);\n    int8_t copy", "int8_t copy")
    source = source.replace("int8_t copy[16];", "int8_t *y = (int8_t *)(network_arena + 32);\n    int8_t copy[16];", 1)
    project = render(tmp_path / "p", sources={**SOURCES, "network.c": source}, toolchain=any_toolchain())
    firmware = build_project(project)
    with pytest.raises(BuildError, match="ran for 1 s"):
        run_firmware(firmware.elf, load_board("nano33ble"), INPUTS, emulator=emulator, timeout_s=1)


def test_qemu_without_the_machine(tmp_path_factory: pytest.TempPathFactory) -> None:
    require_tool("qemu-system-arm")
    image = read_image(built(tmp_path_factory, "nano33ble", any_toolchain()).elf)
    with pytest.raises(BuildError, match="no machine nonesuch"):
        run_qemu(image, "nonesuch", INPUTS, count=False, timeout_s=10)


def test_qemu_that_is_not_installed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elf = built(tmp_path_factory, "nano33ble", any_toolchain()).elf
    hide_programs(monkeypatch, tmp_path / "bin", "qemu-system")
    with pytest.raises(BuildError) as caught:
        run_firmware(elf, load_board("nano33ble"), INPUTS, emulator="qemu")
    assert caught.value.exit_code == 5
    assert caught.value.hint is not None and "qemu-system-arm" in caught.value.hint


def test_an_image_at_other_addresses_than_the_boards(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An image linked for an emulator's machine also runs in Unicorn, with that machine's memory."""
    require_module("unicorn")
    elf = built(tmp_path_factory, "pico", any_toolchain(), "pico-qemu").elf
    assert run_firmware(elf, load_board("pico"), INPUTS, emulator="unicorn").outputs == WANTED


def test_there_is_a_compiler_for_the_hooks_where_there_is_one_for_arm() -> None:
    require_toolchain("zig")
    assert host_compiler() is not None
