"""The semihosting host for Unicorn: console and files in memory, nothing of the real file system.

Operations and their argument blocks: Arm, "Semihosting for AArch32 and AArch64", release 2.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

SYS_OPEN, SYS_CLOSE, SYS_WRITEC, SYS_WRITE0 = 0x01, 0x02, 0x03, 0x04
SYS_WRITE, SYS_READ, SYS_ISERROR, SYS_ISTTY = 0x05, 0x06, 0x08, 0x09
SYS_SEEK, SYS_FLEN, SYS_ERRNO, SYS_EXIT, SYS_EXIT_EXTENDED = 0x0A, 0x0C, 0x13, 0x18, 0x20
ADP_STOPPED_APPLICATION_EXIT = 0x20026
_ERROR = 0xFFFFFFFF
_STRING_LIMIT = 1 << 16
_BLOCK_WORDS = {
    SYS_OPEN: 3,
    SYS_CLOSE: 1,
    SYS_WRITE: 3,
    SYS_READ: 3,
    SYS_ISERROR: 1,
    SYS_ISTTY: 1,
    SYS_SEEK: 2,
    SYS_FLEN: 1,
}


@dataclass(slots=True)
class _Open:
    name: str
    writable: bool
    position: int = 0


@dataclass(slots=True)
class SemihostingHost:
    """Answers a firmware's semihosting calls.

    ``inputs`` are the files it may read, by name; ``written`` are those it wrote. ``console`` is what it printed,
    ``exit_code`` is set when it has ended.
    """

    read_memory: Callable[[int, int], bytes]
    write_memory: Callable[[int, bytes], None]
    inputs: Mapping[str, bytes]
    written: dict[str, bytearray] = field(default_factory=dict)
    console: bytearray = field(default_factory=bytearray)
    exit_code: int | None = None
    _handles: dict[int, _Open] = field(default_factory=dict)

    def call(self, operation: int, argument: int) -> int:
        """Does ``operation`` with the value of r1 and returns what r0 shall be."""
        if operation == SYS_WRITE0:
            self.console += self._string(argument)
            return 0
        if operation == SYS_WRITEC:
            self.console += self.read_memory(argument, 1)
            return 0
        if operation == SYS_EXIT:
            self.exit_code = 0 if argument == ADP_STOPPED_APPLICATION_EXIT else 1
            return 0
        if operation == SYS_EXIT_EXTENDED:
            reason, code = self._words(argument, 2)
            self.exit_code = code if reason == ADP_STOPPED_APPLICATION_EXIT else 1
            return 0
        if operation == SYS_ERRNO:
            return 0
        if operation not in _BLOCK_WORDS:
            return _ERROR
        words = self._words(argument, _BLOCK_WORDS[operation])
        if operation == SYS_OPEN:
            return self._open(words[0], words[1], words[2])
        if operation == SYS_ISERROR:
            return int(words[0] >> 31)
        handle = self._handles.get(words[0])
        if handle is None:
            return _ERROR
        return self._on_file(operation, handle, words)

    def _on_file(self, operation: int, handle: _Open, words: list[int]) -> int:
        content = self.written[handle.name] if handle.writable else self.inputs[handle.name]
        if operation == SYS_WRITE:
            if not handle.writable:
                return words[2]
            data = self.read_memory(words[1], words[2])
            self.written[handle.name][handle.position : handle.position + len(data)] = data
            handle.position += len(data)
            return 0
        if operation == SYS_READ:
            data = bytes(content[handle.position : handle.position + words[2]])
            self.write_memory(words[1], data)
            handle.position += len(data)
            return words[2] - len(data)
        if operation == SYS_SEEK:
            handle.position = words[1]
            return 0 if words[1] <= len(content) else _ERROR
        if operation == SYS_FLEN:
            return len(content)
        if operation == SYS_CLOSE:
            del self._handles[words[0]]
        return 0

    def _open(self, path: int, mode: int, length: int) -> int:
        name = self.read_memory(path, min(length, _STRING_LIMIT)).decode("utf-8", "replace")
        writable = mode >= 4  # modes 0 to 3 read, 4 to 7 write, 8 to 11 append
        if writable:
            if mode < 8 or name not in self.written:
                self.written[name] = bytearray()
        elif name not in self.inputs:
            return _ERROR
        handle = max(self._handles, default=0) + 1
        self._handles[handle] = _Open(name, writable, len(self.written[name]) if writable else 0)
        return handle

    def _words(self, address: int, count: int) -> list[int]:
        data = self.read_memory(address, 4 * count)
        return [int.from_bytes(data[i : i + 4], "little") for i in range(0, 4 * count, 4)]

    def _string(self, address: int) -> bytes:
        text = bytearray()
        while len(text) < _STRING_LIMIT:
            byte = self.read_memory(address + len(text), 1)
            if byte == b"\0":
                break
            text += byte
        return bytes(text)
