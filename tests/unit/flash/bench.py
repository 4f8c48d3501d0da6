"""A board on the bench: a firmware for it, fake tools on PATH, its flash as a file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.elf_writer import write_firmware
from tests.support.fake_flashers import install
from tinyml.boards import Board, load_board
from tinyml.flash.firmware import Firmware
from tinyml.flash.ports import UsbDevice
from tinyml.flash.request import Reporter, Request
from tinyml.flash.upload import FlashResult, flash


@dataclass
class Bench:
    """One board, one firmware, the tools in ``folder/bin`` and what is connected."""

    folder: Path
    board: Board
    firmware: Firmware
    data: bytes
    devices: list[UsbDevice]

    def flash(self, request: Request | None = None, reporter: Reporter | None = None) -> FlashResult:
        return flash(
            self.firmware,
            self.board,
            request or Request(timeout_s=20),
            reporter=reporter,
            lister=lambda: self.devices,
            folders=lambda: [],
        )

    @property
    def written(self) -> tuple[int, bytes] | None:
        """Address and bytes that are in the board's flash, None where nothing was written."""
        path = self.folder / "flash.json"
        if not path.exists():
            return None
        content = json.loads(path.read_text())
        return content["address"], bytes.fromhex(content["data"])

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def make_bench(
    folder: Path, monkeypatch: pytest.MonkeyPatch, board: str, tools: Sequence[str], mode: str = "good"
) -> Bench:
    """A bench with only ``tools`` on PATH; the connected device is the board in its bootloader (or its probe)."""
    loaded = load_board(board)
    install(folder / "bin", *tools)
    monkeypatch.setenv("PATH", str(folder / "bin"))
    monkeypatch.setenv("HOME", str(folder / "home"))
    monkeypatch.setenv("FAKE_MODE", mode)
    monkeypatch.setenv("FAKE_FLASH", str(folder / "flash.json"))
    monkeypatch.setenv("FAKE_CALLS", str(folder / "calls"))
    monkeypatch.setenv("FAKE_APPLICATION", hex(loaded.flash.start))
    monkeypatch.setitem(sys.modules, "pyocd", None)
    elf = folder / "firmware.elf"
    start = loaded.flash.origin if loaded.family == "rp2040" else loaded.flash.start
    data = firmware_of(loaded, elf, start)
    upload = next((u for u in loaded.upload if u.tool in tools), loaded.upload[0])
    usb_ids = upload.boot_usb_ids or upload.usb_ids
    devices = [UsbDevice(usb_id, None, "0123ABCD", loaded.title, "1-4") for usb_id in usb_ids[:1]]
    return Bench(folder, loaded, Firmware(elf), data, devices)


def firmware_of(board: Board, elf: Path, start: int) -> bytes:
    """Writes an ELF that fits ``board``; on RP2040 it begins with a boot stage of 256 bytes."""
    stack_top = board.ram.origin + board.ram.size_bytes
    if start == board.flash.start:
        return write_firmware(elf, start, stack_top)
    from tests.support.elf_writer import elf_bytes, firmware_bytes

    boot2, body = bytes(range(256)), firmware_bytes(board.flash.start, stack_top)
    elf.write_bytes(elf_bytes([(start, boot2), (board.flash.start, body)]))
    return boot2 + body


def open_terminal() -> tuple[int, str]:
    """The far end of a pseudo-terminal and the name of the near one."""
    far, near = os.openpty()
    name = os.ttyname(near)
    os.close(near)
    return far, name
