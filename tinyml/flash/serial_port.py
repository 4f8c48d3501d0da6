"""Opening serial ports: the 1200-baud touch, and why a port does not open, in words."""

from __future__ import annotations

import errno
import time

from tinyml.board import Upload
from tinyml.errors import BoardError
from tinyml.flash.diagnosis import busy, permission_denied

TOUCH_BAUD = 1200
_TOUCH_S = 0.05


def touch(port: str, upload: Upload) -> None:
    """Opens and closes ``port`` at 1200 baud with DTR low: boards that listen for it start their bootloader."""
    import serial

    line = serial.Serial(baudrate=TOUCH_BAUD, exclusive=True)
    line.port = port
    line.dtr = False
    try:
        with line:
            time.sleep(_TOUCH_S)
    except (serial.SerialException, OSError) as error:
        if error.errno in (errno.EIO, errno.ENXIO, errno.ENODEV):
            return  # the board restarted while its port was being closed: that was the aim
        raise port_error(port, error, upload) from error


def check_port(port: str, upload: Upload, patience_s: float = 0.0) -> None:
    """Raises BoardError where ``port`` can't be opened, with the reason in words: upload tools only say "no device".

    A port that has just appeared is given ``patience_s``: udev hands it to its group, and others look at it, first.
    """
    import serial

    deadline = time.monotonic() + patience_s
    while True:
        try:
            serial.Serial(port, exclusive=True).close()
            return
        except (serial.SerialException, OSError) as error:
            if time.monotonic() >= deadline:
                raise port_error(port, error, upload) from error
            time.sleep(_TOUCH_S)


def port_error(port: str, error: OSError, upload: Upload | None = None) -> BoardError:
    """The error for a serial port that does not open: no permission, in use, or gone."""
    if error.errno == errno.EACCES:
        return permission_denied(port, upload)
    if error.errno in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK):
        return busy(port)
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return BoardError(f"the port {port} is gone", hint="plug the board in again")
    return BoardError(f"the port {port} does not open: {error}", hint="plug the board in again")
