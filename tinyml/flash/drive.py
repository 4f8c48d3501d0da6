"""Boards that show themselves as a drive: finds the right one, copies the firmware, waits for the board to take it.

UF2 bootloaders say what they are in ``INFO_UF2.TXT`` (Microsoft, USB Flashing Format), mbed's in the ``code`` that
``MBED.HTM`` carries; an mbed drive tells of a failure in ``FAIL.TXT`` (Arm DAPLink, drag and drop).
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tinyml.boards import Board, Upload
from tinyml.errors import BoardError, WrongBoardError
from tinyml.flash.ports import press_hint

POLL_S = 0.2
SETTLE_S = 4.0
_CHUNK_BYTES = 64 << 10
_UF2_BOARD_IDS = {"rp2040": "RPI-RP2", "rp2350": "RP2350"}
_MBED_CODE = re.compile(r"[?&](?:code|auth)=([0-9a-fA-F]{4})")
_MBED_UNIQUE_ID = re.compile(r"^Unique ID:\s*([0-9a-fA-F]{4})", re.MULTILINE)
_MOUNT_ESCAPES = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Drive:
    """A mounted drive of a bootloader: ``identity`` is its UF2 Board-ID or its mbed code, ``text`` where that stood."""

    path: Path
    identity: str
    text: str


def mounted_folders() -> list[Path]:
    """Where drives are mounted: every mount point on Linux, /Volumes on macOS, drive letters on Windows."""
    if sys.platform == "win32":
        return [Path(f"{letter}:/") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ" if Path(f"{letter}:/").exists()]
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    fields = [line.split() for line in lines]
    return [Path(_unescape(f[1])) for f in fields if len(f) > 2 and f[2] in ("vfat", "msdos", "exfat", "fuseblk")]


def _unescape(text: str) -> str:
    """Spaces of a mount point stand as octal numbers (Linux, fstab(5))."""
    return _MOUNT_ESCAPES.sub(lambda match: chr(int(match[1], 8)), text)


def read_drive(folder: Path, protocol: str) -> Drive | None:
    """What the folder says of its board; None where it is no bootloader's drive of that ``protocol``."""
    names = ("INFO_UF2.TXT",) if protocol == "uf2" else ("MBED.HTM", "mbed.htm", "DETAILS.TXT")
    for name in names:
        try:
            text = (folder / name).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if protocol == "uf2":
            found = re.search(r"^Board-ID:\s*(\S+)", text, re.MULTILINE)
            return Drive(folder, found[1] if found else "", text)
        code = _MBED_CODE.search(text) or _MBED_UNIQUE_ID.search(text)
        return Drive(folder, code[1].upper() if code else "", text)
    return None


def find_drive(board: Board, upload: Upload, port: str | None, folders: Sequence[Path]) -> Drive | None:
    """The drive of ``board``: the folder ``port`` where it is given, otherwise the only one that fits; None for none.

    Raises WrongBoardError where only other boards' drives are there, BoardError where several fit or ``port`` is no
    such drive.
    """
    if port is not None:
        chosen = read_drive(Path(port), upload.protocol)
        if chosen is None:
            raise BoardError(f"{port} is not the drive of a bootloader", hint=press_hint(upload))
        drives = [chosen]
    else:
        drives = [drive for folder in folders if (drive := read_drive(folder, upload.protocol)) is not None]
    fitting = [drive for drive in drives if _fits(drive, board, upload)]
    if drives and not fitting:
        found = ", ".join(f"{drive.identity or 'an unknown board'} at {drive.path}" for drive in drives)
        raise WrongBoardError(
            f"found {found}, but the drive of {board.name} says {' or '.join(_expected(board, upload))}",
            hint="nothing was written; connect the right board, or name the one you have with --board",
        )
    if len(fitting) > 1:
        raise BoardError(
            f"{len(fitting)} drives could be {board.name}: {', '.join(str(drive.path) for drive in fitting)}",
            hint=f"choose one: --port {fitting[0].path}",
        )
    return fitting[0] if fitting else None


def _expected(board: Board, upload: Upload) -> tuple[str, ...]:
    if upload.protocol == "uf2":
        return (_UF2_BOARD_IDS.get(board.family, board.family.upper()),)
    return tuple((upload.target or "").split())


def _fits(drive: Drive, board: Board, upload: Upload) -> bool:
    return drive.identity.upper() in {identity.upper() for identity in _expected(board, upload)}


def copy_to_drive(
    drive: Drive,
    name: str,
    content: bytes,
    *,
    timeout_s: float,
    on_progress: Callable[[int], None],
    settle_s: float = 0.0,
) -> None:
    """Writes ``content`` as ``name`` and waits until the board has taken it: it restarts, so its drive goes away.

    ``settle_s`` is how long to look for a FAIL.TXT afterwards: a drive that has one comes back by itself.

    Raises BoardError where the drive can't be written, goes away half-way, stays, or comes back with FAIL.TXT.
    """
    written = 0
    try:
        with (drive.path / name).open("wb") as file:
            for start in range(0, len(content), _CHUNK_BYTES):
                file.write(content[start : start + _CHUNK_BYTES])
                file.flush()
                written = min(start + _CHUNK_BYTES, len(content))
                on_progress(100 * written // len(content))
            os.fsync(file.fileno())
    except OSError as error:
        if written < len(content):
            raise BoardError(
                f"the drive {drive.path} took {written:,} of {len(content):,} bytes: {error.strerror or error}",
                hint="the board may hold an incomplete firmware: bring its drive back and flash again",
            ) from error
        # A bootloader that has all it wants restarts before the file is closed: what counts is that the drive goes.
    deadline = time.monotonic() + timeout_s
    while _is_there(drive.path / name):
        if time.monotonic() >= deadline:
            raise BoardError(
                f"the drive {drive.path} is still there after {timeout_s:g} s: the board did not take the firmware",
                hint="press the board's reset button, bring the drive back and flash again",
            )
        time.sleep(POLL_S)
    _check_failure(drive.path, settle_s)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # the system still names a drive that was pulled out


def _check_failure(folder: Path, settle_s: float) -> None:
    """An mbed drive comes back after a while, with FAIL.TXT where the firmware was not taken."""
    deadline = time.monotonic() + settle_s
    while True:
        try:
            reason = (folder / "FAIL.TXT").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            if time.monotonic() >= deadline:
                return
            time.sleep(POLL_S)
            continue
        raise BoardError(f"the board did not take the firmware: {reason}", hint="flash again, or take another --tool")
