"""The benchmark application on every board with every toolchain, in every emulator that models its core."""

from __future__ import annotations

import pytest

from tests.support.shared import require_module, require_tool
from tests.support.trivial_network import built, outputs, require_toolchain, some_inputs
from tinyml.boards import Board, list_boards
from tinyml.emulate.run import run_firmware
from tinyml.firmware.elf import measure
from tinyml.firmware.environments import environment_name
from tinyml.firmware.measure import stack_bound

INPUTS = some_inputs()
BOARDS = list_boards()


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_it_builds_and_fits(tmp_path_factory: pytest.TempPathFactory, board: Board, toolchain: str) -> None:
    firmware = built(tmp_path_factory, board.name, require_toolchain(toolchain))
    sizes = measure(firmware.elf, board)
    assert all(region.used_bytes <= region.available_bytes for region in sizes.regions)
    assert sizes.code_bytes < 8192, "start-up, console and the application"
    bound = stack_bound(firmware, board)
    assert bound.holds and bound.size_bytes < 512
    entry = firmware.elf.read_bytes()[24:28]
    assert board.flash.start <= int.from_bytes(entry, "little") < board.flash.start + board.flash.available_bytes


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize(
    ("board", "kind"),
    [(board, kind) for board in BOARDS for kind in ("unicorn", "qemu") if board.emulator(kind)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_it_computes_the_same_in_emulation(
    tmp_path_factory: pytest.TempPathFactory, board: Board, kind: str, toolchain: str
) -> None:
    require_module("unicorn") if kind == "unicorn" else require_tool("qemu-system-arm")
    environment = environment_name(board, board.emulator(kind))
    firmware = built(tmp_path_factory, board.name, require_toolchain(toolchain), environment)
    run = run_firmware(firmware.elf, board, INPUTS, emulator=kind)
    assert run.outputs == [outputs(x) for x in INPUTS]
    assert run.instructions is not None and 100 < run.instructions < 1000
