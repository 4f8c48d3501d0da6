"""Which USB devices are connected, and which of them is the board: never another one, never one of several."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyml.board import Upload
from tinyml.boards import Board
from tinyml.errors import BoardError, WrongBoardError

SYSFS_USB = Path("/sys/bus/usb/devices")
POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A USB device: ``usb_id`` is ``vvvv:pppp``, ``port`` its serial port where it has one, ``location`` its socket."""

    usb_id: str
    port: str | None = None
    serial_number: str | None = None
    product: str | None = None
    location: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """The same for all serial ports of one device, and another one for every other device."""
        return self.usb_id, self.location or self.serial_number or self.port or ""

    def __str__(self) -> str:
        """The device for a message."""
        where = self.port or (f"serial number {self.serial_number}" if self.serial_number else "no port")
        return f"{self.usb_id} ({self.product or 'unnamed'}) at {where}"


Lister = Callable[[], Sequence[UsbDevice]]


def connected_devices(sysfs: Path = SYSFS_USB) -> list[UsbDevice]:
    """Serial ports with USB ids (pyserial) and, on Linux, the USB devices that have no serial port (sysfs)."""
    from serial.tools import list_ports

    devices = [
        UsbDevice(
            f"{port.vid:04x}:{port.pid:04x}",
            port.device,
            port.serial_number,
            port.product,
            (port.location or "").partition(":")[0] or None,
        )
        for port in list_ports.comports()
        if port.vid is not None and port.pid is not None
    ]
    known = {device.identity for device in devices}
    for folder in sorted(sysfs.glob("*")) if sysfs.is_dir() else ():
        vendor, product = _read(folder / "idVendor"), _read(folder / "idProduct")
        if vendor is None or product is None:
            continue
        name, number = _read(folder / "product"), _read(folder / "serial")
        found = UsbDevice(f"{vendor}:{product}", None, number, name, folder.name)
        if found.identity not in known:
            devices.append(found)
    return devices


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def find_device(
    board: Board,
    upload: Upload,
    port: str | None,
    devices: Sequence[UsbDevice],
    known: Mapping[str, str],
) -> UsbDevice | None:
    """The one of ``devices`` that is ``board``; None where a debug probe of the user's own stands in between.

    ``port`` is what the user named: a serial port, or the serial number of a board or probe. ``known`` gives the USB
    ids of every board there is a file for, and those boards' titles.

    Raises WrongBoardError, naming found and expected ids, where another board is connected, and BoardError where there
    is none, or several and ``port`` does not choose.
    """
    if port is not None:
        named = [d for d in devices if is_named(d, port)]
        if not upload.usb_ids:
            return named[0] if named else UsbDevice("", None, port)
        if not named:
            raise _no_such_port(port, devices)
        if named[0].usb_id not in upload.usb_ids:
            raise _wrong_board(board, upload, named, known)
        return named[0]
    if not upload.usb_ids:
        return None
    matching = [device for device in devices if device.usb_id in upload.usb_ids]
    if len({device.identity for device in matching}) > 1:
        raise BoardError(
            f"{len(matching)} boards are connected that could be {board.name}: " + "; ".join(map(str, matching)),
            hint=f"choose one by its port or serial number: --port {matching[0].port or matching[0].serial_number}",
        )
    if matching:
        return next((device for device in matching if device.port is not None), matching[0])
    others = [device for device in devices if device.usb_id in known]
    if others:
        raise _wrong_board(board, upload, others, known)
    raise BoardError(
        f"no {board.title} is connected (USB {_ids(upload.usb_ids)})",
        hint=press_hint(upload),
    )


def is_named(device: UsbDevice, name: str) -> bool:
    """Whether ``name`` is the device's port, under whatever link, or its serial number."""
    if device.port is not None and os.path.realpath(device.port) == os.path.realpath(name):
        return True
    numbers = (device.serial_number or "").lower()
    return numbers != "" and numbers == name.lower()


def _no_such_port(port: str, devices: Sequence[UsbDevice]) -> BoardError:
    listed = "; ".join(map(str, devices)) or "nothing"
    if Path(port).exists():
        return BoardError(
            f"{port} has no USB ids: what board is behind it can't be told", hint=f"connected by USB: {listed}"
        )
    return BoardError(f"there is no port {port}", hint=f"is the board plugged in? Connected by USB: {listed}")


def _wrong_board(board: Board, upload: Upload, found: Iterable[UsbDevice], known: Mapping[str, str]) -> WrongBoardError:
    seen = "; ".join(f"{known.get(device.usb_id, 'another device')}: {device}" for device in found)
    return WrongBoardError(
        f"found {seen}, but {board.name} has USB {_ids(upload.usb_ids)}",
        hint=f"nothing was written; plug in the {board.title}, or name the board you have with --board. "
        f"{_sentence(press_hint(upload))}",
    )


def press_hint(upload: Upload) -> str:
    """What a person has to do so that the board shows itself."""
    return upload.press or "plug the board in"


def _sentence(text: str) -> str:
    return f"If it does not show itself: {text}"


def _ids(usb_ids: Sequence[str]) -> str:
    return " or ".join(usb_ids)


def wait_for(
    wanted: Callable[[UsbDevice], bool],
    timeout_s: float,
    *,
    lister: Lister,
    clock: Callable[[], float] = time.monotonic,
) -> UsbDevice | None:
    """The first device that is ``wanted``, as soon as it shows itself; None where none does within ``timeout_s``."""
    deadline = clock() + timeout_s
    while True:
        found = next((device for device in lister() if wanted(device)), None)
        if found is not None or clock() >= deadline:
            return found
        time.sleep(min(POLL_S, max(0.0, deadline - clock())))


def known_usb_ids(boards: Iterable[Board]) -> dict[str, str]:
    """USB id → titles of the boards that have it."""
    titles: dict[str, list[str]] = {}
    for board in boards:
        for usb_id in dict.fromkeys(usb_id for upload in board.upload for usb_id in upload.usb_ids):
            titles.setdefault(usb_id, []).append(board.title)
    return {usb_id: " or ".join(names) for usb_id, names in titles.items()}
