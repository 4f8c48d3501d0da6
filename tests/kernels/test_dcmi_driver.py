"""The OV7670 on the camera interfaces of the STM32 H7, L4 and U5: registers and DMA in Python, lines to the byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kernels.test_sensor_drivers import CAMERA, picture
from tests.support.driver_machine import DriverMachine
from tests.support.sensors import SccbSlave

LINE, LINES = 320, 120


@dataclass(frozen=True, slots=True)
class Family:
    """Where a family has its registers, and the bits of the flags (reference manuals' register maps).

    ``request`` is (register, number) of what DMA waits for; ``clocks`` are registers with the bits that must be set.
    """

    gpio_b: int
    dcmi: int
    control: int
    flags: int
    forget: int
    half: int
    done: int
    count: int
    source: int
    target: int
    request: tuple[int, int]
    clocks: tuple[tuple[int, int], ...]
    mco: tuple[int, int]


FAMILIES = {
    "nucleo_h743zi": Family(
        0x58020400, 0x48020000, 0x40020428, 0x40020400, 0x40020408, 1 << 10, 1 << 11, 0x4002042C, 0x40020430,
        0x40020434,
        (0x40020824, 75), ((0x580244D8, 2), (0x580244DC, 1), (0x58024400, 1)), (0x58024410, 4 << 18),
    ),
    "nucleo_l4r5zi": Family(
        0x48000400, 0x50050000, 0x40020008, 0x40020000, 0x40020004, 1 << 2, 1 << 1, 0x4002000C, 0x40020010, 0x40020014,
        (0x40020800, 90), ((0x40021048, 5), (0x4002104C, 1 << 14), (0x40021000, 1 << 8)), (0x40021008, 3 << 24),
    ),
    "nucleo_u575zi": Family(
        0x42020400, 0x4202C000, 0x40020064, 0x40020060, 0x4002005C, 1 << 9, 1 << 8, 0x40020098, 0x4002009C, 0x400200A0,
        (0x40020094, 86), ((0x46020C88, 1), (0x46020C8C, 1 << 12), (0x46020C00, 1 << 8)), (0x46020C1C, 3 << 24),
    ),
}  # fmt: skip


class Nucleo:
    """A board with the sensor, whose lines come one at each look at the flags, ``skip`` more after line 7."""

    def __init__(self, board: str, folder: Path, frame: bytes, skip: int = 0, product: int = 0x76) -> None:
        self.at = FAMILIES[board]
        code = CAMERA.replace("0x50000510u", f"0x{self.at.count:08X}u")
        self.core = DriverMachine(board, ("camera",), ["camera_ov7670_dcmi.c"], code, folder)
        self.slave = SccbSlave(0x21, 1, {0x0A: product})
        self.frame, self.skip, self.line, self.flags, self.out = frame, skip, 0, 0, 0xFFFF
        self.core.on_read |= {
            self.at.gpio_b + 0x10: lambda _: self.slave.data_line << 9,
            self.at.flags: lambda _: self._status(),
            self.at.control: lambda value: 0 if value & 2 and board == "nucleo_u575zi" else value,
        }
        self.core.on_write |= {self.at.gpio_b + 0x18: self._drive, self.at.forget: lambda _a, v: self._forget(v)}

    def _drive(self, _address: int, value: int) -> None:
        self.out = (self.out | value) & ~(value >> 16) & 0xFFFF
        self.slave.line(self.out >> 8 & 1, self.out >> 9 & 1)

    def _forget(self, bits: int) -> None:
        self.flags &= ~bits

    def _status(self) -> int:
        if self.flags == 0 and self.line < LINES:
            for _ in range(1 + (self.skip if self.line == 7 else 0)):
                target = self.core.registers[self.at.target] + LINE * (self.line & 1)
                self.core.machine._uc.mem_write(target, self.frame[LINE * self.line : LINE * (self.line + 1)])
                self.flags |= self.at.done if self.line & 1 else self.at.half
                self.line += 1
        return self.flags

    def again(self) -> None:
        self.line = self.flags = 0


@pytest.mark.parametrize("board", FAMILIES)
def test_frames_come_by_lines_to_the_byte(board: str, tmp_path: Path) -> None:
    frame = picture(board)
    nucleo = Nucleo(board, tmp_path, frame)
    at, core = nucleo.at, nucleo.core
    core.run()
    assert core.variable("state") == 1
    written = dict(nucleo.slave.written)
    assert nucleo.slave.written[0] == (0x12, 0x80), "reset first"
    assert written[0x12] == 0x04 and written[0x11] == 0x05 and written[0x40] == 0xD0 and written[0x3A] == 0x04
    lines = (written[0x1A] << 2 | written[0x03] >> 2 & 3) - (written[0x19] << 2 | written[0x03] & 3)
    assert lines == 4 * LINES, "the sensor's window, of which every fourth line is kept"
    assert all(core.registers[register] & bits == bits for register, bits in at.clocks)
    assert core.registers[at.mco[0]] == at.mco[1], "16 MHz on MCO"
    for _ in range(2):
        nucleo.again()
        core.run()
        assert core.variable("failed") == 0 and core.machine.read("got", len(frame)) == frame
    assert core.registers[at.request[0]] == at.request[1]
    assert core.registers[at.source] == at.dcmi + 0x28
    assert core.registers[at.count] in (2 * LINE // 4, 2 * LINE), "words, or bytes of the GPDMA"
    assert core.registers[at.dcmi] & 0x40E3 == 0x40A3, "enabled, VSYNC high, rising edge, snapshot, capture"


@pytest.mark.parametrize("board", FAMILIES)
def test_a_line_that_was_written_over_is_noticed(board: str, tmp_path: Path) -> None:
    nucleo = Nucleo(board, tmp_path, picture(board), skip=1)
    nucleo.core.run()
    nucleo.core.run()
    assert nucleo.core.variable("failed") == 1 and nucleo.core.variable("taken") == 7 * LINE


def test_the_list_of_the_gpdma_begins_the_block_anew(tmp_path: Path) -> None:
    nucleo = Nucleo("nucleo_u575zi", tmp_path, picture("nucleo_u575zi"))
    nucleo.core.run()
    nucleo.core.run()
    registers = nucleo.core.registers
    link = registers[0x400200CC]
    assert link >> 16 == 1 << 13 | 1 << 11 | 1, "block size, destination, link"
    item = int.from_bytes(nucleo.core.machine._uc.mem_read(registers[0x40020050] | link & 0xFFFC, 12), "little")
    assert item & 0xFFFFFFFF == 2 * LINE and item >> 32 & 0xFFFFFFFF == registers[0x400200A0] and item >> 64 == link


def test_another_sensor_or_none_is_no_ov7670(tmp_path: Path) -> None:
    nucleo = Nucleo("nucleo_l4r5zi", tmp_path, b"", product=0x26)
    nucleo.core.run()
    assert nucleo.core.variable("state") == 2
