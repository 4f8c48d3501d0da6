"""Runs a driver's C on an emulated core whose peripherals are written in Python: registers with behaviour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.core_build import Machine, compile_core
from tinyml.boards import load_board
from tinyml.firmware.drivers import drivers_for
from tinyml.paths import templates_dir

PERIPHERALS = ((0x40000000, 0x20000000), (0xD0000000, 0x1000), (0xE0000000, 0x100000))
_CORES = {"stm32f7": "cortex-m7", "stm32h7": "cortex-m7", "rp2040": "cortex-m0plus"}
_M33 = ("stm32u5", "rp2350")

Read = Callable[[int], int]
Write = Callable[[int, int], None]


class DriverMachine:
    """``sources`` of ``board``'s drivers and ``code`` on its core; registers keep what is written by default.

    ``on_read[address]`` gives a register's value from what it holds, ``on_write[address]`` is told what is written.
    ``writes`` has all writes in order.
    """

    def __init__(
        self, board: str, parts: Sequence[str], sources: Sequence[str], code: str, folder: Path, *entries: str
    ) -> None:
        loaded = load_board(board)
        drivers = templates_dir() / "drivers"
        headers = {path.name: path.read_text() for path in drivers.glob("*.h")}
        defines = drivers_for(loaded, parts).defines
        headers["board_config.h"] = "".join(f"#define {name} {value}\n" for name, value in defines)
        headers |= {name: (drivers / name).read_text() for name in sources}
        text = "".join(f'#include "{name}"\n' for name in sources) + code
        core = "cortex-m33" if loaded.family in _M33 else _CORES.get(loaded.family, "cortex-m4")
        elf = compile_core(text, core, folder, entries=("run", *entries), optimise="-Os", headers=headers)
        self.machine = Machine(elf, core)
        self.registers: dict[int, int] = {}
        self.writes: list[tuple[int, int]] = []
        self.on_read: dict[int, Read] = {}
        self.on_write: dict[int, Write] = {}
        for start, size in PERIPHERALS:
            self.machine._uc.mmio_map(start, size, self._read, start, self._write, start)

    def run(self) -> None:
        """Calls ``void run(void)``."""
        self.machine.call("run")

    def variable(self, name: str) -> int:
        """A 32-bit variable of the code."""
        return int.from_bytes(self.machine.read(name, 4), "little")

    def _read(self, _uc: Any, offset: int, _size: int, start: int) -> int:
        address = start + (offset & ~3)
        value = self.registers.get(address, 0)
        found = self.on_read.get(address)
        return (value if found is None else found(value)) & 0xFFFFFFFF

    def _write(self, _uc: Any, offset: int, _size: int, value: int, start: int) -> None:
        address = start + offset
        self.registers[address] = value
        self.writes.append((address, value))
        told = self.on_write.get(address)
        if told is not None:
            told(address, value)
