"""Pictures from a board: asks the application vww for a frame over its serial line and checks what comes.

The request is one byte, ``c``. The answer is lines of JSON (docs/visual-wake-words.md): ``capture`` with the size, one
``row`` a line of the picture with its pixels in base64, ``captured`` with the CRC-32 of all of them, and the ``frame``
line with what the network said of it.
"""

from __future__ import annotations

import base64
import binascii
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.errors import BoardError, UsageError
from tinyml.files import replacing
from tinyml.flash.serial_port import port_error
from tinyml.monitor.events import Event, decode
from tinyml.monitor.lines import LineSplitter

REQUEST = b"c"
ASK_AGAIN_S = 10.0
READ_S = 0.1
MAX_SIDE = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Capture:
    """A picture as the network took it, uint8 ``[size, size, 1 or 3]``, and what it said: class and score."""

    pixels: NDArray[np.uint8]
    label: str | None
    score: float | None


class DamagedError(Exception):
    """A picture that came incomplete or changed: it is asked for again."""


@dataclass(slots=True)
class Assembler:
    """Puts a picture together from events; gives it when its last line has come."""

    _size: int = 0
    _channels: int = 0
    _rows: list[bytes] = field(default_factory=list)
    _pixels: NDArray[np.uint8] | None = None

    def take(self, event: Event) -> Capture | None:
        """The finished picture, or None while there is more to come. Raises DamagedError where it can't be used."""
        if event.kind == "capture":
            self._begin(event.fields)
        elif event.kind == "row" and self._size:
            self._rows.append(self._row(event.fields))
        elif event.kind == "captured" and self._size:
            self._finish(event.fields)
        elif event.kind == "frame" and self._pixels is not None:
            pixels, self._pixels = self._pixels, None
            return Capture(pixels, event.text("class"), event.number("score"))
        return None

    def _begin(self, fields: dict[str, Any]) -> None:
        size, channels = fields.get("size"), fields.get("channels")
        if not isinstance(size, int) or not 1 <= size <= MAX_SIDE or channels not in (1, 3):
            raise DamagedError(f"a picture of {size} x {size} x {channels}")
        self._size, self._channels, self._rows, self._pixels = size, channels, [], None

    def _row(self, fields: dict[str, Any]) -> bytes:
        try:
            data = base64.b64decode(str(fields.get("data")), validate=True)
        except binascii.Error as error:
            raise self._damaged(f"row {len(self._rows)} is not base64") from error
        if fields.get("row") != len(self._rows) or len(data) != self._size * self._channels:
            raise self._damaged(f"row {len(self._rows)} is missing or has {len(data)} bytes")
        return data

    def _finish(self, fields: dict[str, Any]) -> None:
        data = b"".join(self._rows)
        if len(self._rows) != self._size or f"{zlib.crc32(data):#010x}" != fields.get("crc32"):
            raise self._damaged(f"{len(self._rows)} of {self._size} rows, or the CRC-32 differs")
        self._pixels = np.frombuffer(data, np.uint8).reshape(self._size, self._size, self._channels)
        self._size = 0

    def _damaged(self, what: str) -> DamagedError:
        self._size = 0
        return DamagedError(what)


def capture(port: str, baud: int, *, timeout_s: float = 60.0) -> Capture:
    """One picture from the board at ``port``, a serial port or a URL of pyserial's (``socket://HOST:PORT``).

    A picture that comes damaged is asked for again. Raises BoardError where the port does not open, goes away, or no
    whole picture comes in time.
    """
    deadline = time.monotonic() + timeout_s
    trouble = "nothing came"
    opened = _open(port, baud)
    try:
        with opened as line:
            assembler, splitter, asked = Assembler(), LineSplitter(), float("-inf")
            while time.monotonic() < deadline:
                if time.monotonic() - asked > ASK_AGAIN_S:
                    line.write(REQUEST)
                    asked = time.monotonic()
                for event in _events(splitter, line.read(line.in_waiting or 1)):
                    trouble = "the board prints, but sends no picture"
                    asked = time.monotonic() if event.kind in ("capture", "row") else asked
                    try:
                        whole = assembler.take(event)
                    except DamagedError as damage:
                        trouble, asked = f"the last picture was damaged ({damage})", float("-inf")
                        continue
                    if whole is not None:
                        return whole
    except OSError as error:
        raise BoardError(f"{port} went away: {error}", hint="plug the board in again") from error
    raise BoardError(
        f"no picture came from {port} in {timeout_s:.0f} s: {trouble}",
        hint="flash the application vww (`tinyml build --app vww`), and check port and baud rate",
    )


def _open(port: str, baud: int) -> Any:
    """The serial port or URL as pyserial opens it. Raises BoardError where it is not there, UsageError for no URL."""
    import serial

    is_port = "://" not in port
    if is_port and sys.platform != "win32" and not Path(port).exists():
        raise BoardError(
            f"there is no port {port}", hint="is the board plugged in? Without a name the board is looked for"
        )
    options: dict[str, Any] = {"exclusive": True} if is_port and sys.platform != "win32" else {}
    try:
        return serial.serial_for_url(port, baudrate=baud, timeout=READ_S, **options)
    except ValueError as error:
        raise UsageError(f"{port}: {error}", hint="a serial port, or socket://HOST:PORT") from error
    except OSError as error:
        if is_port:
            raise port_error(port, error) from error
        raise BoardError(f"{port} does not answer", hint="is the emulator running, and waiting there?") from error


def _events(splitter: LineSplitter, data: bytes) -> Iterator[Event]:
    for line in splitter.feed(data):
        event = decode(line.text)
        if event is not None:
            yield event


def write_png(picture: Capture, path: Path) -> None:
    """Writes the picture whole or not at all. Raises UsageError without Pillow, or where it can't be written."""
    try:
        from PIL import Image
    except ImportError:
        raise UsageError("writing pictures needs Pillow", hint="pip install 'tinyml[train]'") from None
    pixels = picture.pixels[..., 0] if picture.pixels.shape[2] == 1 else picture.pixels
    with replacing(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
