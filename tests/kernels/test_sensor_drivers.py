"""The camera and microphone drivers against peripherals written in Python: what is set up, and what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.driver_machine import DriverMachine
from tests.support.sensors import SccbSlave, parallel_lines, run_pio, serial_lines
from tinyml.boards import load_board
from tinyml.firmware.parts.camera import sensor_of

CAMERA = """
#include <string.h>
uint32_t state, began, taken, failed;
uint8_t got[TML_CAMERA_LINE_BYTES * TML_CAMERA_HEIGHT];
uint32_t dawdle; /* turns between lines */
void run(void);
void run(void) {
    failed = taken = 0;
    if (state == 0) {
        state = tml_sensor_start() == TML_CAMERA_OK ? 1u : 2u;
        return;
    }
    began = (uint32_t)tml_sensor_begin_frame();
    for (uint32_t y = 0; y < TML_CAMERA_HEIGHT && began == 0; ++y) {
        const uint8_t *line = tml_sensor_next_line();
        if (line == 0) {
            failed = 1;
            return;
        }
        memcpy(got + taken, line, TML_CAMERA_LINE_BYTES);
        taken += TML_CAMERA_LINE_BYTES;
        for (uint32_t i = 0; i < dawdle; ++i) (void)TML_REG32(0x50000510u);
    }
}
"""


def picture(board: str, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(sensor_of(load_board(board)).frame_bytes)


class Nano:
    """The nRF52840's ports with an OV7675 on them."""

    P0_IN, P1_IN, OUTSET, OUTCLR = 0x50000510, 0x50000810, 0x50000508, 0x5000050C
    VSYNC, HREF, PCLK, SDA, SCL = 21, 5, 4, 31, 2
    DATA = (2, 3, 10, 11, 12, 13, 14, 15)

    def __init__(self, folder: Path, frame: bytes, product: int = 0x76) -> None:
        self.core = DriverMachine("nano33ble", ("camera",), ["camera_ov7675_nrf.c"], CAMERA, folder)
        self.slave = SccbSlave(0x21, 1, {0x0A: product})
        self.waves = parallel_lines(frame, 320)
        self.state = next(self.waves)
        self.out, self.lines, self.captured = 0xFFFFFFFF, 0, 0
        self.capturing = False
        self.core.on_read |= {self.P0_IN: self._port0, self.P1_IN: self._port1, 0x40009540: lambda _: self.captured}
        self.core.on_write |= {
            self.OUTSET: lambda _a, v: self._drive(self.out | v),
            self.OUTCLR: lambda _a, v: self._drive(self.out & ~v),
            0x4000900C: lambda _a, _v: self._clear(),
            0x40009040: lambda _a, _v: self._capture(),
        }

    def _clear(self) -> None:
        self.lines = 0

    def _capture(self) -> None:
        self.captured = self.lines

    def _drive(self, value: int) -> None:
        self.out = value
        self.slave.line(value >> self.SCL & 1, value >> self.SDA & 1)

    def _port0(self, _value: int) -> int:
        if self.capturing:
            before, self.state = self.state, next(self.waves)
            self.lines += self.state[1] > before[1]
        vsync, href, pclk, _ = self.state
        return vsync << self.VSYNC | href << self.HREF | pclk << self.PCLK | self.slave.data_line << self.SDA

    def _port1(self, _value: int) -> int:
        return sum((self.state[3] >> bit & 1) << pin for bit, pin in enumerate(self.DATA))


def test_the_ov7675_is_set_up_and_read_to_the_byte(tmp_path: Path) -> None:
    frame = picture("nano33ble")
    nano = Nano(tmp_path, frame)
    nano.core.run()
    assert nano.core.variable("state") == 1
    written = dict(nano.slave.written)
    assert nano.slave.written[0] == (0x12, 0x80), "reset first"
    assert written[0x12] == 0x04 and written[0x40] == 0xD0 and written[0x11] == 0x0F
    assert written[0x3A] == 0x04 and written[0x19] == 0x22, "the OV7675's own window"
    assert nano.core.registers[0x40025514] == 0x80000000 and nano.core.registers[0x40025560] == 27
    nano.capturing = True
    for _ in range(2):
        nano.core.run()
        assert nano.core.variable("failed") == 0 and nano.core.variable("taken") == len(frame)
        assert nano.core.machine.read("got", len(frame)) == frame


def test_the_ov7675_notices_a_line_that_went_by(tmp_path: Path) -> None:
    nano = Nano(tmp_path, picture("nano33ble"))
    nano.core.run()
    nano.capturing = True
    nano.core.machine.write("dawdle", (700).to_bytes(4, "little"))
    nano.core.run()
    assert nano.core.variable("failed") == 1 and nano.core.variable("taken") == 320


def test_another_sensor_or_none_is_no_ov7675(tmp_path: Path) -> None:
    nano = Nano(tmp_path, b"", product=0x26)
    nano.core.run()
    assert nano.core.variable("state") == 2


class Pico:
    """The RP2040's or RP2350's pins, PIO and DMA with an HM01B0 on them."""

    def __init__(self, board: str, folder: Path, frame: bytes, identity: int = 0x01B0) -> None:
        self.core = DriverMachine(board, ("camera",), ["camera_hm01b0_pio.c"], CAMERA, folder)
        self.slave = SccbSlave(0x24, 2, {0: identity >> 8, 1: identity & 0xFF})
        self.frame, self.enabled = frame, 0
        new = board == "pico2"
        self.resets = 0x40020000 if new else 0x4000C000
        oe_set, oe_clr = (0xD0000038, 0xD0000040) if new else (0xD0000024, 0xD0000028)
        self.core.on_read |= {
            0xD0000004: lambda _: self.slave.data_line << 4,
            self.resets + 8: lambda _: 0xFFFFFFFF,
            0x5000000C: lambda value: value & ~((1 << 26) | (1 << 24)),
        }
        self.core.on_write |= {
            oe_set: lambda _a, v: self._drive(self.enabled | v),
            oe_clr: lambda _a, v: self._drive(self.enabled & ~v),
            0x50200000: lambda _a, v: self._start(v),
        }

    def _drive(self, enabled: int) -> None:
        self.enabled = enabled
        self.slave.line(1 - (enabled >> 5 & 1), 1 - (enabled >> 4 & 1))

    def _start(self, control: int) -> None:
        """The state machine runs: what it takes in goes where DMA writes."""
        if control & 1 == 0:
            return
        registers = self.core.registers
        program = [registers[0x50200048 + 4 * i] for i in range(18)]
        wrap = (registers[0x502000CC] >> 7 & 31, registers[0x502000CC] >> 12 & 31)
        pins = {"vsync": 6, "href": 7, "pclk": 8, "d0": registers[0x502000DC] >> 15 & 31}
        size = registers[0x50000008]
        data = run_pio(program, wrap, registers[0x50200010], pins, self.waves(), size)
        assert registers[0x50000000] == 0x50200023
        self.core.machine._uc.mem_write(registers[0x50000004], data)

    def waves(self) -> Iterator[tuple[int, int, int, int]]:
        return serial_lines(self.frame, 160, 2)


@pytest.mark.parametrize("board", ["pico", "pico2"])
def test_the_hm01b0_comes_through_pio_and_dma_to_the_byte(board: str, tmp_path: Path) -> None:
    frame = picture(board)
    pico = Pico(board, tmp_path, frame)
    pico.core.run()
    assert pico.core.variable("state") == 1
    written = dict(pico.slave.written)
    assert written[0x3059] == 0x22 and pico.slave.written[-1] == (0x0100, 0x01)
    pico.core.run()
    assert pico.core.variable("failed") == 0
    assert pico.core.machine.read("got", len(frame)) == frame


def test_no_answer_is_no_hm01b0(tmp_path: Path) -> None:
    pico = Pico("pico", tmp_path, b"", identity=0x0360)
    pico.core.run()
    assert pico.core.variable("state") == 2


class Disco:
    """The STM32F746's DCMI and DMA2 stream 1 with an OV9655 on them, which is ``skip`` lines ahead after line 7.

    ``frame`` is what the application shall get; the sensor sends the low byte of each pixel first.
    """

    LISR, LIFCR, S1CR, DONE = 0x40026400, 0x40026408, 0x40026428, 1 << 11

    def __init__(self, folder: Path, frame: bytes, skip: int = 0) -> None:
        code = CAMERA.replace("0x50000510u", "0x40026400u")
        self.core = DriverMachine("disco_f746ng", ("camera",), ["camera_ov9655_dcmi.c"], code, folder)
        self.slave = SccbSlave(0x30, 1, {0x0A: 0x96})
        self.frame = np.frombuffer(frame, ">u2").astype("<u2").tobytes()
        self.skip, self.line, self.flag = skip, 0, 0
        self.out = 0xFFFF
        self.core.on_read |= {
            0x40020410: lambda _: self.slave.data_line << 9,
            self.LISR: self._status,
            self.S1CR: lambda value: value & ~(1 << 19) | (self.line & 1) << 19,
        }
        self.core.on_write |= {0x40020418: self._drive, self.LIFCR: lambda _a, _v: self._clear()}

    def _drive(self, _address: int, value: int) -> None:
        self.out = (self.out | value) & ~(value >> 16) & 0xFFFF
        self.slave.line(self.out >> 8 & 1, self.out >> 9 & 1)

    def _clear(self) -> None:
        self.flag = 0

    def _status(self, _value: int) -> int:
        """Each look at the status lets one line come in, into the buffer whose turn it is."""
        registers = self.core.registers
        if not self.flag and self.line < 240:
            for _ in range(1 + (self.skip if self.line == 7 else 0)):
                buffer = registers[0x40026434 + 4 * (self.line & 1)]
                data = self.frame[640 * self.line : 640 * (self.line + 1)]
                self.core.machine._uc.mem_write(buffer, data)
                self.line += 1
            self.flag = self.DONE
        return self.flag


def test_the_ov9655_comes_by_lines_to_the_byte(tmp_path: Path) -> None:
    frame = picture("disco_f746ng")
    disco = Disco(tmp_path, frame)
    disco.core.run()
    assert disco.core.variable("state") == 1
    written = dict(disco.slave.written)
    assert written[0x12] == 0x63 and written[0x40] == 0x10 and written[0x3A] == 0xCC
    assert written[0x15] & 0x08 == 0 and disco.core.registers.get(0x50050000, 0) & 1 << 6 == 0, "HREF as DCMI takes it"
    disco.core.run()
    assert disco.core.variable("failed") == 0
    assert disco.core.machine.read("got", len(frame)) == frame
    registers = disco.core.registers
    assert registers[0x4002642C] == 160 and registers[0x40026430] == 0x50050028
    assert registers[0x50050000] & 0x40E3 == 0x40A3, "enabled, VSYNC high, rising edge, snapshot, capture"
    assert sum(address == 0xE000EF5C for address, _ in disco.core.writes) == 240 * 640 // 32, (
        "no stale line of the cache"
    )


def test_the_ov9655_notices_a_line_that_went_by(tmp_path: Path) -> None:
    disco = Disco(tmp_path, picture("disco_f746ng"), skip=1)
    disco.core.run()
    disco.core.run()
    assert disco.core.variable("failed") == 1 and disco.core.variable("taken") == 640 * 7


PDM = """
int16_t ring[1024];
uint32_t started, position, refused, tml_slower_hz;
void run(void);
void irq(void);
uint32_t tml_cycles(void) { return 0; }
void run(void) {
    refused = (uint32_t)tml_microphone_start(8000u, ring, 1024u);
    started = (uint32_t)tml_microphone_start(16000u, ring, 1024u);
}
void irq(void) {
    tml_microphone_irq();
    position = tml_microphone_position();
}
"""


def test_the_pdm_microphone_fills_the_ring_block_by_block(tmp_path: Path) -> None:
    sources = ["microphone_nrf_pdm.c", "microphone_blocks.c"]
    core = DriverMachine("nano33ble", ("microphone",), sources, PDM, tmp_path, "irq", "ring")
    core.run()
    assert core.variable("started") == 0 and core.variable("refused") == 0xFFFFFFFF
    registers = core.registers
    ring = registers[0x4001D560]
    assert registers[0x4001D564] == 256 and registers[0x4001D520] == 1 and registers[0x4001D504] == 0x0A000000
    assert registers[0xE000E100] == 1 << 29 and registers[0x4001D540] == 26 and registers[0x4001D544] == 25
    for block in range(9):
        # the hardware has taken SAMPLE.PTR and begun; from the second block on the last one has ended
        assert registers[0x4001D560] == ring + 512 * (block % 4)
        registers[0x4001D100] = 1
        registers[0x4001D108] = int(block > 0)
        core.machine.call("irq")
        assert registers[0x4001D100] == registers[0x4001D108] == 0
        assert core.variable("position") == 256 * block


def test_the_codecs_microphone_fills_the_ring_from_both_halves(tmp_path: Path) -> None:
    sources = ["microphone_stm32f7_sai.c", "microphone_blocks.c"]
    core = DriverMachine("disco_f746ng", ("microphone",), sources, PDM, tmp_path, "irq", "ring")
    slave = SccbSlave(0x1A, 2, {}, value_bytes=2)
    levels = [0xFFFF]

    def drive(_address: int, value: int) -> None:
        levels[0] = (levels[0] | value) & ~(value >> 16) & 0xFFFF
        slave.line(levels[0] >> 7 & 1, levels[0] >> 8 & 1)

    core.on_write[0x40021C18] = drive
    core.on_read[0x40021C10] = lambda _: slave.data_line << 8
    core.on_read[0x40023800] = lambda value: value | (1 << 27 if value & 1 << 26 else 0)
    core.run()
    assert core.variable("started") == 0 and core.variable("refused") == 0xFFFFFFFF
    assert slave.written[0] == (0, 0) and dict(slave.written)[0x210] == 0x33 and len(slave.written) == 19
    registers = core.registers
    assert registers[0x400264BC] == 512 and registers[0x400264C0] == 0x40015C40 and registers[0xE000E108] == 1 << 6
    rate_hz = 1_000_000 * (registers[0x40023884] >> 6 & 511) / 7 / (2 * (registers[0x40015C04] >> 20 & 15)) / 256
    assert abs(rate_hz - 16_000) < 5
    samples = np.random.default_rng(2).integers(-(2**15), 2**15, (5 * 128, 2)).astype("<i2")
    for block in range(5):
        half = block % 2
        core.machine._uc.mem_write(registers[0x400264C4] + 512 * half, samples[128 * block :][:128].tobytes())
        registers[0x40026404] = 1 << (27 if half else 26)
        core.machine.call("irq")
        assert core.variable("position") == 128 * (block + 1)
    assert core.machine.read("ring", 2 * 5 * 128) == samples[:, 0].tobytes()
