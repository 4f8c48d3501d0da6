"""Which serial port to follow where the user names none."""

from __future__ import annotations

from collections.abc import Sequence

from tinyml.boards import Board
from tinyml.errors import BoardError
from tinyml.flash.ports import UsbDevice, connected_devices


def find_port(board: Board | None, devices: Sequence[UsbDevice] | None = None) -> str:
    """The port of ``board`` (of any USB device where it is None) among ``devices`` (default: this machine's).

    Raises BoardError where there is none, or several.
    """
    ports = [d for d in (connected_devices() if devices is None else devices) if d.port is not None]
    if board is not None:
        usb_ids = {usb_id for upload in board.upload for usb_id in upload.usb_ids}
        own = [device for device in ports if device.usb_id in usb_ids]
        ports = own or ports
    if not ports:
        wanted = "" if board is None else f" of {board.title}"
        raise BoardError(
            f"there is no serial port{wanted}",
            hint="plug the board in, or wire its console to a USB serial adapter (`tinyml boards NAME` shows the pins)",
        )
    if len(ports) > 1:
        listed = "; ".join(map(str, ports))
        raise BoardError(
            f"there are {len(ports)} serial ports: {listed}", hint=f"name one: tinyml monitor {ports[0].port}"
        )
    return str(ports[0].port)
