"""The keyword application on every board with every toolchain: it builds without a warning, fits, and says its load."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.trivial_network import require_toolchain
from tinyml.boards import Board, list_boards, load_board
from tinyml.errors import DoesNotFitError, UsageError
from tinyml.firmware.image import read_image
from tinyml.firmware.kws import APP, printing_ms
from tinyml.pipeline import Options, build, check

MODEL = "kws_ds_cnn_s"
TOO_SLOW = ("microbit", "mps2-an385")
BOARDS = [board for board in list_boards() if board.name not in TOO_SLOW]


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_it_builds_fits_and_keeps_up(tmp_path: Path, board: Board, toolchain: str) -> None:
    options = Options(app=APP, toolchain=require_toolchain(toolchain), inputs=1)
    result = build(MODEL, board, tmp_path / "project", options)
    assert result.check.fits and result.emulation is not None and result.emulation.equal
    assert result.audio is not None
    load = result.audio.load
    assert load.load < 1.0 and load.stride_ms <= 500 and load.exact == (board.emulator("unicorn") is not None)
    assert load.frame_instructions <= 130_000
    assert result.audio.frontend_ram_bytes <= 6 * 1024
    ring = read_image(Path(result.elf)).by_name["ring"]
    assert ring.size_bytes == 2 * load.ring_samples and ring.address % 4 == 0
    assert 0.75 * load.ring_samples >= 480 + 320 + 16 * (load.frame_ms + load.network_ms + printing_ms(board))
    assert (result.audio.microphone is None) == (board.microphone is None)
    assert result.audio.microphone_hz is None or abs(result.audio.microphone_hz - 16_000) < 8
    said = str(result.audio).splitlines()[-1]
    assert (
        all(f"{signal} {pin}" in said for signal, pin in board.microphone.pins) if board.microphone else "none" in said
    )


@pytest.mark.parametrize("name", TOO_SLOW)
def test_a_board_that_is_too_slow_for_the_model_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DoesNotFitError, match=f"{name} can't keep up with the sound at"):
        build(MODEL, name, tmp_path / "project", Options(app=APP, emulator="none"))
    warnings = check(MODEL, name, Options(app=APP)).warnings
    assert any(f"{name} can't keep up with the sound at" in warning for warning in warnings)


@pytest.mark.parametrize(("board", "core_hz"), [("nano33ble", 4_000_000), ("pico", 8_000_000)])
def test_a_core_that_cannot_keep_up_is_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, core_hz: int
) -> None:
    monkeypatch.setattr("tinyml.firmware.kws.core_clock_hz", lambda board: core_hz)
    said = rf"{board} can't keep up with the sound at {core_hz // 1_000_000} MHz: a frame every 20 ms"
    with pytest.raises(DoesNotFitError, match=said) as e:
        build(MODEL, board, tmp_path / "project", Options(app=APP, emulator="none"))
    assert e.value.hint is not None and "faster board" in e.value.hint
    assert not (tmp_path / "project").exists()


def test_ram_that_does_not_hold_ring_and_microphone_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    board = load_board("pico")
    flash, ram = board.regions
    small = replace(board, regions=(flash, replace(ram, size_bytes=16 * 1024, banks=())))
    with pytest.raises(DoesNotFitError, match=r"does not fit pico\n  RAM: have 16,384 bytes, need 2\d,\d{3}") as e:
        build(MODEL, small, tmp_path / "project", Options(app=APP, emulator="none"))
    assert e.value.hint is not None
    assert not (tmp_path / "project").exists()


def test_a_front_end_of_another_rate_than_the_microphones_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = importlib.import_module("tinyml.firmware.parts.microphone")
    monkeypatch.setattr(part, "microphone_rate_hz", lambda board, core_hz: 15_500.0)
    with pytest.raises(UsageError, match="the microphone of nucleo_u575zi gives 15,500 samples a second"):
        build(MODEL, "nucleo_u575zi", tmp_path / "project", Options(app=APP, emulator="none"))
    assert not (tmp_path / "project").exists()


def test_a_model_without_a_front_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no audio front-end beside it"):
        build("mcunet_vww1", load_board("nucleo_h743zi"), tmp_path / "project", Options(app=APP, emulator="none"))
