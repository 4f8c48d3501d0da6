"""Arenas over several RAMs of a board: built, run in emulation, every output byte equal to the reference's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.shared import require_module, require_tool
from tests.support.tflite_builder import Builder
from tinyml import pipeline
from tinyml.boards import load_board
from tinyml.errors import DoesNotFitError
from tinyml.plan.budget import Limits

pytestmark = pytest.mark.slow


def wide_model(folder: Path, kib: int) -> Path:
    """A network with three outputs of ``kib`` KiB together: no plan holds less at its end."""
    builder = Builder()
    x = builder.input((1, 4), scale=0.05)
    rng = np.random.default_rng(0)
    outputs = []
    for scale in (0.05, 0.04, 0.03):
        weights = rng.integers(-127, 128, (64, 4)).astype(np.int8)
        narrow = builder.reshape(builder.fully_connected(x, weights, 0.01, scale=scale), (1, 1, 1, 64))
        outputs.append(builder.pad(narrow, [(0, 0), (0, kib * 1024 // 3 // 64 - 1), (0, 0), (0, 0)]))
    path = folder / f"wide{kib}.tflite"
    path.write_bytes(builder.build(outputs))
    return path


@pytest.mark.parametrize(
    ("board", "emulator", "kib", "regions"),
    [
        ("netduinoplus2", "unicorn", 160, {"RAM", "CCM"}),
        ("netduinoplus2", "qemu", 160, {"RAM", "CCM"}),
        ("nucleo_h743zi", "unicorn", 160, {"DTCM", "AXI_SRAM"}),
        ("nucleo_h743zi", "qemu", 360, {"DTCM", "AXI_SRAM"}),
        ("nucleo_h743zi", "unicorn", 60, {"DTCM"}),
        ("mps3-an547", "qemu", 600, {"RAM", "SRAM2"}),
    ],
)
def test_a_cut_arena_computes_the_same(tmp_path: Path, board: str, emulator: str, kib: int, regions: set[str]) -> None:
    require_module("unicorn") if emulator == "unicorn" else require_tool("qemu-system-arm")
    model = wide_model(tmp_path, kib)
    result = pipeline.build(str(model), board, tmp_path / "p", pipeline.Options(emulator=emulator, inputs=2))
    assert result.emulation is not None and result.emulation.equal
    arenas = {r.name: p.size_bytes for r in result.check.budget.regions for p in r.parts if p.label == "arena"}
    assert set(arenas) == regions
    assert sum(arenas.values()) == result.check.budget.arena_bytes
    assert Path(result.elf).with_suffix(".bin").stat().st_size < 1 << 20, "the arena is not stored"
    if board in ("netduinoplus2", "mps3-an547"):
        assert result.check.budget.arena_bytes > load_board(board).ram.available_bytes


def test_zig_links_a_cut_arena_alike(tmp_path: Path) -> None:
    require_module("unicorn")
    require_module("ziglang")
    options = pipeline.Options(emulator="unicorn", inputs=1, toolchain="zig")
    result = pipeline.build(str(wide_model(tmp_path, 160)), "netduinoplus2", tmp_path / "p", options)
    assert result.emulation is not None and result.emulation.equal
    assert Path(result.elf).with_suffix(".bin").stat().st_size < 1 << 20


def test_a_byte_less_is_refused_before_anything_is_compiled(tmp_path: Path) -> None:
    model = str(wide_model(tmp_path, 60))
    ram = next(r for r in pipeline.check(model, "nano33ble").budget.regions if r.kind == "ram")
    assert pipeline.check(model, "nano33ble", pipeline.Options(limits=Limits(sram_bytes=ram.used_bytes))).fits
    less = pipeline.Options(limits=Limits(sram_bytes=ram.used_bytes - 1))
    with pytest.raises(DoesNotFitError, match=r"\(1 too many\): arena 61,504"):
        pipeline.build(model, "nano33ble", tmp_path / "p", less)
    assert not (tmp_path / "p").exists()


def test_the_users_own_limit_keeps_to_one_ram(tmp_path: Path) -> None:
    model = wide_model(tmp_path, 160)
    with pytest.raises(DoesNotFitError, match="RAM: have 131,072"):
        pipeline.build(str(model), "netduinoplus2", options=pipeline.Options(limits=Limits(sram_bytes=128 << 10)))
