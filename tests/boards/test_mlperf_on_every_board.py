"""The MLPerf Tiny applications on every board with every toolchain: they build without a warning and fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.shared import require_module
from tests.support.tflite_builder import Builder
from tests.support.trivial_network import require_toolchain
from tinyml.boards import Board, list_boards
from tinyml.pipeline import Options, build


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = Builder()
    weights = (np.arange(4 * 3 * 3 * 2) % 5 - 2).astype(np.int8).reshape(4, 3, 3, 2)
    path = tmp_path_factory.mktemp("mlperf") / "small.tflite"
    path.write_bytes(builder.build([builder.conv_2d(builder.input((1, 6, 6, 2)), weights)]))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("board", list_boards(), ids=lambda board: board.name)
def test_it_builds_and_fits(tmp_path: Path, model: Path, board: Board, toolchain: str) -> None:
    energy = board.leds and toolchain == "gcc"
    for app in ("mlperf_tiny", *(["mlperf_tiny_energy"] if energy else [])):
        options = Options(app=app, toolchain=require_toolchain(toolchain), emulator="none")
        assert build(model, board, tmp_path / app, options).check.fits


@pytest.mark.slow
@pytest.mark.parametrize("app", ["mlperf_tiny", "mlperf_tiny_energy"])
def test_the_image_that_is_flashed_is_proven(tmp_path: Path, model: Path, app: str) -> None:
    require_module("unicorn")
    result = build(model, "nucleo_l4r5zi", tmp_path / app, Options(app=app, inputs=1))
    assert result.emulation is not None and result.emulation.equal
