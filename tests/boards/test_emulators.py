"""The emulators of every board, held against what the emulators themselves have."""

from __future__ import annotations

import importlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.shared import require_module, require_tool
from tinyml.boards import Board, list_boards
from tinyml.firmware.memory_map import memory_map

BOARDS = list_boards()


@pytest.mark.parametrize("board", [b for b in BOARDS if b.emulator("unicorn")], ids=lambda board: board.name)
def test_unicorn_has_the_core(board: Board) -> None:
    require_module("unicorn")
    emulator = board.emulator("unicorn")
    assert emulator is not None
    assert hasattr(importlib.import_module("unicorn.arm_const"), f"UC_CPU_ARM_{emulator.cpu}")
    assert not emulator.relocated


def unreadable(qemu: Path, machine: str, addresses: list[int]) -> list[int]:
    """Those of the addresses at which the machine's first core, just out of reset, finds no memory."""
    script = "".join(f"x /1xw {address:#x}\n" for address in addresses) + "quit\n"
    result = subprocess.run(
        [qemu, "-M", machine, "-S", "-display", "none", "-serial", "null", "-monitor", "stdio"],
        input=script,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = {int(address, 16) for address in re.findall(r"^([0-9a-f]{8}): 0x[0-9a-f]{8}", result.stdout, re.MULTILINE)}
    return [address for address in addresses if address not in found]


@pytest.mark.parametrize(
    "machine", sorted({e.machine for b in BOARDS for e in b.emulators if e.kind == "qemu" and e.machine})
)
def test_qemu_has_the_machine(machine: str) -> None:
    qemu = require_tool("qemu-system-arm")
    listed = subprocess.run([qemu, "-M", "help"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert re.search(rf"^{re.escape(machine)}\s", listed, re.MULTILINE)


@pytest.mark.parametrize("board", [b for b in BOARDS if b.emulator("qemu")], ids=lambda board: board.name)
def test_qemu_has_memory_where_the_image_goes(board: Board) -> None:
    emulator = board.emulator("qemu")
    assert emulator is not None and emulator.machine is not None
    layout = memory_map(board, emulator)
    regions = layout.regions if emulator.relocated else (layout.flash, layout.ram)
    addresses = [address for r in regions for address in (r.origin, r.origin + r.size_bytes - 4)]
    assert unreadable(require_tool("qemu-system-arm"), emulator.machine, addresses) == []


def test_no_memory_is_seen_where_there_is_none() -> None:
    nowhere = [0x7000_0000, 0x2040_0000 - 4]
    assert unreadable(require_tool("qemu-system-arm"), "netduinoplus2", nowhere) == nowhere


@pytest.mark.parametrize("board", [b for b in BOARDS if b.name.startswith("mps")], ids=lambda board: board.name)
def test_an_emulated_board_has_all_its_regions(board: Board) -> None:
    machine = next(emulator.machine for emulator in board.emulators if emulator.kind == "qemu")
    assert machine == board.name
    ends = [address for r in board.regions for address in (r.start, r.start + r.available_bytes - 4)]
    assert unreadable(require_tool("qemu-system-arm"), machine, ends) == []
