"""The keyword application on every board with every toolchain: it builds without a warning, fits, and says its load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.trivial_network import require_toolchain
from tinyml.boards import Board, list_boards, load_board
from tinyml.errors import DoesNotFitError, UsageError
from tinyml.firmware.image import read_image
from tinyml.firmware.kws import APP
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
    assert ring.size_bytes == 2 * load.ring_samples
    assert 0.75 * load.ring_samples >= 480 + 320 + 16 * (load.frame_ms + load.network_ms)


@pytest.mark.parametrize("name", TOO_SLOW)
def test_a_board_that_is_too_small_or_too_slow_for_the_model_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DoesNotFitError, match=f"{name} can't keep up with the sound at|does not fit {name}"):
        build(MODEL, name, tmp_path / "project", Options(app=APP, emulator="none"))
    warnings = check(MODEL, name, Options(app=APP)).warnings
    assert any(f"{name} can't keep up with the sound at" in warning for warning in warnings)


def test_a_core_that_cannot_keep_up_is_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyml.firmware.kws.core_clock_hz", lambda board: 4_000_000)
    with pytest.raises(
        DoesNotFitError, match=r"nano33ble can't keep up with the sound at 4 MHz: a frame every 20 ms"
    ) as e:
        build(MODEL, "nano33ble", tmp_path / "project", Options(app=APP, emulator="none"))
    assert e.value.hint is not None and "faster board" in e.value.hint
    assert not (tmp_path / "project").exists()


def test_a_model_without_a_front_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no audio front-end beside it"):
        build("mcunet_vww1", load_board("nucleo_h743zi"), tmp_path / "project", Options(app=APP, emulator="none"))
