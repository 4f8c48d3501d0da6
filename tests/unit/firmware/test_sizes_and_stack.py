"""Sizes and the stack bound of real images, whose parts are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.trivial_network import SOURCE, SOURCES, any_toolchain, built, render, require_toolchain
from tinyml.boards import load_board
from tinyml.errors import BuildError
from tinyml.firmware.build import build_project
from tinyml.firmware.elf import measure
from tinyml.firmware.image import Image, read_image
from tinyml.firmware.measure import stack_bound
from tinyml.firmware.stack import read_stack_usage, worst_case_stack

pytestmark = pytest.mark.slow
TOOLCHAINS = ["gcc", "zig"]


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
@pytest.mark.parametrize("board", ["nano33ble", "pico"])
def test_every_byte_is_accounted_for(tmp_path_factory: pytest.TempPathFactory, toolchain: str, board: str) -> None:
    firmware = built(tmp_path_factory, board, require_toolchain(toolchain))
    sizes = measure(firmware.elf, load_board(board))
    assert sizes.arena_bytes == 64
    assert sizes.constants["network_weights_000"] == sizes.weights_bytes == 16
    regions = {region.name: region for region in sizes.regions}
    boot2 = regions["BOOT2"].used_bytes if "BOOT2" in regions else 0
    assert boot2 == (256 if board == "pico" else 0)
    assert firmware.binary.stat().st_size == regions["FLASH"].used_bytes + boot2
    gaps = regions["FLASH"].used_bytes - sizes.flash_bytes
    assert 0 <= gaps < 64
    assert regions["RAM"].used_bytes == sizes.ram_bytes
    assert sizes.functions["network_step_000"] > 0


def test_initialised_data_counts_in_flash_and_in_ram(tmp_path: Path) -> None:
    plain = render(tmp_path / "plain", toolchain=any_toolchain())
    source = SOURCE.replace("network_arena[NETWORK_ARENA_BYTES]", "network_state[40] = {1, 2, 3}, network_arena[64]")
    statement = "network_step_000();\n    network_state[network_arena[0] % 40]++;"
    source = source.replace("network_step_000();", statement, 1)
    stateful = render(tmp_path / "stateful", sources={**SOURCES, "network.c": source}, toolchain=any_toolchain())
    board = load_board("nano33ble")
    before, after = (measure(build_project(project).elf, board) for project in (plain, stateful))
    assert after.data_bytes - before.data_bytes == 40
    assert after.ram_bytes - before.ram_bytes == 40
    used = [{r.name: r.used_bytes for r in sizes.regions} for sizes in (before, after)]
    assert used[1]["RAM"] - used[0]["RAM"] == pytest.approx(40, abs=16), "the arena's alignment"
    growth = after.flash_bytes - before.flash_bytes
    assert growth >= 40 and used[1]["FLASH"] - used[0]["FLASH"] == pytest.approx(growth, abs=8)


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_frames_decoded_equal_those_the_compiler_reports(
    tmp_path_factory: pytest.TempPathFactory, toolchain: str
) -> None:
    firmware = built(tmp_path_factory, "nano33ble", require_toolchain(toolchain))
    image = read_image(firmware.elf)
    names = {function.address: function.name for function in image.functions}
    by_clang = {names[address]: size for address, size in image.stack_sizes if address in names}
    reported = read_stack_usage(firmware.build_dir)[0] | by_clang
    decoded = worst_case_stack(read_image_without_reports(firmware.elf)).frames
    known = {name: size for name, size in reported.items() if name in decoded}
    assert len(known) > 10
    assert known == {name: decoded[name] for name in known}


def read_image_without_reports(elf: Path) -> Image:
    return replace(read_image(elf), stack_sizes=())


@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_the_deepest_path_is_named(tmp_path: Path, toolchain: str) -> None:
    source = SOURCE.replace("int8_t copy[16];", "int8_t copy[1024];")
    source = source.replace("memcpy(copy", "memset(copy, 1, 1024); memcpy(copy")
    project = render(tmp_path / "p", sources={**SOURCES, "network.c": source}, toolchain=require_toolchain(toolchain))
    bound = stack_bound(build_project(project), load_board("nano33ble"))
    names = [name for name, _ in bound.path]
    assert names[:2] == ["Reset_Handler", "main"]
    assert names[names.index("network_invoke") :][:2] == ["network_invoke", "network_step_001"]
    assert dict(bound.path)["network_step_001"] >= 1024
    assert bound.holds
    assert bound.thread_bytes == sum(frame for _, frame in bound.path)
    assert bound.exception_bytes >= 108, "an exception with the FPU's registers, aligned"
    assert bound.size_bytes >= bound.thread_bytes + bound.exception_bytes


@pytest.mark.parametrize(
    ("before", "statement", "where"),
    [
        (
            "__attribute__((noinline)) int network_deep(int n);\n"
            "int network_deep(int n) {\n    volatile int x = n;\n"
            "    return n < 2 ? x : network_deep(n - 1) + network_deep(n - 2) + x;\n}\n",
            "network_arena[0] = (uint8_t)network_deep(network_arena[1]);",
            "recursive",
        ),
        (
            "static void network_a(void) { network_arena[3] = 1; }\n"
            "void (*volatile network_pointer)(void) = network_a;\n",
            "network_pointer();\n    network_arena[4] = 2;",
            "indirect",
        ),
        (
            "__attribute__((noinline)) int network_variable(int n);\n"
            "int network_variable(int n) { volatile char x[n]; x[0] = 1; x[n - 1] = 2; return x[n / 2]; }\n",
            "network_arena[0] = (uint8_t)network_variable(network_arena[1] + 2);",
            "unbounded",
        ),
    ],
    ids=["recursion", "pointer", "variable frame"],
)
@pytest.mark.parametrize("toolchain", TOOLCHAINS)
def test_what_has_no_bound_is_reported(tmp_path: Path, before: str, statement: str, where: str, toolchain: str) -> None:
    source = SOURCE.replace("void network_invoke(void) {", before + "void network_invoke(void) {\n    " + statement)
    project = render(tmp_path / "p", sources={**SOURCES, "network.c": source}, toolchain=require_toolchain(toolchain))
    bound = stack_bound(build_project(project), load_board("nano33ble"))
    assert not bound.holds
    assert any(name.startswith("network_") for name in getattr(bound, where))


def test_a_file_that_is_no_firmware(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_bytes(b"\x7fELF" + bytes(60))
    (tmp_path / "y.elf").write_bytes(b"")
    (tmp_path / "z.elf").write_bytes(Path("/bin/sh").read_bytes())
    for name in ("x.elf", "y.elf", "z.elf", "missing.elf"):
        with pytest.raises(BuildError, match=name):
            read_image(tmp_path / name)


def test_a_truncated_firmware(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = built(tmp_path_factory, "nano33ble", any_toolchain()).elf.read_bytes()
    for length in range(0, len(content), max(len(content) // 50, 1)):
        (tmp_path / "cut.elf").write_bytes(content[:length])
        with pytest.raises(BuildError):
            read_image(tmp_path / "cut.elf")
