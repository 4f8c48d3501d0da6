"""Boards that show themselves as a drive: the right one found, the copy taken, the failures told."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.fake_flashers import hex_content, uf2_content
from tests.unit.flash.bench import Bench, make_bench
from tinyml.boards import load_board
from tinyml.errors import BoardError, WrongBoardError
from tinyml.flash import drive as drive_module
from tinyml.flash import locate
from tinyml.flash import upload as upload_module
from tinyml.flash.drive import find_drive, mounted_folders, read_drive
from tinyml.flash.ports import UsbDevice
from tinyml.flash.request import Request
from tinyml.flash.upload import FlashResult, flash

RP2040 = "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n"
RP2350 = "UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n"
MBED = '<html><meta http-equiv="refresh" content="0; url=https://os.mbed.com/platforms/?code={}021407203"/></html>'
DETAILS = "# DAPLink Firmware\nUnique ID: 9901000052634e45003f1015000000460000000097969901\nAuto Reset: 1\n"


def make_drive(folder: Path, text: str, name: str = "INFO_UF2.TXT") -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_text(text)
    return folder


@contextmanager
def board_behind(folder: Path, name: str, then: Callable[[bytes], None]) -> Iterator[list[bytes]]:
    """What a board does: waits until the file has come whole, takes it, and restarts (``then``)."""
    taken: list[bytes] = []
    stop = threading.Event()

    def watch() -> None:
        size = -1
        while not stop.wait(0.02):
            path = folder / name
            if path.exists():
                if path.stat().st_size == size > 0:
                    taken.append(path.read_bytes())
                    then(taken[0])
                    return
                size = path.stat().st_size

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield taken
    finally:
        stop.set()
        thread.join()


def copy(bench: Bench, *folders: Path, **request: object) -> FlashResult:
    return flash(
        bench.firmware,
        bench.board,
        Request(tool="copy", **request),  # type: ignore[arg-type]
        lister=lambda: bench.devices,
        folders=lambda: [folder for folder in folders if folder.exists()],
    )


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_module, "DRIVE_TIMEOUT_S", 1.0)
    monkeypatch.setattr(drive_module, "SETTLE_S", 0.2)
    monkeypatch.setattr(drive_module, "POLL_S", 0.02)


def test_a_pico_takes_the_uf2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", [])
    folder = make_drive(tmp_path / "RPI-RP2", RP2040)
    with board_behind(folder, "firmware.uf2", lambda content: shutil.rmtree(folder)) as taken:
        result = copy(bench, make_drive(tmp_path / "stick", "", "photo.jpg"), folder)
    assert (result.tool, result.port, result.verified) == ("copy", str(folder), False)
    address, data = uf2_content(taken[0])
    assert address == 0x1000_0000
    assert data[: len(bench.data)] == bench.data


def test_without_picotool_a_pico_is_flashed_by_copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico2", [])
    folder = make_drive(tmp_path / "RP2350", RP2350)
    with board_behind(folder, "firmware.uf2", lambda content: shutil.rmtree(folder)):
        result = flash(bench.firmware, bench.board, lister=list, folders=lambda: [folder])
    assert result.tool == "copy"


@pytest.mark.parametrize(
    ("board", "text", "name", "file"),
    [
        ("nucleo_l4r5zi", MBED.format("0776"), "MBED.HTM", "firmware.bin"),
        ("microbit", MBED.format("9900"), "MBED.HTM", "firmware.hex"),
        ("microbit", DETAILS, "DETAILS.TXT", "firmware.hex"),
    ],
)
def test_an_mbed_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, text: str, name: str, file: str
) -> None:
    bench = make_bench(tmp_path, monkeypatch, board, [])
    folder = make_drive(tmp_path / "drive", text, name)
    with board_behind(folder, file, lambda content: shutil.rmtree(folder)) as taken:
        copy(bench, folder)
    address = bench.board.flash.start
    content = taken[0] if file.endswith("bin") else hex_content(taken[0].decode())
    assert content == (bench.data if file.endswith("bin") else (address, bench.data))


def test_an_mbed_drive_that_comes_back_with_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "microbit", [])
    folder = make_drive(tmp_path / "MICROBIT", DETAILS, "DETAILS.TXT")

    def refuse(content: bytes) -> None:
        shutil.rmtree(folder)
        time.sleep(0.1)
        make_drive(folder, "error: The hex file cannot be decoded. Checksum calculation failure occurred.", "FAIL.TXT")

    with (
        board_behind(folder, "firmware.hex", refuse),
        pytest.raises(BoardError, match=r"the board did not take the firmware: error: The hex file cannot be decoded"),
    ):
        copy(bench, folder)


def test_a_drive_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", [])
    with pytest.raises(BoardError, match="is still there after 1 s: the board did not take the firmware"):
        copy(bench, make_drive(tmp_path / "RPI-RP2", RP2040))


def test_a_drive_that_goes_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", [])
    folder = make_drive(tmp_path / "RPI-RP2", RP2040)
    monkeypatch.setattr(Path, "open", lambda self, *args, **options: (_ for _ in ()).throw(OSError(5, "I/O error")))
    with pytest.raises(BoardError, match=r"took 0 of [\d,]+ bytes: I/O error") as caught:
        drive_module.copy_to_drive(
            drive_module.Drive(folder, "RPI-RP2", ""), "x", b"abc", timeout_s=1, on_progress=print
        )
    assert "incomplete firmware" in (caught.value.hint or "")
    assert bench.written is None


def test_another_boards_drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", [])
    with pytest.raises(WrongBoardError, match=r"found RP2350 at .*, but the drive of pico says RPI-RP2"):
        copy(bench, make_drive(tmp_path / "RP2350", RP2350))
    with pytest.raises(WrongBoardError, match="found RP2350"):
        copy(bench, port=str(tmp_path / "RP2350"))
    assert not (tmp_path / "RP2350" / "firmware.uf2").exists()


def test_two_drives_are_asked_about(tmp_path: Path) -> None:
    board = load_board("pico")
    folders = [make_drive(tmp_path / name, RP2040) for name in ("a", "b")]
    with pytest.raises(BoardError, match="2 drives could be pico") as caught:
        find_drive(board, board.upload[1], None, folders)
    assert f"--port {folders[0]}" in (caught.value.hint or "")
    chosen = find_drive(board, board.upload[1], str(folders[1]), folders)
    assert chosen is not None
    assert chosen.path == folders[1]


def test_a_folder_that_is_no_drive(tmp_path: Path) -> None:
    board = load_board("pico")
    with pytest.raises(BoardError, match="is not the drive of a bootloader"):
        find_drive(board, board.upload[1], str(tmp_path), [])
    assert read_drive(tmp_path / "none", "uf2") is None


def test_no_drive_and_no_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", [])
    bench.devices.clear()
    with pytest.raises(BoardError, match="no Raspberry Pi Pico is connected") as caught:
        copy(bench)
    assert caught.value.hint == "hold BOOTSEL while plugging the board in, then let go"
    bench.devices.append(UsbDevice("2341:005a", None, "A", "Nano", "1-1"))
    with pytest.raises(WrongBoardError, match="found Arduino Nano 33 BLE"):
        copy(bench)


def test_a_board_whose_drive_is_not_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", [])
    with pytest.raises(BoardError, match="is connected, but its drive is not mounted") as caught:
        copy(bench)
    assert "mount it" in (caught.value.hint or "")


def test_a_running_board_is_sent_to_its_bootloader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", [])
    bench.devices[:] = [UsbDevice("2e8a:000a", "/dev/ttyACM0", "AA", "Pico", "1-4")]
    folder = tmp_path / "RPI-RP2"

    def touch(port: str, upload: object) -> None:
        assert port == "/dev/ttyACM0"
        bench.devices[:] = [UsbDevice("2e8a:0003", None, "E0C9125B0D9B", "RP2 Boot", "1-4")]
        make_drive(folder, RP2040)

    monkeypatch.setattr(locate, "touch", touch)
    monkeypatch.setattr(locate, "SETTLE_S", 0)
    monkeypatch.setattr(upload_module, "REAPPEAR_S", 0.2)
    with pytest.raises(BoardError, match=r"2e8a:0003.* is connected, but its drive is not mounted"):
        copy(bench)
    shutil.rmtree(folder)
    bench.devices[:] = [UsbDevice("2e8a:000a", "/dev/ttyACM0", "AA", "Pico", "1-4")]
    with board_behind(folder, "firmware.uf2", lambda content: shutil.rmtree(folder)):
        assert copy(bench, folder).port == str(folder)


def test_of_two_running_boards_the_named_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico2", [])
    running = [UsbDevice("2e8a:0009", f"/dev/ttyACM{n}", None, "console", f"1-{n}") for n in range(2)]
    bench.devices[:] = [*running, UsbDevice("2341:805a", "/dev/ttyACM2", None, "Nano", "1-7")]
    folder = tmp_path / "RP2350"

    def touch(port: str, upload: object) -> None:
        assert port == "/dev/ttyACM1"
        bench.devices[1] = UsbDevice("2e8a:000f", None, "E0C9125B0D9B", "RP2350 Boot", "1-1")
        make_drive(folder, RP2350)

    monkeypatch.setattr(locate, "touch", touch)
    monkeypatch.setattr(locate, "SETTLE_S", 0)
    with pytest.raises(WrongBoardError, match="found Arduino Nano 33 BLE"):
        copy(bench, folder, port="/dev/ttyACM2")
    assert copy(bench, folder, port="/dev/ttyACM1", dry_run=True).port is None
    with board_behind(folder, "firmware.uf2", lambda content: shutil.rmtree(folder)):
        assert copy(bench, folder, port="/dev/ttyACM1").port == str(folder)


def test_a_dry_run_copies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make_bench(tmp_path, monkeypatch, "pico", [])
    folder = make_drive(tmp_path / "RPI-RP2", RP2040)
    assert copy(bench, folder, dry_run=True).port == str(folder)
    assert copy(bench, dry_run=True).port is None
    assert [path.name for path in folder.iterdir()] == ["INFO_UF2.TXT"]


def test_the_mount_points_of_this_machine_are_folders() -> None:
    assert all(isinstance(folder, Path) for folder in mounted_folders())
    assert drive_module._unescape("/media/me/MY\\040DRIVE") == "/media/me/MY DRIVE"
