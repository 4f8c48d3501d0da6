"""A firmware in QEMU with its serial line on a pseudo-terminal or a socket of this machine, as a board on a cable."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tinyml.boards import Board, list_boards
from tinyml.emulate.qemu import PROGRAM, find_qemu, machines
from tinyml.errors import BuildError, UsageError

LOOPBACK = "127.0.0.1"
_START_TIMEOUT_S = 20.0
_POLL_S = 0.02
_GREETING_S = 0.5
"""What a firmware says at its start goes by before the pseudo-terminal is told, as on a board reset long before."""
_LINES = {
    **{f"mps2-{name}": ("cmsdk_uart", "UART0", 0) for name in ("an385", "an386", "an500", "an505")},
    "mps3-an547": ("cmsdk_uart", "UART0", 0),
    "microbit": ("nrf51_uart", "UART0", 0),
    "netduinoplus2": ("stm32_usart_v1", "USART6", 5),
}
"""By QEMU's machine: the console that it models and its place among the machine's lines (QEMU 7.2, ``hw/arm``)."""


@dataclass(frozen=True, slots=True)
class SerialLine:
    """A running firmware: the process, and where its line can be opened (a device's path, or ``127.0.0.1:PORT``)."""

    process: subprocess.Popen[bytes]
    where: str


def line_number(board: Board) -> int:
    """The place of the board's console among the serial lines of QEMU's machine.

    Raises UsageError where QEMU does not model it, naming boards where it does.
    """
    emulator, console = board.emulator("qemu"), board.console
    known = _LINES.get(emulator.machine or "") if emulator is not None else None
    if console is None or known is None or known[:2] != (console.driver, console.instance):
        raise UsageError(
            f"QEMU does not model the serial line of {board.name}",
            hint=f"boards whose line it models: {', '.join(b.name for b in list_boards() if _models(b))}",
        )
    return known[2]


def parse_where(text: str) -> int | None:
    """The port of ``tcp:PORT``, 0 for ``tcp`` (any free one), None for ``pty``. Raises UsageError for anything else."""
    match = re.fullmatch(r"pty|tcp(?::(\d{1,5}))?", text)
    if match is None or int(match[1] or 0) > 65535:
        raise UsageError(f"unknown serial line {text!r}", hint="pty, tcp, or tcp:PORT with a port below 65536")
    return None if text == "pty" else int(match[1] or 0)


@contextmanager
def open_line(elf: Path, board: Board, where: str) -> Iterator[SerialLine]:
    """Runs ``elf`` in QEMU's machine for ``board`` until the block ends, its serial line where ``where`` says.

    ``where`` is ``pty``, ``tcp`` or ``tcp:PORT``; sockets listen on the loopback address alone, and the firmware starts
    when a client has connected. Raises UsageError where QEMU does not model the line, BuildError where QEMU is missing
    or does not start.
    """
    number, port = line_number(board), parse_where(where)
    emulator = board.emulator("qemu")
    machine = emulator.machine if emulator is not None and emulator.machine else ""
    program = find_qemu()
    if machine not in machines(program):
        raise BuildError(f"{PROGRAM} has no machine {machine}", hint="install QEMU 7.2 or later")
    device = "pty" if port is None else f"tcp:{LOOPBACK}:{port},server=on,wait=on,nodelay=on"
    serial = [*(["-serial", "null"] * number), "-serial", device]
    command = [program, "-M", machine, "-nographic", "-monitor", "none", *serial, "-kernel", str(elf.absolute())]
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        except OSError as error:
            raise BuildError(f"{PROGRAM} does not start: {error}") from error
        try:
            opened = _announced(process, said.fileno())
            if port is None:
                time.sleep(_GREETING_S)
            yield SerialLine(process, opened)
        finally:
            process.kill()
            process.wait()


def _announced(process: subprocess.Popen[bytes], descriptor: int) -> str:
    """The path or the address that QEMU says its line has."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    text = ""
    while time.monotonic() < deadline:
        text = os.pread(descriptor, 65536, 0).decode("utf-8", "replace")
        found = re.search(r"redirected to (\S+)", text) or re.search(r"disconnected:tcp:([\d.]+:\d+)", text)
        if found is not None:
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(_POLL_S)
    reason = text.strip().splitlines()[-1] if text.strip() else "it said nothing"
    raise BuildError(f"{PROGRAM} did not open the serial line: {reason}", hint="the port may be in use: try another")


def _models(board: Board) -> bool:
    emulator, console = board.emulator("qemu"), board.console
    known = _LINES.get(emulator.machine or "") if emulator is not None else None
    return console is not None and known is not None and known[:2] == (console.driver, console.instance)
