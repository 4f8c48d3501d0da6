"""Reads a firmware's ELF file: load segments, sections, symbols, and which bytes are Thumb code."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from tinyml.errors import BuildError

_SHF_WRITE, _SHF_ALLOC, _SHF_EXECINSTR = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Segment:
    """A load segment and where its bytes are stored, which for ``.data`` is not where they are used."""

    load_address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Section:
    """A section that takes memory. ``has_data`` is False for zero-initialised memory; ``data`` is then empty."""

    name: str
    address: int
    size_bytes: int
    writable: bool
    executable: bool
    has_data: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or an object, at its address without the Thumb bit."""

    name: str
    address: int
    size_bytes: int
    kind: str
    local: bool


@dataclass(frozen=True)
class Image:
    """A linked firmware."""

    path: Path
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    markers: tuple[tuple[int, str], ...]
    """Mapping symbols (ELF for the Arm Architecture, section 5.5.5) by address, as (address, ``t``, ``d`` or ``a``)."""
    stack_sizes: tuple[tuple[int, int], ...]
    """Clang's ``.stack_sizes`` as (function address, bytes)."""

    @cached_property
    def functions(self) -> tuple[Symbol, ...]:
        """The functions by address, one for each address."""
        found: dict[int, Symbol] = {}
        for symbol in self.symbols:
            known = found.get(symbol.address)
            if symbol.kind == "STT_FUNC" and (known is None or known.size_bytes < symbol.size_bytes):
                found[symbol.address] = symbol
        return tuple(found[address] for address in sorted(found))

    @cached_property
    def by_name(self) -> dict[str, Symbol]:
        """The symbols by name; of several with one name the last."""
        return {symbol.name: symbol for symbol in self.symbols}

    def address(self, name: str) -> int:
        """The address of the symbol ``name``. Raises BuildError where the firmware has none."""
        if name not in self.by_name:
            raise BuildError(f"{self.path.name} has no symbol {name}", hint="was it built by tinyml?")
        return self.by_name[name].address

    def function_at(self, address: int) -> Symbol | None:
        """The function whose code holds ``address``."""
        starts = self._starts
        index = bisect_right(starts, address & ~1) - 1
        if index < 0:
            return None
        function = self.functions[index]
        inside = address - function.address < max(function.size_bytes, 2) or function.size_bytes == 0
        return function if inside else None

    @cached_property
    def _starts(self) -> list[int]:
        return [function.address for function in self.functions]

    def where(self, address: int) -> str:
        """``address`` for a message: in hexadecimal with the function it lies in."""
        function = self.function_at(address)
        return f"0x{address:08x}" + (f" in {function.name}+0x{(address & ~1) - function.address:x}" if function else "")

    def code_ranges(self) -> list[tuple[int, bytes]]:
        """The Thumb code as (address, bytes), literal pools and tables left out."""
        ranges = []
        for section in self.sections:
            if not section.executable or not section.has_data:
                continue
            end = section.address + section.size_bytes
            marks = [mark for mark in self.markers if section.address <= mark[0] < end]
            if not marks:
                ranges.append((section.address, section.data))
            for (start, kind), following in zip(marks, [*(m[0] for m in marks[1:]), end], strict=True):
                if kind == "t" and following > start:
                    ranges.append((start, section.data[start - section.address : following - section.address]))
        return ranges


def read_image(path: Path) -> Image:
    """Reads ``path``. Raises BuildError where it is not an ELF file for a 32-bit Arm core."""
    try:
        with path.open("rb") as file:
            return _read(path, ELFFile(file))
    except OSError as error:
        raise BuildError(f"can't read the firmware {path}: {error.strerror or error}") from error
    except (ELFError, ValueError, KeyError, IndexError) as error:
        raise BuildError(f"{path} is not a firmware ELF file: {error}") from error


def _read(path: Path, elf: ELFFile) -> Image:
    if elf["e_machine"] != "EM_ARM" or elf.elfclass != 32:
        raise BuildError(f"{path} is not for a 32-bit Arm core")
    segments = tuple(
        Segment(s["p_paddr"], s.data()) for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_memsz"] > 0
    )
    sections = []
    for section in elf.iter_sections():
        flags = section["sh_flags"]
        if flags & _SHF_ALLOC and section["sh_size"] > 0:
            has_data = section["sh_type"] != "SHT_NOBITS"
            data = section.data() if has_data else b""
            sections.append(
                Section(
                    section.name,
                    section["sh_addr"],
                    section["sh_size"],
                    bool(flags & _SHF_WRITE),
                    bool(flags & _SHF_EXECINSTR),
                    has_data,
                    data,
                )
            )
    table = elf.get_section_by_name(".symtab")
    if not isinstance(table, SymbolTableSection):
        raise BuildError(f"{path} has no symbol table")
    symbols, markers = [], []
    for symbol in table.iter_symbols():
        if symbol.name[:2] in ("$t", "$d", "$a") and symbol.name[2:3] in ("", "."):
            markers.append((symbol["st_value"], symbol.name[1]))
        elif symbol.name and symbol["st_shndx"] != "SHN_UNDEF":
            kind, local = symbol["st_info"]["type"], symbol["st_info"]["bind"] == "STB_LOCAL"
            address = symbol["st_value"] & (~1 if kind == "STT_FUNC" else ~0)
            symbols.append(Symbol(symbol.name, address, symbol["st_size"], kind, local))
    stack_sizes = elf.get_section_by_name(".stack_sizes")
    return Image(
        path,
        segments,
        tuple(sections),
        tuple(symbols),
        tuple(sorted(markers)),
        () if stack_sizes is None else tuple(_parse_stack_sizes(stack_sizes.data())),
    )


def _parse_stack_sizes(data: bytes) -> list[tuple[int, int]]:
    """Entries of a 4-byte address and a ULEB128 size (LLVM, "Emitting function stack size information")."""
    entries, position = [], 0
    while position + 4 < len(data):
        address = int.from_bytes(data[position : position + 4], "little") & ~1
        position, size, shift = position + 4, 0, 0
        while True:
            byte = data[position]
            position, size, shift = position + 1, size | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        entries.append((address, size))
    return entries
