"""I2S microphones of STM32 and RP2 against registers in Python: from bits on the line to samples in the ring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from tests.support.driver_machine import DriverMachine
from tests.support.microphones import (
    ChainedDma,
    I2sMicrophone,
    ListDma,
    StreamDma,
    i2s_frame,
    pio_words,
    sai_frame,
)
from tinyml.boards import load_board
from tinyml.firmware.drivers import drivers_for
from tinyml.firmware.parts.microphone import RATE_TOLERANCE_PPM, microphone_rate_hz

RING, BLOCK = 256, 64
HARNESS = f"""
int16_t ring[{RING}];
uint32_t started, position, overruns, refused, cycles, tml_slower_hz;
void run(void);
void irq(void);
uint32_t tml_cycles(void) {{ return cycles; }}
void run(void) {{
    refused = (uint32_t)tml_microphone_start(8000u, ring, {RING}u);
    started = (uint32_t)tml_microphone_start(16000u, ring, {RING}u);
}}
void irq(void) {{
    tml_microphone_irq();
    position = tml_microphone_position();
    overruns = tml_microphone_overruns();
}}
"""


class Dma(Protocol):
    def take(self, word: int) -> bool: ...


class Mcu:
    """A board with the driver on it; the kinds below say where its registers are and how fast it samples."""

    source = ""
    irq = 0
    pll: tuple[int, int] | None = None
    """The register and the bit that says that the PLL is ready; the one below switches it on."""
    clocks: tuple[tuple[int, int], ...] = ()
    alternate: tuple[tuple[int, int, int], ...] = ()
    """(port, pin, function)."""

    def __init__(self, board: str, folder: Path, *, starts: bool = True) -> None:
        self.board = board
        self.core = DriverMachine(
            board, ("microphone",), [self.source, "microphone_blocks.c"], HARNESS, folder, "irq", "ring", "cycles"
        )
        self.dma = self.make_dma()
        if self.pll is not None:
            register, bit = self.pll
            self.core.on_read[register] = lambda value: value | (bit if starts and value & bit >> 1 else 0)

    def make_dma(self) -> Dma:
        raise NotImplementedError

    def words(self, microphone: I2sMicrophone) -> Iterator[int]:
        raise NotImplementedError

    def rate_hz(self) -> float:
        raise NotImplementedError

    def lose(self) -> int:
        """The interface says that it lost a word. Gives where the driver says that it has seen it, 0 for reading."""
        raise NotImplementedError

    def recover(self) -> None:
        """The interface has been told, and says so no more."""

    def field(self, address: int, low: int, bits: int) -> int:
        return self.core.registers.get(address, 0) >> low & (1 << bits) - 1

    def check_setup(self) -> None:
        for register, bits in self.clocks:
            assert self.core.registers[register] & bits == bits, f"{register:#x} clocks it"
        for port, pin, function in self.alternate:
            assert self.field(port, 2 * pin, 2) == 2, f"{port:#x} pin {pin} is its peripheral's"
            assert self.field(port + 0x20 + 4 * (pin // 8), 4 * (pin % 8), 4) == function
        assert self.field(0xE000E100 + 4 * (self.irq // 32), self.irq % 32, 1) == 1


class F405(Mcu):
    source, irq = "microphone_stm32f4_i2s.c", 14
    pll = (0x40023800, 1 << 27)
    clocks = ((0x40023840, 1 << 14), (0x40023830, 1 << 21 | 1 << 1), (0x40020418, 1 << 2))
    alternate = ((0x40020400, 13, 5), (0x40020400, 12, 5), (0x40020400, 15, 5))
    SPI2 = 0x40003800
    overrun = beginnings = 0

    def make_dma(self) -> Dma:
        self.core.on_read[self.SPI2 + 8] = self._status
        self.core.on_write[self.SPI2 + 0x1C] = self._configure
        return StreamDma(self.core, 0x40026000, 3, channels=False, source=self.SPI2 + 12)

    def _configure(self, _address: int, value: int) -> None:
        self.beginnings += value >> 10 & 1

    def _status(self, _value: int) -> int:
        value, self.overrun = self.overrun, 0
        return value

    def words(self, microphone: I2sMicrophone) -> Iterator[int]:
        config = self.core.registers[self.SPI2 + 0x1C]
        assert config >> 10 & 1 and self.core.registers[self.SPI2 + 4] == 1 and self.field(0x40026058, 25, 3) == 0
        return i2s_frame(config).words(microphone)

    def rate_hz(self) -> float:
        """RM0090, 28.4.4 and 7.3.23: a crystal of 25 MHz, which the core's PLL divides by 25."""
        assert self.field(0x40023808, 23, 1) == 0 and self.field(self.SPI2 + 0x20, 9, 1) == 0
        pll_hz = 1e6 * self.field(0x40023884, 6, 9) / self.field(0x40023884, 28, 3)
        return pll_hz / (64 * (2 * self.field(self.SPI2 + 0x20, 0, 8) + self.field(self.SPI2 + 0x20, 8, 1)))

    def lose(self) -> int:
        self.overrun = 1 << 6
        return 0


class Sai(Mcu):
    source = "microphone_stm32_sai.c"
    base = 0x40015400

    def words(self, microphone: I2sMicrophone) -> Iterator[int]:
        registers = self.core.registers
        control = registers[self.base + 4]
        assert control >> 16 & 3 == 3 and control >> 10 & 3 == 0, "enabled, with DMA, for itself"
        return sai_frame(control, registers[self.base + 12], registers[self.base + 16]).words(microphone)

    def rate_of(self, kernel_hz: float) -> float:
        """RM0433, chapter SAI, clock generator: with NOMCK the bit clock is the kernel's by MCKDIV."""
        assert self.field(self.base + 4, 19, 1) == 1 and self.field(self.base + 4, 27, 1) == 0
        return kernel_hz / self.field(self.base + 4, 20, 6) / (self.field(self.base + 12, 0, 8) + 1)

    def lose(self) -> int:
        self.core.registers[self.base + 0x18] = 1
        return self.base + 0x1C

    def recover(self) -> None:
        self.core.registers[self.base + 0x18] = 0


class H743(Sai):
    irq, base = 11, 0x40015800
    pll = (0x58024400, 1 << 27)
    clocks = ((0x580244F0, 1 << 22), (0x580244D8, 1), (0x580244E0, 1 << 4))
    alternate = ((0x58021000, 4, 6), (0x58021000, 5, 6), (0x58021000, 6, 6))

    def make_dma(self) -> Dma:
        return StreamDma(self.core, 0x40020000, 0, channels=False, source=self.base + 0x20)

    def rate_hz(self) -> float:
        """RM0433, chapter RCC: HSI 64 MHz, DIVM2, PLL2; SAI1SEL 1."""
        assert self.field(0x58024450, 0, 3) == 1 and self.field(0x58024428, 0, 2) == 0
        assert self.field(0x5802442C, 19, 1) == 1 and self.field(0x5802442C, 4, 4) == 2 << 2, "P; 4 to 8 MHz in, wide"
        assert self.field(0x40020800, 0, 7) == 87, "DMAMUX1 channel 0"
        vco_hz = 64e6 / self.field(0x58024428, 12, 6) * (self.field(0x58024438, 0, 9) + 1)
        assert 192e6 <= vco_hz <= 836e6
        return self.rate_of(vco_hz / (self.field(0x58024438, 9, 7) + 1))


class L4R5(Sai):
    irq = 12
    pll = (0x40021000, 1 << 27)
    clocks = ((0x40021060, 1 << 21), (0x40021048, 5), (0x4002104C, 1 << 4))
    alternate = ((0x48001000, 4, 13), (0x48001000, 5, 13), (0x48001000, 6, 13))

    def make_dma(self) -> Dma:
        return StreamDma(self.core, 0x40020000, 2, channels=True, source=self.base + 0x20)

    def rate_hz(self) -> float:
        """RM0432, chapter RCC: MSI 4 MHz, PLLSAI1 with M and PDIV; SAI1SEL 0."""
        assert self.field(0x4002109C, 5, 3) == 0 and self.field(0x4002100C, 0, 2) == 1 and self.field(0x40021010, 16, 1)
        assert self.field(0x40020804, 0, 7) == 36, "DMAMUX1 channel 1"
        vco_hz = 4e6 / (self.field(0x40021010, 4, 4) + 1) * self.field(0x40021010, 8, 7)
        assert 64e6 <= vco_hz <= 344e6
        return self.rate_of(vco_hz / self.field(0x40021010, 27, 5))


class U575(Sai):
    irq = 30
    pll = (0x46020C00, 1 << 27)
    clocks = ((0x46020CA4, 1 << 21), (0x46020C88, 1), (0x46020C8C, 1 << 4))
    alternate = ((0x42021000, 4, 13), (0x42021000, 5, 13), (0x42021000, 6, 13))

    def make_dma(self) -> Dma:
        return ListDma(self.core, 1, self.base + 0x20, 36)

    def rate_hz(self) -> float:
        """RM0456, chapter RCC: MSIS 4 MHz, PLL2; SAI1SEL 0."""
        assert self.field(0x46020CE4, 5, 3) == 0 and self.field(0x46020C2C, 0, 2) == 1 and self.field(0x46020C2C, 16, 1)
        assert self.field(0x46020C2C, 2, 2) == 0, "4 to 8 MHz in"
        vco_hz = 4e6 / (self.field(0x46020C2C, 8, 4) + 1) * (self.field(0x46020C3C, 0, 9) + 1)
        assert 128e6 <= vco_hz <= 544e6
        return self.rate_of(vco_hz / (self.field(0x46020C3C, 9, 7) + 1))


class Rp2(Mcu):
    source = "microphone_rp2_pio.c"
    SCK, WS, DATA = 10, 11, 12
    FDEBUG, INSTRUCTION = 0x50200008, 0x502000D8
    stalled = 0

    def make_dma(self) -> Dma:
        self.new = self.board == "pico2"
        self.irq = 10 if self.new else 11
        self.resets = 0x40020000 if self.new else 0x4000C000
        self.running, self.instructions, self.held = 0, list[int](), 0
        self.core.on_write |= {
            self.resets + 0x2000: lambda _, value: self._hold(value),
            self.resets + 0x3000: lambda _, value: self._release(value),
            self.FDEBUG: lambda _, value: self._forget(value),
            self.INSTRUCTION: lambda _, value: self.instructions.append(value),
        }
        self.core.on_read |= {self.resets + 8: lambda _: self.running, self.FDEBUG: lambda _: self.stalled}
        return ChainedDma(self.core, new=self.new)

    def _hold(self, bits: int) -> None:
        self.running &= ~bits
        self.held |= bits

    def _release(self, bits: int) -> None:
        self.running |= bits

    def _forget(self, bits: int) -> None:
        self.stalled &= ~bits

    def check_setup(self) -> None:
        super().check_setup()
        bank, pads = (0x40028000, 0x40038000) if self.new else (0x40014000, 0x4001C000)
        for pin in (self.SCK, self.WS, self.DATA):
            assert self.core.registers[bank + 4 + 8 * pin] == 6, "PIO0"
            pad = self.core.registers[pads + 4 + 4 * pin]
            assert pad & 1 << 8 == 0 and pad >> 7 & 1 == 0 and pad >> 6 & 1, "neither isolated nor cut off; input"
        bits = (2, 6, 9, 11) if self.new else (2, 5, 8, 10)
        assert all(self.running >> bit & 1 for bit in bits), "DMA, pins and PIO0 are out of reset"
        assert self.held == 1 << bits[0] | 1 << bits[3], "DMA and PIO0 were in it; the console keeps its pins"
        directions = self.instructions[-2]
        assert directions >> 5 == 0xE083 >> 5 and directions & 31 == 3, "set pindirs, 3"
        assert self.field(0x502000DC, 5, 5) == self.SCK and self.field(0x502000DC, 26, 3) == 2

    def words(self, microphone: I2sMicrophone) -> Iterator[int]:
        return pio_words(self.core.registers, microphone, (self.SCK, self.WS, self.DATA))

    def rate_hz(self) -> float:
        """Two instructions a bit, 64 bits a frame."""
        divider = self.field(0x502000C8, 16, 16) + self.field(0x502000C8, 8, 8) / 256
        return load_board(self.board).clock_hz / divider / 128

    def lose(self) -> int:
        self.stalled = 1
        return self.FDEBUG


KINDS: dict[str, type[Mcu]] = {
    "netduinoplus2": F405,
    "nucleo_l4r5zi": L4R5,
    "nucleo_h743zi": H743,
    "nucleo_u575zi": U575,
    "pico": Rp2,
    "pico2": Rp2,
}
EVERY = pytest.mark.parametrize("board", KINDS)


def samples_of_24_bits(count: int) -> np.ndarray:
    """Loud and quiet ones, with the extremes first."""
    random = np.random.default_rng(11)
    values = random.integers(-(2**23), 2**23, count) >> random.integers(0, 16, count)
    values[:6] = (-(2**23), 2**23 - 1, 0, -1, 1, -(2**20))
    return np.asarray(values, np.int64)


def heard(samples: np.ndarray) -> np.ndarray:
    """The upper 16 of 24 bits, 18 dB louder."""
    return np.asarray(np.clip(samples >> 5, -(2**15), 2**15 - 1), "<i2")


class Listening:
    """A started driver, block after block; ``busy`` blocks come in before the core looks at the interrupt."""

    def __init__(self, mcu: Mcu, samples: np.ndarray) -> None:
        self.mcu, self.cycles = mcu, 0
        mcu.core.run()
        assert mcu.core.variable("started") == 0 and mcu.core.variable("refused") == 0xFFFFFFFF
        self.words = mcu.words(I2sMicrophone(samples.tolist()))

    def hear(self, busy: int = 1, late_blocks: float = 0.0) -> None:
        interrupts = 0
        while interrupts < busy:
            interrupts += self.mcu.dma.take(next(self.words))
        core = self.mcu.core
        self.cycles += int((busy + late_blocks) * BLOCK * load_board(self.mcu.board).clock_hz / 16_000)
        core.machine.write("cycles", (self.cycles & 0xFFFFFFFF).to_bytes(4, "little"))
        core.machine.call("irq")

    @property
    def position(self) -> int:
        return self.mcu.core.variable("position")

    @property
    def overruns(self) -> int:
        return self.mcu.core.variable("overruns")

    def ring(self) -> np.ndarray:
        return np.frombuffer(self.mcu.core.machine.read("ring", 2 * RING), "<i2")


@EVERY
def test_samples_come_into_the_ring_bit_by_bit(board: str, tmp_path: Path) -> None:
    mcu, samples = KINDS[board](board, tmp_path), samples_of_24_bits(8 * BLOCK)
    listening = Listening(mcu, samples)
    mcu.check_setup()
    rate_hz = mcu.rate_hz()
    assert rate_hz == microphone_rate_hz(load_board(board), drivers_for(load_board(board)).core_hz)
    assert abs(rate_hz / 16_000 - 1) * 1e6 <= RATE_TOLERANCE_PPM
    expected = heard(samples)
    for block in range(7):
        listening.hear()
        assert listening.position == BLOCK * (block + 1) and listening.overruns == 0
        at = BLOCK * block % RING
        np.testing.assert_array_equal(listening.ring()[at : at + BLOCK], expected[BLOCK * block :][:BLOCK])


@EVERY
def test_what_is_lost_is_counted_and_what_follows_is_whole(board: str, tmp_path: Path) -> None:
    mcu, samples = KINDS[board](board, tmp_path), samples_of_24_bits(20 * BLOCK)
    listening, expected = Listening(mcu, samples), heard(samples)
    listening.hear()
    listening.hear(busy=2)
    assert listening.overruns == 1 and listening.position == 3 * BLOCK, "both halves were waiting"
    listening.hear(late_blocks=1.5)
    assert listening.overruns == 2 and listening.position == 4 * BLOCK, "by the clock, a block was written over"
    seen, before = mcu.lose(), len(mcu.core.writes)
    listening.hear()
    assert listening.overruns == 3, "the interface's own flag"
    assert seen == 0 or (seen, 1) in mcu.core.writes[before:], "and it is cleared"
    if isinstance(mcu, F405):
        assert mcu.beginnings == 2, "half-words would have changed places: it begins anew"
        listening.words, taken = mcu.words(I2sMicrophone(samples.tolist())), 0
    else:
        mcu.recover()
        taken = 5 * BLOCK
    at = listening.position
    listening.hear()
    assert listening.overruns == 3 and listening.position == at + BLOCK
    got = listening.ring()[at % RING :][:BLOCK]
    np.testing.assert_array_equal(got, expected[taken : taken + BLOCK])


@pytest.mark.parametrize("board", [board for board in KINDS if KINDS[board].pll])
def test_a_clock_that_does_not_start_is_no_microphone(board: str, tmp_path: Path) -> None:
    mcu = KINDS[board](board, tmp_path, starts=False)
    mcu.core.run()
    assert mcu.core.variable("started") == 0xFFFFFFFF


def test_the_h7_forgets_what_its_cache_held_of_each_half(tmp_path: Path) -> None:
    listening = Listening(H743("nucleo_h743zi", tmp_path), samples_of_24_bits(3 * BLOCK))
    core = listening.mcu.core
    buffer = core.registers[0x40020010 + 12]
    for half in range(2):
        core.writes.clear()
        listening.hear()
        forgotten = [value for address, value in core.writes if address == 0xE000EF5C]
        assert forgotten == list(range(buffer + 4 * BLOCK * half, buffer + 4 * BLOCK * (half + 1), 32))
