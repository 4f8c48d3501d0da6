"""Where the bytes come from: a serial port, a URL of pyserial's, a socket, a pipe, a file."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tinyml.errors import BoardError, UsageError
from tinyml.flash.ports import UsbDevice, connected_devices
from tinyml.flash.serial_port import port_error

READ_S = 0.1
READ_BYTES = 64 << 10
CONNECT_S = 5.0


class EndOfInput(Exception):  # noqa: N818 - it is no error that a file ends
    """A file or a pipe came to its end."""


class Gone(Exception):  # noqa: N818 - it may come back
    """A port or a connection is gone; it may come back."""


class Source(Protocol):
    """Something to read from. ``can_return`` says whether it makes sense to open it again after :class:`Gone`."""

    name: str
    can_return: bool

    def read(self) -> bytes:
        """What has come, after at most a tenth of a second. Raises EndOfInput or Gone."""

    def close(self) -> None:
        """Lets go of it."""


class FileSource:
    """A file, a pipe or standard input."""

    can_return = False

    def __init__(self, name: str, descriptor: int, *, owned: bool) -> None:
        self.name = name
        self._descriptor = descriptor
        self._owned = owned
        self._waits = not stat.S_ISREG(os.fstat(descriptor).st_mode) and sys.platform != "win32"

    def read(self) -> bytes:
        """What has come. Raises EndOfInput at the end of the file, or where the writing end was closed."""
        if self._waits and not select.select([self._descriptor], [], [], READ_S)[0]:
            return b""
        data = os.read(self._descriptor, READ_BYTES)
        if not data:
            raise EndOfInput
        return data

    def close(self) -> None:
        """Closes a file that was opened here."""
        if self._owned:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)


class SocketSource:
    """A TCP connection, as QEMU and Renode offer their serial ports."""

    can_return = True

    def __init__(self, name: str) -> None:
        self.name = name
        host, _, port = name.removeprefix("socket://").partition("?")[0].rstrip("/").rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(f"{name} is no address", hint="socket://HOST:PORT")
        try:
            self._socket = socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S)
        except OSError as error:
            raise BoardError(
                f"{name} does not answer: {error.strerror or error}", hint="is the emulator running, and waiting there?"
            ) from error
        if self._socket.getsockname() == self._socket.getpeername():
            # Linux lets a connection to a free local port meet itself, which would wait for ever
            self._socket.close()
            raise BoardError(f"{name} does not answer", hint="is the emulator running, and waiting there?")
        self._socket.settimeout(READ_S)

    def read(self) -> bytes:
        """What has come. Raises Gone where the other end closed the connection."""
        try:
            data = self._socket.recv(READ_BYTES)
        except TimeoutError:
            return b""
        except OSError as error:
            raise Gone(str(error)) from error
        if not data:
            raise Gone("the connection was closed")
        return data

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()


class SerialSource:
    """A serial port, or another URL that pyserial knows (``rfc2217://``, ``loop://``, ``spy://``)."""

    can_return = True

    def __init__(self, name: str, baud: int) -> None:
        import serial

        self.name = name
        is_port = "://" not in name
        options: dict[str, Any] = {"exclusive": True} if is_port and sys.platform != "win32" else {}
        try:
            self._serial = serial.serial_for_url(name, baudrate=baud, timeout=READ_S, **options)
        except ValueError as error:
            raise UsageError(
                f"{name}: {error}", hint="pyserial's URLs: socket://, rfc2217://, loop://, spy://"
            ) from error
        except OSError as error:
            raise port_error(name, error) from error

    def read(self) -> bytes:
        """What has come. Raises Gone where the port was pulled out."""
        import serial

        try:
            first: bytes = self._serial.read(1)
            more = self._serial.in_waiting if first else 0
            rest: bytes = self._serial.read(min(more, READ_BYTES)) if more else b""
            return first + rest
        except (serial.SerialException, OSError, TypeError) as error:
            raise Gone(str(error)) from error

    def close(self) -> None:
        """Closes the port, also one that is gone."""
        with contextlib.suppress(OSError):
            self._serial.close()


def open_source(name: str, baud: int) -> Source:
    """Opens what ``name`` says: ``-`` for standard input, a URL, a serial port, a file or a named pipe.

    Raises BoardError where a port or address does not open, UsageError where there is nothing of that name.
    """
    if name == "-":
        return FileSource("standard input", sys.stdin.fileno(), owned=False)
    if name.startswith("socket://"):
        return SocketSource(name)
    if "://" in name or (sys.platform == "win32" and name.upper().startswith("COM")):
        return SerialSource(name, baud)
    path = Path(name)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if name.startswith("/dev/"):
            raise BoardError(
                f"there is no port {name}", hint="is the board plugged in? Without a name the board is looked for"
            ) from error
        raise UsageError(
            f"there is no port or file {name}", hint="give a serial port, socket://HOST:PORT, a file, or - for a pipe"
        ) from error
    if stat.S_ISCHR(mode):
        return SerialSource(name, baud)
    if stat.S_ISDIR(mode):
        raise UsageError(f"{name} is a folder", hint="give a serial port, socket://HOST:PORT, a file, or - for a pipe")
    return FileSource(name, os.open(name, os.O_RDONLY), owned=True)


class Returning:
    """Opens a source again, under the name its USB device has when it comes back."""

    def __init__(
        self,
        name: str,
        baud: int,
        *,
        opener: Callable[[str, int], Source] = open_source,
        lister: Callable[[], list[UsbDevice]] = connected_devices,
    ) -> None:
        self._name, self._baud, self._opener, self._lister = name, baud, opener, lister
        self._device = next((d for d in lister() if d.port == name), None) if name.startswith("/dev/") else None

    def open(self) -> Source:
        """The source. Raises BoardError where it is not there (again) yet."""
        return self._opener(self._current_name(), self._baud)

    def _current_name(self) -> str:
        if self._device is None or Path(self._name).exists():
            return self._name
        wanted = (self._device.usb_id, self._device.serial_number)
        again = next((d.port for d in self._lister() if (d.usb_id, d.serial_number) == wanted and d.port), None)
        return again or self._name


def wait_for_return(returning: Returning, until: float | None, *, pause_s: float = 0.3) -> Source | None:
    """Tries to open until it works; None where ``until`` (on the monotonic clock) comes first."""
    while until is None or time.monotonic() < until:
        try:
            return returning.open()
        except BoardError:
            time.sleep(pause_s if until is None else max(0.0, min(pause_s, until - time.monotonic())))
    return None
