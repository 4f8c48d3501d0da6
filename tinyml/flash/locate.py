"""From what is connected to the board in its bootloader: found, waited for, restarted, its port open to us."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tinyml.boards import Upload, list_boards
from tinyml.errors import BoardError, WrongBoardError
from tinyml.flash.backends import Backend, Job
from tinyml.flash.ports import Lister, UsbDevice, find_device, known_usb_ids, press_hint, wait_for
from tinyml.flash.request import Reporter, Request
from tinyml.flash.serial_port import TOUCH_BAUD, check_port, touch

REAPPEAR_S = 10.0
PORT_PATIENCE_S = 3.0
SETTLE_S = 0.5
"""So long udev may take to hand a device that has just appeared to its group; a port's patience is its own."""


def port_for_platformio(job: Job, request: Request, lister: Lister) -> str | None:
    """The port the user named, which must be the board's; PlatformIO finds ports and starts bootloaders itself."""
    if request.port is not None and not request.dry_run:
        find_device(job.board, job.upload, request.port, lister(), known_usb_ids(list_boards()))
    return request.port


def locate(job: Job, backend: Backend, request: Request, reporter: Reporter, lister: Lister) -> UsbDevice | None:
    """The board's device; where it does not show itself, says what to press and waits. A dry run does without."""
    known = known_usb_ids(list_boards())
    try:
        return find_device(job.board, job.upload, request.port, lister(), known)
    except BoardError as error:
        if request.dry_run and not isinstance(error, WrongBoardError):
            return None if request.port is None else UsbDevice("", request.port)
        if request.dry_run or request.wait_s <= 0 or request.port is not None or _matches(job.upload, lister()):
            raise
        reporter.say(f"{error.message}: {press_hint(job.upload)} (waiting {request.wait_s:g} s)")
    wait_for(lambda device: _is_one_of(device, job.upload.usb_ids, backend), request.wait_s, lister=lister)
    return find_device(job.board, job.upload, None, lister(), known)


def _is_one_of(device: UsbDevice, usb_ids: Sequence[str], backend: Backend) -> bool:
    """Whether the device has one of the ids and, where the tool needs it, its port: that comes a moment later."""
    return device.usb_id in usb_ids and (device.port is not None or not backend.needs_serial_port)


def _matches(upload: Upload, devices: Sequence[UsbDevice]) -> bool:
    return any(device.usb_id in upload.usb_ids for device in devices)


def in_bootloader(upload: Upload, backend: Backend, device: UsbDevice, reporter: Reporter, lister: Lister) -> UsbDevice:
    """The device after it was sent to its bootloader: the port that re-appears may have another name.

    Its port was opened once, so that what is in the way of it is said in words. Raises BoardError where the board needs
    its button, or does not come back.
    """
    if not upload.boot_usb_ids or device.usb_id in upload.boot_usb_ids:
        return _with_open_port(upload, backend, device)
    if not upload.touch_1200bps or device.port is None:
        raise BoardError(f"{device} runs its application, not its bootloader", hint=press_hint(upload))
    reporter.say(f"starting the bootloader: opening {device.port} at {TOUCH_BAUD} baud")
    touch(device.port, upload)

    def is_same_board(other: UsbDevice) -> bool:
        same_socket = device.location is None or other.location is None or device.location == other.location
        return _is_one_of(other, upload.boot_usb_ids, backend) and same_socket

    found = wait_for(is_same_board, REAPPEAR_S, lister=lister)
    if found is None:
        raise BoardError(
            f"the board at {device.port} did not come back in its bootloader within {REAPPEAR_S:g} s",
            hint=f"{press_hint(upload)}, then flash again",
        )
    if not backend.needs_serial_port:
        time.sleep(SETTLE_S)
    return _with_open_port(upload, backend, found, PORT_PATIENCE_S)


def _with_open_port(upload: Upload, backend: Backend, device: UsbDevice, patience_s: float = 0.0) -> UsbDevice:
    if backend.needs_serial_port:
        if device.port is None:
            raise BoardError(f"{device} has no serial port", hint=press_hint(upload))
        check_port(device.port, upload, patience_s)
    return device
