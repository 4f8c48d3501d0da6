"""Visual wake words on every board that has a camera, with every toolchain: no warning, it fits, and it is proven."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.tiny_vww import tiny_vww
from tests.support.trivial_network import require_toolchain
from tinyml.boards import Board, list_boards
from tinyml.firmware.app_memory import app_ram_bytes
from tinyml.firmware.elf import measure
from tinyml.pipeline import Options, build
from tinyml.pipeline.compiled import compile_model

BOARDS = [board for board in list_boards() if board.camera is not None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for pictures."""
    return tiny_vww(tmp_path_factory.mktemp("vww"))


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_it_builds_fits_and_is_proven(board: Board, toolchain: str, model: Path, tmp_path: Path) -> None:
    options = Options(app="vww", toolchain=require_toolchain(toolchain), inputs=1)
    result = build(str(model), board, tmp_path / "project", options)
    assert result.check.fits and result.emulation is not None and result.emulation.equal
    compiled = compile_model(str(model), board, options)
    estimated = app_ram_bytes("vww", compiled.program, compiled.board)
    measured = measure(Path(result.elf), board).bss_bytes
    assert estimated <= measured < estimated + 512, "buffers, and the drivers' state"


def test_most_boards_kinds_have_a_camera() -> None:
    families = {board.family for board in BOARDS}
    assert families >= {"nrf52", "stm32f7", "stm32h7", "stm32l4", "stm32u5", "rp2040", "rp2350", "mps2", "mps3"}
