"""What of an ELF goes into flash, whether it may, and the files made of it."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.elf_writer import elf_bytes, firmware_bytes, write_firmware
from tests.support.fake_flashers import hex_content, uf2_content
from tinyml.boards import load_board
from tinyml.errors import BoardError, BuildError, DoesNotFitError
from tinyml.flash.image import FlashImage, load_flash_image

NANO = load_board("nano33ble")
STACK = 0x2004_0000


def nano_elf(tmp_path: Path, *segments: tuple[int, bytes]) -> Path:
    path = tmp_path / "firmware.elf"
    path.write_bytes(elf_bytes(segments))
    return path


def test_segments_are_joined_with_erased_bytes_between(tmp_path: Path) -> None:
    first = firmware_bytes(0x10000, STACK, 100)
    image = load_flash_image(nano_elf(tmp_path, (0x10080, b"data"), (0x10000, first)), NANO)
    assert (image.address, image.data) == (0x10000, first + b"\xff" * 28 + b"data")
    assert image.end == 0x10084


@pytest.mark.parametrize("start", [0, 0xF000, 0xFFFC])
def test_the_bootloader_is_not_touched(tmp_path: Path, start: int) -> None:
    with pytest.raises(BoardError, match="keeps for the Arduino bootloader") as caught:
        load_flash_image(nano_elf(tmp_path, (start, firmware_bytes(start, STACK, 64))), NANO)
    assert f"{start:#010x}" in caught.value.message
    assert "nothing was written" in (caught.value.hint or "")


def test_what_is_too_large_says_by_how_much(tmp_path: Path) -> None:
    elf = nano_elf(tmp_path, (0xFF000, bytes(0x1000 + 24)))
    with pytest.raises(DoesNotFitError, match="24 bytes too large for FLASH of nano33ble"):
        load_flash_image(elf, NANO)


def test_the_last_byte_of_flash_may_be_used(tmp_path: Path) -> None:
    body = firmware_bytes(0x10000, STACK, 64)
    assert load_flash_image(nano_elf(tmp_path, (0x10000, body), (0xFFFFF, b"x")), NANO).end == 0x100000


def test_another_boards_addresses(tmp_path: Path) -> None:
    write_firmware(tmp_path / "f.elf", 0x0800_0000, 0x2002_0000)
    with pytest.raises(BoardError, match=r"f\.elf is linked for 0x08000000, but the flash of nano33ble is at 0x0000"):
        load_flash_image(tmp_path / "f.elf", NANO)


def test_another_boards_ram(tmp_path: Path) -> None:
    write_firmware(tmp_path / "f.elf", 0x0800_0000, 0x2408_0000)
    with pytest.raises(BoardError, match="that is no firmware for nucleo_l4r5zi, whose RAM is at 0x20000000"):
        load_flash_image(tmp_path / "f.elf", load_board("nucleo_l4r5zi"))
    assert load_flash_image(tmp_path / "f.elf", load_board("nucleo_h743zi")).address == 0x0800_0000


def test_the_boot_stage_of_rp2040_belongs_to_the_image(tmp_path: Path) -> None:
    body = firmware_bytes(0x1000_0100, 0x2004_2000)
    elf = nano_elf(tmp_path, (0x1000_0000, bytes(256)), (0x1000_0100, body))
    assert load_flash_image(elf, load_board("pico")).address == 0x1000_0000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a firmware ELF file"),
        (b"\x7fELF", "is not a firmware ELF file"),
        (b"MZ" * 300, "is not a firmware ELF file"),
        (elf_bytes([(0x10000, bytes(64))], machine=62), "is not for a 32-bit Arm core"),
    ],
)
def test_what_is_no_firmware(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "f.elf").write_bytes(content)
    with pytest.raises(BuildError, match=message):
        load_flash_image(tmp_path / "f.elf", NANO)


def test_contents_that_contradict_each_other(tmp_path: Path) -> None:
    elf = nano_elf(tmp_path, (0x10000, firmware_bytes(0x10000, STACK, 64)), (0x10020, b"twice"))
    with pytest.raises(BoardError, match="holds two contents for 0x00010020"):
        load_flash_image(elf, NANO)


def test_less_than_a_vector_table(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="too short to hold a vector table"):
        load_flash_image(nano_elf(tmp_path, (0x10000, b"abcd")), NANO)


@pytest.mark.parametrize("address", [0, 0x10000, 0x0800_0000, 0x0800_FFF4, 0x1000_0100])
@pytest.mark.parametrize("size_bytes", [1, 15, 16, 17, 300, 70_000])
def test_intel_hex_reads_back(address: int, size_bytes: int) -> None:
    data = bytes(i * 7 & 0xFF for i in range(size_bytes))
    assert hex_content(FlashImage(address, data, "x").to_hex().decode()) == (address, data)


@pytest.mark.parametrize(("address", "size_bytes"), [(0x1000_0000, 1), (0x1000_0000, 4096), (0x1000_0100, 9000)])
def test_uf2_reads_back_in_whole_sectors(address: int, size_bytes: int) -> None:
    data = bytes(i * 7 & 0xFF for i in range(size_bytes))
    content = FlashImage(address, data, "pico").to_uf2(0xE48BFF56)
    start, read = uf2_content(content)
    assert start == address & ~0xFFF
    assert len(read) % 4096 == 0
    assert read == b"\xff" * (address - start) + data + b"\xff" * (len(read) - (address - start) - size_bytes)
    assert {struct.unpack_from("<I", content, i + 28)[0] for i in range(0, len(content), 512)} == {0xE48BFF56}


def test_a_uf2_block_byte_by_byte() -> None:
    block = FlashImage(0x1000_0000, b"\x01\x02", "pico").to_uf2(0xE48BFF56)[:512]
    header = "5546320a 57515d9e 00200000 00000010 00010000 00000000 10000000 56ff8be4"
    assert block[:32] == bytes.fromhex(header)
    assert block[32:288] == b"\x01\x02" + b"\xff" * 254
    assert block[288:508] == bytes(220)
    assert block[508:] == bytes.fromhex("306fb10a")


def test_a_board_file_without_a_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.flash.bench import make_bench
    from tinyml.errors import UsageError

    bench = make_bench(tmp_path, monkeypatch, "pico", ["picotool"])
    bench.board = replace(bench.board, upload=tuple(replace(u, target=None) for u in bench.board.upload))
    with pytest.raises(UsageError, match="names no family id"):
        bench.flash()
