"""The semihosting host, against the operations' specification."""

from __future__ import annotations

import pytest

from tinyml.emulate import semihosting as sh


class Target:
    """A memory with argument blocks, and a host over it."""

    def __init__(self, **files: bytes) -> None:
        self.memory = bytearray(4096)
        self.host = sh.SemihostingHost(self.read, self.write, files)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self.memory[address : address + size])

    def write(self, address: int, data: bytes) -> None:
        self.memory[address : address + len(data)] = data

    def call(self, operation: int, *words: int) -> int:
        self.write(0, b"".join((word & 0xFFFFFFFF).to_bytes(4, "little") for word in words))
        return self.host.call(operation, 0)

    def open(self, name: str, mode: int) -> int:
        self.write(512, name.encode())
        return self.call(sh.SYS_OPEN, 512, mode, len(name))


def test_reading_a_file_in_pieces() -> None:
    target = Target(data=b"0123456789")
    handle = target.open("data", 1)
    assert target.call(sh.SYS_FLEN, handle) == 10
    assert target.call(sh.SYS_READ, handle, 1024, 4) == 0
    assert target.read(1024, 4) == b"0123"
    assert target.call(sh.SYS_READ, handle, 1024, 8) == 2, "how many bytes were not read"
    assert target.read(1024, 6) == b"456789"
    assert target.call(sh.SYS_SEEK, handle, 2) == 0
    assert target.call(sh.SYS_READ, handle, 1024, 1) == 0 and target.read(1024, 1) == b"2"
    assert target.call(sh.SYS_CLOSE, handle) == 0
    assert target.call(sh.SYS_READ, handle, 1024, 1) == 0xFFFFFFFF


def test_writing_truncates_and_appending_does_not() -> None:
    target = Target()
    target.write(1024, b"hello")
    for mode, expected in ((5, b"hello"), (5, b"hello"), (9, b"hellohello")):
        handle = target.open("out", mode)
        assert target.call(sh.SYS_WRITE, handle, 1024, 5) == 0
        target.call(sh.SYS_CLOSE, handle)
        assert bytes(target.host.written["out"]) == expected


def test_what_is_not_there_is_an_error() -> None:
    target = Target(data=b"x")
    assert target.open("missing", 1) == 0xFFFFFFFF
    assert target.call(sh.SYS_WRITE, target.open("data", 1), 1024, 5) == 5, "a file open for reading takes nothing"
    assert target.call(0x77) == 0xFFFFFFFF
    assert target.call(sh.SYS_FLEN, 99) == 0xFFFFFFFF
    assert bytes(target.host.inputs["data"]) == b"x"


def test_the_host_has_no_file_but_those_it_was_given() -> None:
    assert Target().open("/etc/passwd", 1) == 0xFFFFFFFF


def test_console_and_probe() -> None:
    target = Target()
    target.write(1024, b"hi\n\0there")
    assert target.host.call(sh.SYS_WRITE0, 1024) == 0
    assert target.host.call(sh.SYS_WRITEC, 1028) == 0
    assert target.host.console == b"hi\nt"
    assert target.call(sh.SYS_ISERROR, 0) == 0
    assert target.call(sh.SYS_ISERROR, -1) == 1


@pytest.mark.parametrize(("reason", "code", "expected"), [(0x20026, 0, 0), (0x20026, 5, 5), (0x20023, 0, 1)])
def test_exit_codes(reason: int, code: int, expected: int) -> None:
    target = Target()
    assert target.host.exit_code is None
    target.call(sh.SYS_EXIT_EXTENDED, reason, code)
    assert target.host.exit_code == expected


def test_plain_exit() -> None:
    target = Target()
    target.host.call(sh.SYS_EXIT, 0x20026)
    assert target.host.exit_code == 0
