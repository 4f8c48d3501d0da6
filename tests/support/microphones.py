"""An I2S microphone bit by bit, and what STM32s and RP2s hear it with: clocks, interface and DMA from their registers.

Written from the reference manuals and data sheets, with no look at the drivers: a wrong bit in a register is a wrong
sample here, a forgotten clock stops everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tests.support.driver_machine import DriverMachine


class I2sMicrophone:
    """INMP441 with L/R low: 24 bits after each fall of word select, highest first; otherwise the line floats (noise).

    It looks at word select when the clock rises and changes its data when it falls (data sheet DS-INMP441, figure 8).
    Word select may change with the clock's fall alone, and a frame has 64 clocks, or an assertion fails.
    """

    def __init__(self, samples: Sequence[int], seed: int = 5) -> None:
        self.samples = iter(samples)
        self._noise = np.random.default_rng(seed)
        self._sck, self._ws, self._turned, self._bits = 1, 1, False, list[int]()
        self._select, self._clocks = 1, 0
        self.data = 0

    def levels(self, sck: int, ws: int) -> None:
        """The levels that the master drives."""
        assert ws == self._select or (self._sck and not sck), "word select changes while the clock falls"
        if self._select and not ws:
            assert self._clocks in (0, 64), "a frame has 64 clocks"
            self._clocks = 0
        self._select, self._clocks = ws, self._clocks + int(sck > self._sck)
        if sck and not self._sck:
            self._turned, self._ws = bool(self._ws and not ws), ws
        elif self._sck and not sck:
            if self._turned:
                sample = next(self.samples) & 0xFFFFFF
                self._bits = [sample >> bit & 1 for bit in range(24)]
            self.data = self._bits.pop() if self._bits else int(self._noise.integers(2))
        self._sck = sck


@dataclass(frozen=True, slots=True)
class Frame:
    """How a master cuts frames into slots, as the registers of SAI or I2S say."""

    bits: int
    left_low: bool
    early_bits: int
    slot_bits: int
    first_bit: int
    data_bits: int
    slots: tuple[int, ...]
    samples_rising: bool

    def words(self, microphone: I2sMicrophone) -> Iterator[int]:
        """What comes out of the interface, one word for each slot that is taken."""
        bit = word = 0
        while True:
            select = int(bit % self.bits >= self.bits // 2) if self.left_low else int(bit % self.bits < self.bits // 2)
            before = microphone.data
            microphone.levels(0, select)
            level = microphone.data if self.samples_rising else before
            microphone.levels(1, select)
            slot, at = divmod((bit - self.early_bits) % self.bits, self.slot_bits)
            if bit >= self.early_bits and slot in self.slots and 0 <= at - self.first_bit < self.data_bits:
                word = word << 1 | level
                if at - self.first_bit == self.data_bits - 1:
                    yield word
                    word = 0
            bit += 1


def sai_frame(control: int, frame: int, slots: int) -> Frame:
    """SAI_xCR1, SAI_xFRCR and SAI_xSLOTR of a master receiver (RM0433, chapter SAI, registers)."""
    assert control & 0x3 == 1 and control >> 2 & 3 == 0 and control >> 8 & 1 == 0, (
        "master receiver, free, highest first"
    )
    data_bits = (0, 0, 8, 10, 16, 20, 24, 32)[control >> 5 & 7]
    slot_bits = (data_bits, 16, 32)[slots >> 6 & 3]
    count, bits = (slots >> 8 & 15) + 1, (frame & 0xFF) + 1
    assert frame >> 16 & 1 == 1 and (frame >> 8 & 0x7F) + 1 == bits // 2, "FS tells the channels"
    assert count * slot_bits == bits
    taken = tuple(slot for slot in range(count) if slots >> 16 + slot & 1)
    return Frame(
        bits, frame >> 17 & 1 == 0, frame >> 18 & 1, slot_bits, slots & 31, data_bits, taken, bool(control >> 9 & 1)
    )


def i2s_frame(config: int) -> Frame:
    """SPI_I2SCFGR of a master receiver (RM0090, 28.5.8)."""
    assert config >> 11 & 1 and config >> 8 & 3 == 3 and config >> 4 & 3 == 0, "I2S, master receiver, Philips"
    assert config & 1 and config >> 3 & 1 == 0 and config >> 1 & 3 in (1, 2), "24 or 32 bits in 32"
    return Frame(64, True, 1, 16, 0, 16, (0, 1, 2, 3), True)


class StreamDma:
    """A stream of the F4, F7 and H7 (RM0090, 10.5) or a channel of the L4 (RM0432, chapter DMA), round and round."""

    def __init__(self, core: DriverMachine, base: int, number: int, *, channels: bool, source: int) -> None:
        self.core, self.source = core, source
        if channels:
            control, self.shift, self.status, forget = base + 8 + 20 * (number - 1), 4 * (number - 1), base, base + 4
            self.half, self.done, self.enables = 4 << self.shift, 2 << self.shift, (4, 2)
            self.sizes, self.circular, self.steps, self.outward = (8, 10), 5, 7, 4
        else:
            control, self.shift = base + 0x10 + 0x18 * number, (0, 6, 16, 22)[number % 4]
            self.status, forget = base + 4 * (number // 4), base + 8 + 4 * (number // 4)
            self.half, self.done, self.enables = 1 << self.shift + 4, 1 << self.shift + 5, (8, 16)
            self.sizes, self.circular, self.steps, self.outward = (11, 13), 8, 10, 6
        self.control, self.flags, self.at = control, 0, 0
        core.on_read[self.status] = lambda _: self.flags
        core.on_write[forget] = lambda _, value: self._forget(value)
        core.on_write[control] = lambda _, value: self._write(value)

    def _forget(self, value: int) -> None:
        self.flags &= ~value

    def _write(self, value: int) -> None:
        if value & 1:
            self.at = 0

    def take(self, word: int) -> bool:
        """One item; whether the core is interrupted."""
        registers = self.core.registers
        control, items = registers[self.control], registers[self.control + 4]
        target = registers[self.control + 12]
        assert control & 1 and control >> self.circular & 1 and control >> self.steps & 1
        assert control >> self.outward & 1 == 0 and registers[self.control + 8] == self.source
        size = 1 << (control >> self.sizes[0] & 3)
        assert size == 1 << (control >> self.sizes[1] & 3)
        self.core.machine._uc.mem_write(target + size * self.at, word.to_bytes(4, "little")[:size])
        self.at += 1
        raised = 0
        if self.at == items // 2:
            self.flags, raised = self.flags | self.half, self.enables[0]
        if self.at == items:
            self.flags, raised, self.at = self.flags | self.done, self.enables[1], 0
        return bool(control & raised)


class ListDma:
    """A channel of the U5's GPDMA with a list of items (RM0456, chapter GPDMA, registers)."""

    def __init__(self, core: DriverMachine, channel: int, source: int, request: int) -> None:
        self.core, self.source, self.request = core, source, request
        self.base, self.flags, self.at = 0x40020050 + 0x80 * channel, 0, 0
        core.on_read[self.base + 16] = lambda _: self.flags
        core.on_write[self.base + 12] = lambda _, value: self._forget(value)
        core.on_read[self.base + 20] = lambda value: 0 if value & 2 else value

    def _forget(self, value: int) -> None:
        self.flags &= ~value

    def take(self, word: int) -> bool:
        registers = self.core.registers
        control, kinds = registers[self.base + 20], registers[self.base + 64]
        assert control & 1 and registers[self.base + 68] == self.request and registers[self.base + 76] == self.source
        size, block = 1 << (kinds & 3), registers[self.base + 72] & 0xFFFF
        assert size == 1 << (kinds >> 16 & 3) and kinds >> 19 & 1 and not kinds >> 3 & 1, "only the target steps"
        self.core.machine._uc.mem_write(registers[self.base + 80] + self.at, word.to_bytes(4, "little")[:size])
        self.at += size
        raised = 0
        if self.at == block // 2:
            self.flags, raised = self.flags | 1 << 9, 1 << 9
        if self.at == block:
            self.flags, raised, self.at = self.flags | 1 << 8, 1 << 8, 0
            self._next()
        return bool(control & raised)

    def _next(self) -> None:
        """The item that LLR names brings what its update bits say: BR1, DAR and LLR here."""
        registers, link = self.core.registers, self.core.registers[self.base + 124]
        assert link >> 25 == 0b0010100 and link >> 16 & 1, "UB1, UDA, ULL"
        item = self.core.machine._uc.mem_read(registers[self.base] & 0xFFFF0000 | link & 0xFFFC, 12)
        for offset, start in ((72, 0), (80, 4), (124, 8)):
            registers[self.base + offset] = int.from_bytes(item[start : start + 4], "little")


class ChainedDma:
    """Channels 0 and 1 of the RP2040 or RP2350 (datasheets, 2.5.7 and 12.6.10): rings, chains, interrupt 0."""

    FIFO, REQUEST = 0x50200020, 4

    def __init__(self, core: DriverMachine, *, new: bool) -> None:
        self.core = core
        self.fields = (6, 8, 12, 13, 17) if new else (5, 6, 10, 11, 15)
        self.active, self.left, self.flags = -1, 0, 0
        core.on_read[0x5000040C] = lambda _: self.flags
        core.on_write[0x5000040C] = lambda _, value: self._forget(value)
        for channel in (0, 1):
            core.on_write[0x5000000C + 0x40 * channel] = lambda address, _: self._trigger(
                (address - 0x5000000C) // 0x40
            )

    def _forget(self, value: int) -> None:
        self.flags &= ~value

    def _control(self, channel: int) -> int:
        registers = self.core.registers
        return registers.get(0x50000010 + 0x40 * channel) or registers[0x5000000C + 0x40 * channel]

    def _trigger(self, channel: int) -> None:
        assert self._control(channel) & 1
        self.active, self.left = channel, self.core.registers[0x50000008 + 0x40 * channel]

    def take(self, word: int) -> bool:
        registers, base = self.core.registers, 0x50000000 + 0x40 * self.active
        control, (steps, size, of_writes, chain, request) = self._control(self.active), self.fields
        assert control >> 2 & 3 == 2 and control >> 4 & 1 == 0 and control >> steps & 1, "words, only the target steps"
        assert registers[base] == self.FIFO and control >> request & 63 == self.REQUEST
        address, ring = registers[base + 4], 1 << (control >> size & 15)
        assert ring > 1 and control >> of_writes & 1
        self.core.machine._uc.mem_write(address, word.to_bytes(4, "little"))
        registers[base + 4] = address & -ring | (address + 4) & (ring - 1)
        self.left -= 1
        if self.left:
            return False
        raised = 1 << self.active
        self.flags |= raised
        self._trigger(control >> chain & 15)
        return bool(registers[0x50000404] & raised)


def pio_words(registers: dict[int, int], microphone: I2sMicrophone, pins: tuple[int, int, int]) -> Iterator[int]:
    """What state machine 0 of PIO0 pushes: its program with side-set, and the microphone on sck, ws and data.

    RP2040 datasheet, 3.4 (instructions) and 3.5 (wrap, side-set, autopush). Anything else is an AssertionError.
    """
    sck, ws, data = pins
    wrap, shift, pinout = (registers[0x502000C8 + offset] for offset in (4, 8, 20))
    assert pinout >> 29 == 2 and pinout >> 10 & 31 == sck and ws == sck + 1 and pinout >> 15 & 31 == data
    assert shift >> 16 & 1 and not shift >> 18 & 1 and shift >> 20 & 31 == 0, "pushes every 32 bits, shifting left"
    assert registers[0x50200000] & 1
    at, x, word, count = registers[0x502000D8] & 31, 0, 0, 0
    while True:
        instruction = registers[0x50200048 + 4 * at]
        assert instruction >> 8 & 7 == 0, "no delay"
        microphone.levels(instruction >> 11 & 1, instruction >> 12 & 1)
        kind, following = instruction >> 13, at + 1
        if kind == 0:
            assert instruction >> 5 & 7 == 2, "jmp x--"
            following, x = (instruction & 31 if x else at + 1), (x - 1) & 0xFFFFFFFF
        elif kind == 2:
            assert instruction & 0xFF == 1, "in pins, 1"
            word, count = (word << 1 | microphone.data) & 0xFFFFFFFF, count + 1
            if count == 32:
                yield word
                count = 0
        elif kind == 7:
            assert instruction >> 5 & 7 == 1, "set x"
            x = instruction & 31
        else:
            assert instruction & 0xE0FF == 0xA042, "nop"
        at = wrap >> 7 & 31 if at == wrap >> 12 & 31 and following == at + 1 else following
