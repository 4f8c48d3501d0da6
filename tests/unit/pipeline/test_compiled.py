"""A model compiled for a board: which plan it gets when the first one does not fit the flash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.tflite_builder import Builder
from tinyml import pipeline
from tinyml.pipeline.compiled import Options
from tinyml.plan.budget import Limits
from tinyml.report.results import CheckResult

BOARD = "nano33ble"


@pytest.fixture
def inverted_residuals(tmp_path: Path) -> Path:
    """A stem and inverted residuals at 32 x 32, which the default plan runs by rows."""
    source = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
        return source.integers(-127, 128, shape).astype(np.int8)

    b = Builder()
    x = b.conv_2d(b.input((1, 32, 32, 4)), weights(8, 3, 3, 4))
    for _ in range(4):
        y = b.depthwise_conv_2d(b.conv_2d(x, weights(32, 1, 1, 8)), weights(1, 3, 3, 32))
        x = b.binary("ADD", x, b.conv_2d(y, weights(8, 1, 1, 32)))
    path = tmp_path / "model.tflite"
    path.write_bytes(b.build([x]))
    return path


def used_bytes(result: CheckResult, kind: str) -> int:
    return sum(region.used_bytes for region in result.budget.regions if region.kind == kind)


def checked(model: Path, flash_bytes: int | None = None, sram_bytes: int | None = None) -> CheckResult:
    limits = Limits(flash_bytes=flash_bytes, sram_bytes=sram_bytes)
    return pipeline.check(model, BOARD, Options(toolchain="gcc", limits=limits))


def test_where_code_by_rows_overflows_the_flash_a_plan_of_more_memory_is_taken(inverted_residuals: Path) -> None:
    free = checked(inverted_residuals)
    assert free.by_rows is not None
    tight = checked(inverted_residuals, flash_bytes=used_bytes(free, "flash") - 1)
    assert tight.fits
    assert used_bytes(tight, "flash") < used_bytes(free, "flash")
    assert tight.budget.arena_bytes > free.budget.arena_bytes


def test_where_no_plan_fits_the_one_of_least_memory_stays(inverted_residuals: Path) -> None:
    free = checked(inverted_residuals)
    without_room = checked(inverted_residuals, flash_bytes=8_000)
    assert not without_room.fits
    assert without_room.budget.arena_bytes == free.budget.arena_bytes
    arena_bytes = free.budget.arena_bytes
    both = checked(inverted_residuals, used_bytes(free, "flash") - 1, used_bytes(free, "ram"))
    assert not both.fits and both.budget.arena_bytes == arena_bytes
