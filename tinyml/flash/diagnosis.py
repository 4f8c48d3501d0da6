"""From what an upload tool said to an error that a person can act on."""

from __future__ import annotations

import enum
import re
import signal
import sys
from collections.abc import Mapping

from tinyml.board import Upload
from tinyml.boards import Board
from tinyml.errors import BoardError, WrongBoardError
from tinyml.flash.ports import press_hint
from tinyml.processes import Outcome

_SHOWN_LINES = 6


class Failure(enum.Enum):
    """What can go wrong, most telling first: a tool's output often matches several."""

    DENIED = "denied"
    BUSY = "busy"
    SEVERAL = "several"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    VERIFY = "verify"
    GONE = "gone"
    ABSENT = "absent"
    TARGET = "target"


def diagnose(
    tool: str,
    doing: str,
    outcome: Outcome,
    failures: Mapping[Failure, str],
    board: Board,
    upload: Upload,
) -> BoardError:
    """The error for a run of ``tool`` that failed while it was ``doing`` (``writing`` or ``verifying``).

    ``failures`` are the tool's own messages, as regular expressions.
    """
    for failure in Failure:
        pattern = failures.get(failure)
        line = None if pattern is None else next((line for line in outcome.lines if re.search(pattern, line)), None)
        if line is not None:
            return _error(failure, tool, doing, line.strip(), board, upload)
    said = "".join(f"\n    {line}" for line in outcome.lines[-_SHOWN_LINES:])
    if outcome.code < 0:
        return BoardError(
            f"{tool} was ended by {_signal_name(-outcome.code)} while {doing}: {_half_written(board)}{said}",
            hint=f"flash again; if the board does not show itself: {press_hint(upload)}",
        )
    return BoardError(
        f"{tool} failed while {doing} with exit code {outcome.code}:{said or ' it said nothing'}",
        hint="--verbose shows everything it said; --tool takes another tool, `tinyml boards` lists them",
    )


def permission_denied(what: str, upload: Upload | None = None) -> BoardError:
    """The error for a port or USB device that this user may not open, with the remedy of this system."""
    return BoardError(f"no permission to use {what}", hint=permission_hint(upload))


def busy(what: str) -> BoardError:
    """The error for a port or probe that another program holds."""
    return BoardError(
        f"{what} is in use by another program",
        hint="close what uses it: `tinyml monitor`, an IDE's serial monitor, a debugger",
    )


def permission_hint(upload: Upload | None) -> str:
    """How a user gets access: on Linux the serial ports' group and a udev rule, elsewhere the driver."""
    if not sys.platform.startswith("linux"):
        return "install the board's USB driver (on Windows: WinUSB with Zadig), or run it as administrator"
    vendors = sorted({usb_id[:4] for usb_id in upload.usb_ids}) if upload else []
    rules = " ".join(f'SUBSYSTEMS=="usb", ATTRS{{idVendor}}=="{vendor}", TAG+="uaccess"' for vendor in vendors)
    rule = f" For USB devices put {rules} into /etc/udev/rules.d/60-tinyml.rules, then " if rules else " Then "
    return (
        "for serial ports: sudo usermod -aG dialout $USER, and log in again."
        f"{rule}sudo udevadm control --reload && sudo udevadm trigger"
    )


def _error(failure: Failure, tool: str, doing: str, line: str, board: Board, upload: Upload) -> BoardError:
    if failure is Failure.DENIED:
        return BoardError(f"no permission to use the USB device ({tool}: {line})", hint=permission_hint(upload))
    if failure is Failure.BUSY:
        return busy(f"the board or its probe ({tool}: {line})")
    if failure is Failure.SEVERAL:
        return BoardError(
            f"{tool} finds several boards: {line}", hint="unplug the others, or choose one: --port SERIAL-NUMBER"
        )
    if failure is Failure.WRONG:
        return WrongBoardError(
            f"{tool} found another chip than the {board.mcu} of {board.name}: {line}",
            hint="nothing was written; connect the right board, or name the one you have with --board",
        )
    if failure is Failure.UNKNOWN:
        return BoardError(
            f"{tool} does not know the chip it found: {line}",
            hint=f"nothing was written; either it is no {board.mcu}, or this {tool} is too old for it or not the "
            "vendor's: docs/flashing.md says which one the board needs, --tool takes another",
        )
    if failure is Failure.VERIFY:
        return BoardError(
            f"what {tool} read back is not what was written: {line}",
            hint="do not trust what is on the board; flash again, with another cable or USB socket if it repeats",
        )
    if failure is Failure.GONE:
        return BoardError(
            f"the connection broke while {tool} was {doing}: {line}; {_half_written(board)}",
            hint=f"check cable and socket and flash again; if the board does not show itself: {press_hint(upload)}",
        )
    if failure is Failure.ABSENT:
        return BoardError(f"{tool} finds no {board.title}: {line}", hint=press_hint(upload))
    return BoardError(
        f"the probe works, but the {board.mcu} does not answer ({tool}: {line})",
        hint="is the board powered and wired? Hold its reset button while flashing starts",
    )


def _half_written(board: Board) -> str:
    return f"{board.name} may hold an incomplete firmware"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
