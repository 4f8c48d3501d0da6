"""Cameras as registers and waveforms: an SCCB slave, the lines of a parallel sensor, a PIO state machine."""

from __future__ import annotations

from collections.abc import Iterator


class SccbSlave:
    """Follows clock and data lines and answers as a sensor with ``registers`` does, at seven-bit ``address``.

    ``line(clock, data)`` is told the levels that the controller drives; ``data_line`` is what it reads.
    """

    def __init__(self, address: int, reg_bytes: int, registers: dict[int, int], value_bytes: int = 1) -> None:
        self.value_bytes = value_bytes
        self.address, self.reg_bytes, self.registers = address, reg_bytes, registers
        self.written: list[tuple[int, int]] = []
        self._clock = self._data = 1
        self._bits: list[int] = []
        self._bytes: list[int] = []
        self._pointer = 0
        self._drive: int | None = None
        self._reading = False

    @property
    def data_line(self) -> int:
        """The level of the data line, which either side can pull low."""
        return self._data & (1 if self._drive is None else self._drive)

    def line(self, clock: int, data: int) -> None:
        """The controller's levels changed."""
        if self._clock and clock and data != self._data:
            self._start() if self._data else self._stop()
        elif clock and not self._clock:
            self._rise(data)
        elif self._clock and not clock:
            self._fall()
        self._clock, self._data = clock, data

    def _start(self) -> None:
        self._bits, self._bytes, self._drive, self._reading = [], [], None, False

    def _stop(self) -> None:
        if len(self._bytes) == 1 + self.reg_bytes + self.value_bytes:
            value = int.from_bytes(bytes(self._bytes[-self.value_bytes :]), "big")
            self.written.append((self._pointer, value))
            self.registers[self._pointer] = value

    def _rise(self, data: int) -> None:
        self._bits.append(data)

    def _fall(self) -> None:
        if len(self._bits) == 8 and not (self._reading and self._bytes):
            self._take(int("".join(map(str, self._bits)), 2))
        elif len(self._bits) == 9:
            self._bits, self._drive = [], None
        if self._reading and self._bytes and len(self._bits) < 8:
            value = self.registers.get(self._pointer, 0)
            self._drive = value >> (7 - len(self._bits)) & 1

    def _take(self, byte: int) -> None:
        self._bytes.append(byte)
        if len(self._bytes) == 1:
            self._reading = bool(byte & 1)
            self._drive = 0 if byte >> 1 == self.address else None
            return
        if len(self._bytes) == 1 + self.reg_bytes:
            self._pointer = int.from_bytes(bytes(self._bytes[1:]), "big")
        self._drive = 0


def parallel_lines(frame: bytes, line_bytes: int, idle: int = 4) -> Iterator[tuple[int, int, int, int]]:
    """Levels of VSYNC, HREF, PCLK and the data byte, state by state, of frames without end."""
    while True:
        yield from [(1, 0, 0, 0)] * idle
        yield from [(0, 0, 0, 0)] * idle
        for start in range(0, len(frame), line_bytes):
            yield from [(0, 1, 0, 0)] * 2
            for byte in frame[start : start + line_bytes]:
                yield (0, 1, 1, byte)
                yield (0, 1, 0, byte)
            yield from [(0, 0, 0, 0)] * idle


def serial_lines(frame: bytes, line_bytes: int, border: int, idle: int = 4) -> Iterator[tuple[int, int, int, int]]:
    """The same of a one-bit sensor, lowest bit first, with ``border`` lines and pixels around the picture."""
    while True:
        yield from [(0, 0, 0, 0)] * idle
        padded = [b"\x55" * (line_bytes + 2 * border)] * border
        padded += [
            b"\xaa" * border + frame[at : at + line_bytes] + b"\xaa" * border for at in range(0, len(frame), line_bytes)
        ]
        for line in padded:
            yield from [(1, 0, 0, 0)] * idle
            for byte in line:
                for bit in range(8):
                    yield (1, 1, 0, byte >> bit & 1)
                    yield (1, 1, 1, byte >> bit & 1)
            yield from [(1, 1, 0, 0)]
        yield from [(1, 0, 0, 0)] * idle


def run_pio(
    program: list[int],
    wrap: tuple[int, int],
    pulled: int,
    pins: dict[str, int],
    levels: Iterator[tuple[int, int, int, int]],
    wanted: int,
) -> bytes:
    """What a PIO program shifts in, eight bits to the right at a time (RP2040 datasheet, section 3.4).

    ``pins`` are the numbers of vsync, href, pclk and d0; ``levels`` their levels, a step for each instruction.
    """
    at, x, y, osr, shift, count = 0, 0, 0, 0, 0, 0
    out = bytearray()
    state = next(levels)
    while len(out) < wanted:
        word = program[at]
        names = ("vsync", "href", "pclk", "d0")
        level = {pins[name]: value for name, value in zip(names, state, strict=True)}
        kind, following = word >> 13, at + 1
        if kind == 1:
            following = at + 1 if level[word & 31] == word >> 7 & 1 else at
        elif kind == 2:
            shift, count = shift >> 1 | level[pins["d0"]] << 31, count + 1
            if count == 8:
                out.append(shift >> 24)
                shift, count = 0, 0
        elif kind == 0 and word >> 5 & 7 == 2:
            following, x = (word & 31 if x else at + 1), (x - 1) & 0xFFFFFFFF
        elif kind == 0 and word >> 5 & 7 == 4:
            following, y = (word & 31 if y else at + 1), (y - 1) & 0xFFFFFFFF
        elif kind == 4:
            osr = pulled
        elif kind == 5:
            x = osr
        elif kind == 7:
            y = word & 31
        if (kind == 1 and following == at) or kind == 2:
            state = next(levels)
        at = wrap[0] if at == wrap[1] and following == at + 1 else following
    return bytes(out)
