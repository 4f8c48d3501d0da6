"""Runs a firmware in an emulator: which one, with which limits."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tinyml.boards import Board, Emulator
from tinyml.emulate.qemu import INSTALL_HINT, PROGRAM, run_qemu, run_qemu_application
from tinyml.emulate.result import ApplicationRun, Emulation
from tinyml.emulate.unicorn import run_unicorn, run_unicorn_application
from tinyml.errors import BuildError, UsageError
from tinyml.firmware.image import read_image

__all__ = ["ApplicationRun", "Emulation", "choose_emulator", "run_application", "run_firmware"]

DEFAULT_TIMEOUT_S = 600.0
_RUNNERS = ("unicorn", "qemu")


def choose_emulator(board: Board, wanted: str = "auto") -> Emulator:
    """The emulator to run ``board``'s firmware in: Unicorn where it is installed and has the core, else QEMU.

    ``wanted`` is ``auto``, ``unicorn`` or ``qemu``. Its ``relocated`` says whether the image has to be linked for it.
    Raises UsageError for another name, BuildError where it is not installed or does not model the board.
    """
    if wanted not in ("auto", *_RUNNERS):
        raise UsageError(f"unknown emulator {wanted!r}", hint=f"one of auto, {', '.join(_RUNNERS)}")
    candidates = [e for kind in _RUNNERS if wanted in ("auto", kind) and (e := board.emulator(kind)) is not None]
    if not candidates:
        name = "Unicorn or QEMU" if wanted == "auto" else wanted
        hint = f"see the emulators in {board.path.name}"
        raise BuildError(f"{name} can't run {board.core} as on {board.name}", hint=hint)
    for emulator in candidates:
        if _installed(emulator.kind):
            return emulator
    hints = {"unicorn": "pip install unicorn", "qemu": INSTALL_HINT}
    names = " nor ".join({"unicorn": "Unicorn", "qemu": PROGRAM}[emulator.kind] for emulator in candidates)
    raise BuildError(
        f"no emulator for {board.core} is installed: {'neither ' if len(candidates) > 1 else 'no '}{names} was found",
        hint=", or ".join(hints[emulator.kind] for emulator in candidates),
    )


def run_firmware(
    elf: Path,
    board: Board,
    inputs: Sequence[bytes],
    *,
    emulator: str = "auto",
    trace: bool = False,
    count: bool = True,
    caches: bool = False,
    calls: int = 1,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> Emulation:
    """Runs the benchmark firmware ``elf`` on ``inputs``, each the bytes of all of the network's inputs in order.

    ``trace`` says that the image was built to trace its tensors and that they are wanted; ``count`` counts the
    instructions of the first inference; ``caches`` simulates the board's flash caches besides, which Unicorn alone can.
    ``calls`` of ``network_invoke`` are one inference where the input comes row by row.

    Raises UsageError without an input; BuildError where the emulator is missing, takes too long or the image is not
    linked for it; MismatchError where the firmware faults.
    """
    if not inputs:
        raise UsageError("there is no input to run the firmware on")
    chosen = choose_emulator(board, emulator)
    image = read_image(elf)
    counted = count and not trace
    if chosen.kind == "unicorn":
        cpu = chosen.cpu or ""
        result = run_unicorn(image, board, cpu, inputs, count=counted, timeout_s=timeout_s, caches=caches, calls=calls)
    else:
        result = run_qemu(image, chosen.machine or "", inputs, count=counted, timeout_s=timeout_s, calls=calls)
    if trace and len(result.traces) != len(inputs):
        raise BuildError("the firmware wrote no trace", hint="build the environment whose name ends in -trace")
    return result


def run_application(
    elf: Path, board: Board, files: Mapping[str, bytes], *, emulator: str = "auto", timeout_s: float = DEFAULT_TIMEOUT_S
) -> ApplicationRun:
    """Runs an application's ``elf`` until it ends, with ``files`` on its semihosting host: its microphone or camera.

    Raises as :func:`run_firmware` does.
    """
    chosen = choose_emulator(board, emulator)
    image = read_image(elf)
    if chosen.kind == "unicorn":
        return run_unicorn_application(image, board, chosen.cpu or "", files, timeout_s=timeout_s)
    return run_qemu_application(image, chosen.machine or "", files, timeout_s=timeout_s)


def _installed(kind: str) -> bool:
    if kind == "unicorn":
        return importlib.util.find_spec("unicorn") is not None
    return shutil.which(PROGRAM) is not None
