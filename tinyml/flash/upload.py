"""Puts a firmware on a board: checks the image, chooses the tool, finds the board, starts its bootloader, writes.

Nothing is written before every check passed; whatever fails leaves one error that says what the board may hold now.
"""

from __future__ import annotations

import re
import shlex
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinyml.boards import Board, Upload, list_boards
from tinyml.errors import BoardError, UsageError
from tinyml.flash import drive as drives
from tinyml.flash.backends import BACKENDS, DRIVE, PLATFORMIO, Backend, Command, Job, Plan
from tinyml.flash.diagnosis import diagnose
from tinyml.flash.doctor import TOOLS
from tinyml.flash.firmware import Firmware
from tinyml.flash.image import FlashImage, load_flash_image
from tinyml.flash.locate import REAPPEAR_S, in_bootloader, locate, port_for_platformio
from tinyml.flash.ports import Lister, connected_devices, find_device, is_named, known_usb_ids, press_hint
from tinyml.flash.request import Reporter, Request
from tinyml.flash.running import percentage, run_tool

DRIVE_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class FlashResult:
    """What was done; ``commands`` are the tool's command lines, empty for a copy to a drive."""

    board: str
    firmware: str
    tool: str
    port: str | None
    address: int
    size_bytes: int
    verified: bool
    dry_run: bool
    seconds: float
    commands: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The keys of ``tinyml flash --json``."""
        return {
            "board": self.board,
            "firmware": self.firmware,
            "tool": self.tool,
            "port": self.port,
            "address": self.address,
            "bytes": self.size_bytes,
            "verified": self.verified,
            "dry_run": self.dry_run,
            "seconds": self.seconds,
            "commands": list(self.commands),
        }


def flash(
    firmware: Firmware,
    board: Board,
    request: Request | None = None,
    *,
    reporter: Reporter | None = None,
    lister: Lister | None = None,
    folders: Callable[[], Sequence[Path]] | None = None,
) -> FlashResult:
    """Writes ``firmware`` to ``board`` and, where the tool can, reads it back and compares.

    ``lister`` and ``folders`` tell what is connected and mounted (default: this machine's).

    Raises BoardError, WrongBoardError and DoesNotFitError; nothing was written where the image or the board is wrong.
    """
    request, reporter = request or Request(), reporter or Reporter()
    lister, folders = lister or connected_devices, folders or drives.mounted_folders
    started = time.monotonic()
    image = load_flash_image(firmware.elf, board)
    upload, backend, program = choose_tool(board, request.tool, dry_run=request.dry_run)
    job = Job(board, upload, image, request.verify, project=firmware.project, environment=firmware.environment)
    if backend is DRIVE:
        port, commands = _flash_drive(job, request, reporter, lister, folders)
    else:
        port, commands = _flash_with_tool(job, backend, program, firmware, request, reporter, lister)
    return FlashResult(
        board=board.name,
        firmware=str(firmware.elf),
        tool=backend.name,
        port=port,
        address=image.address,
        size_bytes=len(image.data),
        verified=request.verify and backend.reads_back and not request.dry_run,
        dry_run=request.dry_run,
        seconds=round(time.monotonic() - started, 3),
        commands=commands,
    )


def choose_tool(board: Board, wanted: str | None, *, dry_run: bool = False) -> tuple[Upload, Backend, tuple[str, ...]]:
    """The first way to flash ``board`` whose tool is installed, or that of the ``wanted`` tool; and its program.

    A dry run does without the program. Raises UsageError for a tool that is none of the board's, BoardError where no
    program is installed, with the commands that get one.
    """
    ways = [upload for upload in board.upload if upload.protocol != "none"]
    if wanted is not None:
        ways = [upload for upload in ways if upload.tool == wanted]
        if not ways and wanted == PLATFORMIO.name and board.upload:
            ways = [replace(board.upload[0], tool=PLATFORMIO.name)]
        if not ways:
            names = dict.fromkeys(upload.tool for upload in board.upload if upload.protocol != "none")
            raise UsageError(
                f"{board.name} is not flashed with {wanted!r}", hint=f"its tools: {', '.join(names) or 'none'}"
            )
    if not ways or any(upload.protocol == "none" for upload in ways):
        raise BoardError(
            f"{board.name} is an emulated board: there is nothing to flash",
            hint=f"`tinyml emulate --board {board.name}` runs a firmware on it",
        )
    for upload in ways:
        backend = BACKENDS.get(upload.tool)
        if backend is None:
            raise UsageError(
                f"{board.path}: tinyml cannot drive the upload tool {upload.tool!r}",
                hint=f"it can drive {', '.join(BACKENDS)}",
            )
        program = backend.find()
        if backend is DRIVE or program is not None:
            return upload, backend, program or ()
    if dry_run:
        backend = BACKENDS[ways[0].tool]
        return ways[0], backend, (backend.programs[0],)
    get = {tool.name: tool.get for tool in TOOLS}
    raise BoardError(
        f"no tool that flashes {board.name} is installed: {', '.join(upload.tool for upload in ways)}",
        hint="; or ".join(get[upload.tool] for upload in ways if upload.tool in get) or "`tinyml doctor`",
    )


def _flash_with_tool(
    job: Job,
    backend: Backend,
    program: tuple[str, ...],
    firmware: Firmware,
    request: Request,
    reporter: Reporter,
    lister: Lister,
) -> tuple[str | None, tuple[str, ...]]:
    if backend is PLATFORMIO:
        port = port_for_platformio(job, request, lister)
        job = replace(job, port=port)
    else:
        device = locate(job, backend, request, reporter, lister)
        if device is not None and not request.dry_run:
            device = in_bootloader(job.upload, backend, device, reporter, lister)
        port = None if device is None else device.port
        named = device if request.port is not None else None
        job = replace(job, port=port, serial_number=None if named is None else named.serial_number)
    plan = backend.plan(job)
    commands = tuple(shlex.join((*program, *command.arguments)) for command in plan.commands)
    if not request.dry_run:
        before = firmware.elf.read_bytes()
        _run_plan(job, backend, program, plan, request, reporter)
        if backend is PLATFORMIO and firmware.elf.read_bytes() != before:
            raise BoardError(
                "PlatformIO built the firmware again before it uploaded it: what is on the board was not proven",
                hint="a file of the project was edited; run `tinyml build` again",
            )
    return port, commands


def _run_plan(
    job: Job, backend: Backend, program: tuple[str, ...], plan: Plan, request: Request, reporter: Reporter
) -> None:
    def on_line(text: str) -> None:
        reporter.line(text)
        value = percentage(text)
        if value is not None:
            reporter.percent(value)

    with tempfile.TemporaryDirectory(prefix="tinyml-flash-") as scratch:
        folder = Path(scratch)
        for name, content in plan.files.items():
            (folder / name).write_bytes(content)
        for command in plan.commands:
            reporter.say(f"{command.doing} with {backend.name}")
            try:
                outcome = run_tool((*program, *command.arguments), folder, timeout_s=request.timeout_s, on_line=on_line)
            except KeyboardInterrupt:
                reporter.say(
                    f"stopped while {command.doing}: {job.board.name} may hold an incomplete firmware; flash again"
                )
                raise
            said = command.must_say is None or any(_says(command, line) for line in outcome.lines)
            if outcome.code != 0 or not said:
                raise diagnose(backend.name, command.doing, outcome, backend.failures, job.board, job.upload)
            if command.reads_into is not None:
                _compare(backend.name, folder / command.reads_into, job.image)


def _says(command: Command, line: str) -> bool:
    return command.must_say is not None and re.search(command.must_say, line) is not None


def _compare(tool: str, path: Path, image: FlashImage) -> None:
    read = path.read_bytes() if path.is_file() else b""
    if read[: len(image.data)] == image.data:
        return
    pairs = zip(read, image.data, strict=False)
    offset = next((i for i, (is_there, wanted) in enumerate(pairs) if is_there != wanted), len(read))
    raise BoardError(
        f"what {tool} read back is not what was written, from {image.address + offset:#010x} on",
        hint="do not trust what is on the board; flash again, with another cable or USB socket if it repeats",
    )


def _flash_drive(
    job: Job,
    request: Request,
    reporter: Reporter,
    lister: Lister,
    folders: Callable[[], Sequence[Path]],
) -> tuple[str | None, tuple[str, ...]]:
    ((name, content),) = DRIVE.plan(job).files.items()
    drive = (
        None if _names_device(request, lister) else drives.find_drive(job.board, job.upload, request.port, folders())
    )
    if drive is None and request.dry_run:
        return None, ()
    if drive is None:
        drive = _wait_for_drive(job, request, reporter, lister, folders)
    if not request.dry_run:
        reporter.say(f"copying {name} to {drive.path}")
        settle_s = drives.SETTLE_S if job.upload.protocol == "mbed" else 0.0
        drives.copy_to_drive(
            drive, name, content, timeout_s=DRIVE_TIMEOUT_S, on_progress=reporter.percent, settle_s=settle_s
        )
    return str(drive.path), ()


def _names_device(request: Request, lister: Lister) -> bool:
    """Whether the user named a serial port or a board's number, and not a drive's folder."""
    return request.port is not None and any(is_named(device, request.port) for device in lister())


def _wait_for_drive(
    job: Job,
    request: Request,
    reporter: Reporter,
    lister: Lister,
    folders: Callable[[], Sequence[Path]],
) -> drives.Drive:
    """Starts the bootloader where the board runs an application that listens, or says what to press, and waits."""
    matching = [device for device in lister() if device.usb_id in job.upload.usb_ids]
    known = known_usb_ids(list_boards())
    if request.port is not None:
        named = find_device(job.board, job.upload, request.port, lister(), known)
        matching = [] if named is None else [named]
    wait_s = request.wait_s
    running = [
        device for device in matching if job.upload.boot_usb_ids and device.usb_id not in job.upload.boot_usb_ids
    ]
    if len(running) == 1 and job.upload.touch_1200bps and running[0].port is not None:
        matching = [in_bootloader(job.upload, DRIVE, running[0], reporter, lister)]
        wait_s = max(wait_s, REAPPEAR_S)
    elif matching and not running:
        wait_s = max(wait_s, drives.SETTLE_S)
    elif wait_s > 0:
        reporter.say(f"no drive of {job.board.title}: {press_hint(job.upload)} (waiting {wait_s:g} s)")
    deadline = time.monotonic() + wait_s
    while True:
        drive = drives.find_drive(job.board, job.upload, None, folders())
        if drive is not None:
            return drive
        if time.monotonic() >= deadline:
            break
        time.sleep(drives.POLL_S)
    if matching:
        raise BoardError(
            f"{matching[0]} is connected, but its drive is not mounted",
            hint="mount it (udisksctl mount -b /dev/sdX1), and give its folder with --port if it is not found",
        )
    find_device(job.board, job.upload, None, lister(), known)
    raise BoardError(f"no drive of {job.board.title} is mounted", hint=press_hint(job.upload))
