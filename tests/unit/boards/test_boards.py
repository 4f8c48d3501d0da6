from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tinyml.boards import list_boards, load_board, read_board
from tinyml.errors import UsageError
from tinyml.paths import boards_dir

SHIPPED = {
    "nano33ble": ("cortex-m4", 64_000_000, 0x10000, 983_040, 262_144, "dsp"),
    "nucleo_l4r5zi": ("cortex-m4", 120_000_000, 0x0800_0000, 2 << 20, 640 << 10, "dsp"),
    "disco_f746ng": ("cortex-m7", 216_000_000, 0x0800_0000, 1 << 20, 320 << 10, "dsp"),
    "nucleo_h743zi": ("cortex-m7", 480_000_000, 0x0800_0000, 2 << 20, 512 << 10, "dsp"),
    "pico": ("cortex-m0plus", 133_000_000, 0x1000_0100, (2 << 20) - 256, 264 << 10, "v6m"),
    "pico2": ("cortex-m33", 150_000_000, 0x1000_0000, 4 << 20, 520 << 10, "dsp"),
    "nucleo_u575zi": ("cortex-m33", 160_000_000, 0x0800_0000, 2 << 20, 768 << 10, "dsp"),
    "microbit": ("cortex-m0", 16_000_000, 0, 256 << 10, 16 << 10, "v6m"),
    "netduinoplus2": ("cortex-m4", 168_000_000, 0x0800_0000, 1 << 20, 128 << 10, "dsp"),
    "mps2-an385": ("cortex-m3", 25_000_000, 0, 4 << 20, 4 << 20, "v7m"),
    "mps2-an386": ("cortex-m4", 25_000_000, 0, 4 << 20, 4 << 20, "dsp"),
    "mps2-an500": ("cortex-m7", 25_000_000, 0, 4 << 20, 4 << 20, "dsp"),
    "mps2-an505": ("cortex-m33", 20_000_000, 0x1000_0000, 4 << 20, 4 << 20, "dsp"),
    "mps3-an547": ("cortex-m55", 32_000_000, 0, 512 << 10, 512 << 10, "mve"),
}
MINIMAL = (boards_dir() / "mps3-an547.toml").read_text(encoding="utf-8")


def write(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text.replace("mps3-an547", name), encoding="utf-8")
    return path


def test_the_shipped_boards_are_those_of_the_design() -> None:
    assert {board.name for board in list_boards()} == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_core_clock_and_memory(name: str) -> None:
    board = load_board(name)
    core, clock_hz, flash_start, flash_bytes, ram_bytes, isa = SHIPPED[name]
    assert (board.core, board.clock_hz, board.isa_name) == (core, clock_hz, isa)
    assert (board.flash.start, board.flash.available_bytes) == (flash_start, flash_bytes)
    assert board.ram.available_bytes == ram_bytes
    assert any(emulator.kind in ("unicorn", "qemu") for emulator in board.emulators)
    assert board.frameworks[0].name == "baremetal"


def test_separate_memories_are_separate_regions() -> None:
    rams = {region.name: region.size_bytes for region in load_board("nucleo_h743zi").regions if region.kind == "ram"}
    assert rams == {"AXI_SRAM": 524288, "DTCM": 131072, "ITCM": 65536, "D2_SRAM": 294912, "SRAM4": 65536}
    banks = {bank.name: bank.size_bytes for bank in load_board("disco_f746ng").ram.banks}
    assert banks == {"DTCM": 65536, "SRAM1": 245760, "SRAM2": 16384}


def test_an_unknown_board_is_told_its_nearest_name() -> None:
    with pytest.raises(UsageError) as caught:
        load_board("nano33bel")
    assert caught.value.exit_code == 2
    assert caught.value.message == "unknown board 'nano33bel'"
    assert caught.value.hint == "did you mean nano33ble?"


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UsageError, match=r"there is no board file nowhere/b\.toml"):
        load_board("nowhere/b.toml")


def test_own_boards_are_found_in_the_working_directory_and_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boards").mkdir()
    path = write(tmp_path / "boards", MINIMAL)
    assert load_board(path).name == "mine"
    assert load_board(str(path)).name == "mine"
    monkeypatch.chdir(tmp_path)
    assert load_board("mine").path == Path("boards/mine.toml")
    assert "mine" in {board.name for board in list_boards()}


def test_an_own_board_wins_over_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "boards").mkdir()
    shutil.copy(boards_dir() / "pico.toml", tmp_path / "boards" / "pico.toml")
    monkeypatch.chdir(tmp_path)
    assert load_board("pico").path == Path("boards/pico.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clock_hz = 32_000_000", "clock_mhz = 32", "core.clock_hz: is missing"),
        ("clock_hz = 32_000_000", 'clock_hz = "fast"', "core.clock_hz: must be an integer, not 'fast'"),
        ("clock_hz = 32_000_000", "clock_hz = true", "core.clock_hz: must be an integer, not True"),
        ("clock_hz = 32_000_000", "clock_hz = 3", "core.clock_hz: must lie between 1000000 and 2000000000, not 3"),
        ('"cortex-m55"', '"cortex-m99"', "core.name: 'cortex-m99' is not a known value"),
        ('"dpfpu", ', '"dpfpuu", ', "core.features: 'dpfpuu' is not a known value"),
        ('["dsp", ', "[", "core.features: every cortex-m55 has 'dsp'"),
        ('name = "cortex-m55"', 'name = "cortex-m4"', "core.features: no cortex-m4 has 'dpfpu'"),
        ('"fpu", ', "", "core.features: 'dpfpu' (double precision) needs 'fpu'"),
        ('size = "4M"', 'size = "4Q"', "regions[2].size: '4Q' is not a size such as 65536, 64K or 1M"),
        ('size = "4M"', "size = 0", "regions[2].size: 0 bytes at 0x21000000 do not lie within 32-bit addresses"),
        ("origin = 0x2100_0000", "origin = 0x2000_0000", "regions[2].origin: SRAM2 overlaps RAM"),
        ('name = "SRAM2"', 'name = "RAM"', "regions[2].name: 'RAM' is used twice"),
        ('name = "SRAM2"', 'name = "S RAM; }"', "regions[2].name: 'S RAM; }' must be letters"),
        (
            'size = "4M"',
            'size = "4M"\nbanks = [{ name = "A", size = "1M" }]',
            "regions[2].banks: the banks hold 1048576",
        ),
        (
            'size = "4M"',
            'size = "4M"\nreserved_start = "4M"\nreserved_for = "x"',
            "regions[2].reserved_start: nothing is left",
        ),
        ('size = "4M"', 'size = "4M"\nreserved_start = "1K"', "regions[2].reserved_for: must say what"),
        ('kind = "flash"', 'kind = "ram"', "regions: a region of kind 'flash' is missing"),
        ("baud = 115200", "baud = 9", "console.baud: must lie between 1200 and 4000000, not 9"),
        ("baud = 115200", 'baud = 115200\nusb_id = "2341"', "console.usb_id: '2341' is not of the form"),
        (
            'protocol = "none"',
            'protocol = "none"\nusb_ids = ["2341:805A"]',
            "upload[0].usb_ids: '2341:805A' is not of the form",
        ),
        (
            'protocol = "none"',
            'protocol = "none"\nusb_ids = ["2341:805a"]\nboot_usb_ids = ["2341:005a"]',
            "upload[0].boot_usb_ids: '2341:005a' is not one of usb_ids",
        ),
        ('protocol = "none"', 'protocol = "none"\nfile = "exe"', "upload[0].file: 'exe' is not a known value"),
        ('title = "Arm', 'titel = "x"\ntitle = "Arm', "titel: is not a known key"),
        ('title = "', 'title = 3 # "', "title: must be a string, not 3"),
    ],
)
def test_every_complaint_names_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MINIMAL
    path = write(tmp_path, MINIMAL.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        read_board(path)
    assert caught.value.message.startswith(f"{path}: {message}")


def test_a_misspelled_key_is_told_the_right_one(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL.replace('title = "', 'vendro = "x"\ntitle = "', 1))
    with pytest.raises(UsageError) as caught:
        read_board(path)
    assert caught.value.hint == "did you mean vendor?"


def test_the_name_must_be_the_files(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    renamed = path.rename(tmp_path / "other.toml")
    with pytest.raises(UsageError, match="'mine' differs from the file's name"):
        read_board(renamed)


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"= 1"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"bad\.toml"):
        read_board(path)
