"""Compiles C for a Cortex-M core and calls single functions of it in Unicorn: bytes in, bytes and exact counts out.

For kernels on their own, without start-up code, console or semihosting. Firmware images run through ``tinyml.emulate``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tests.support.shared import REPOSITORY, require_module, require_tool

RUNTIME = REPOSITORY / "firmware_templates" / "runtime"
WARNINGS = ("-Wall", "-Wextra", "-Werror")
_FLASH, _RAM, _SIZE = 0x00000000, 0x20000000, 0x00400000
_STACK_BYTES = 0x4000
_STOP = _FLASH + _SIZE - 16
_SCRIPT = f"""
MEMORY {{ FLASH (rx) : ORIGIN = {_FLASH:#x}, LENGTH = {_SIZE:#x}  RAM (rw) : ORIGIN = {_RAM:#x}, LENGTH = {_SIZE:#x} }}
SECTIONS {{
  .text : {{ LONG(0) KEEP(*(.text.entry)) *(.text*) *(.rodata*) }} > FLASH
  .ARM.exidx : {{ *(.ARM.exidx*) }} > FLASH
  .data : {{ *(.data*) *(.bss*) *(COMMON) }} > RAM
}}
"""


@dataclass(frozen=True, slots=True)
class Core:
    """How each compiler and Unicorn name a core."""

    gcc: tuple[str, ...]
    zig: tuple[str, ...]
    unicorn: str


CORES = {
    "cortex-m0plus": Core(("-mcpu=cortex-m0plus",), ("-mcpu=cortex_m0plus",), "CORTEX_M0"),
    "cortex-m3": Core(("-mcpu=cortex-m3",), ("-mcpu=cortex_m3",), "CORTEX_M3"),
    "cortex-m4": Core(
        ("-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"), ("-mcpu=cortex_m4+vfp4d16sp",), "CORTEX_M4"
    ),
    "cortex-m7": Core(
        ("-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"), ("-mcpu=cortex_m7+fp_armv8d16",), "CORTEX_M7"
    ),
    "cortex-m33": Core(
        ("-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"),
        ("-mcpu=cortex_m33+dsp+fp_armv8d16sp",),
        "CORTEX_M33",
    ),
    "cortex-m55": Core(
        ("-mcpu=cortex-m55", "-mfloat-abi=hard", "-mfpu=auto"),
        ("-mcpu=cortex_m55+dsp+mve_fp+fp_armv8d16",),
        "MAX",
    ),
}


def compile_core(
    source: str,
    core: str,
    directory: Path,
    *,
    entries: tuple[str, ...],
    compiler: str = "gcc",
    optimise: str = "-O3",
    headers: dict[str, str] | None = None,
) -> Path:
    """An ELF of ``source`` for ``core``, which keeps the functions and variables ``entries``; no start-up code."""
    script, c_file, elf = directory / "core.ld", directory / "core.c", directory / "core.elf"
    script.write_text(_SCRIPT)
    c_file.write_text(source)
    for name, text in (headers or {}).items():
        (directory / name).write_text(text)
    if compiler == "gcc":
        command = [str(require_tool("arm-none-eabi-gcc")), *CORES[core].gcc, "-mthumb", "-nostdlib"]
    else:
        require_module("ziglang")
        abi = "eabihf" if "-mfloat-abi=hard" in CORES[core].gcc else "eabi"
        command = [sys.executable, "-m", "ziglang", "cc", "-target", f"thumb-freestanding-{abi}", *CORES[core].zig]
        command += [
            "-fomit-frame-pointer",
            "-fno-sanitize=undefined",
            "-isystem",
            str(REPOSITORY / "firmware_templates/platform/zig_include"),
        ]
    command += ["-std=c11", optimise, *WARNINGS, "-ffreestanding", "-ffunction-sections"]
    command += ["-I", str(RUNTIME), "-I", str(directory), str(c_file), "-o", str(elf), "-T", str(script)]
    command += [flag for entry in entries for flag in ("-Wl,-u," + entry,)] + ["-Wl,-e," + entries[0]]
    if compiler == "gcc":
        command += ["-lc", "-lgcc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip(), done.stderr
    return elf


class Machine:
    """One core with an ELF in its memory; variables are read and written by name."""

    def __init__(self, elf: Path, core: str) -> None:
        require_module("unicorn")
        import unicorn
        from elftools.elf.elffile import ELFFile
        from unicorn import arm_const

        self._uc: Any = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(getattr(arm_const, "UC_CPU_ARM_" + CORES[core].unicorn))
        self._uc.mem_map(_FLASH, _SIZE)
        self._uc.mem_map(_RAM, _SIZE)
        self._sp, self._lr = arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_LR
        self._block_hook, self._read_hook = unicorn.UC_HOOK_BLOCK, unicorn.UC_HOOK_MEM_READ
        with elf.open("rb") as stream:
            image: Any = ELFFile(stream)
            symbols = image.get_section_by_name(".symtab").iter_symbols()
            self._symbols = {s.name: s["st_value"] for s in symbols}
            self._sizes = {s.name: s["st_size"] for s in image.get_section_by_name(".symtab").iter_symbols()}
            for segment in image.iter_segments():
                if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                    self._uc.mem_write(segment["p_vaddr"], segment.data())

    def size(self, name: str) -> int:
        """Bytes of the function or variable ``name``."""
        return int(self._sizes[name])

    def write(self, name: str, data: bytes, offset: int = 0) -> None:
        """Overwrite the variable ``name`` from ``offset`` on."""
        self._uc.mem_write(self._symbols[name] + offset, data)

    def read(self, name: str, size_bytes: int, offset: int = 0) -> bytes:
        """The first bytes of the variable ``name`` from ``offset`` on."""
        return bytes(self._uc.mem_read(self._symbols[name] + offset, size_bytes))

    def call(self, name: str) -> None:
        """Call ``void name(void)``."""
        self._uc.reg_write(self._sp, _RAM + _SIZE - 64)
        self._uc.reg_write(self._lr, _STOP | 1)
        self._uc.emu_start(self._symbols[name] | 1, _STOP)

    def count(self, name: str) -> int:
        """Call ``void name(void)`` and count the instructions, those of skipped conditions included."""
        hits: dict[tuple[int, int], int] = {}

        def on_block(_uc: object, address: int, size: int, _data: object) -> None:
            hits[address, size] = hits.get((address, size), 0) + 1

        hook = self._uc.hook_add(self._block_hook, on_block)
        self.call(name)
        self._uc.hook_del(hook)
        length: Callable[[int, int], int] = lru_cache(maxsize=None)(self._instructions)
        return sum(times * length(*block) for block, times in hits.items())

    def call_reading_only(self, name: str, ranges: dict[str, tuple[int, int]]) -> None:
        """Call ``void name(void)``; fails where it reads RAM other than the stack and bytes from, to of variables."""
        allowed = [range(self._symbols[v] + start, self._symbols[v] + end) for v, (start, end) in ranges.items()]
        others: list[int] = []

        def on_read(_uc: object, _access: int, address: int, size: int, _value: int, _data: object) -> None:
            if not any(address in r and address + size - 1 in r for r in allowed):
                others.append(address)

        hook = self._uc.hook_add(self._read_hook, on_read, begin=_RAM, end=_RAM + _SIZE - _STACK_BYTES)
        self.call(name)
        self._uc.hook_del(hook)
        assert not others, f"{name} read {others[0]:#x}, which is in none of {allowed}"

    def _instructions(self, address: int, size: int) -> int:
        code, position, count = bytes(self._uc.mem_read(address, size)), 0, 0
        while position < size:
            first = int.from_bytes(code[position : position + 2], "little")
            position += 4 if first >> 11 >= 0b11101 else 2
            count += 1
        return count
