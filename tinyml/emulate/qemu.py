"""Runs firmware on a machine of QEMU's, with semihosting for its files and console."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from tinyml.emulate.counting import BlockHits, CountPoints, code_bytes, count_points, mixes
from tinyml.emulate.native_code import shared_object
from tinyml.emulate.result import (
    INPUT_FILE,
    OUTPUT_FILE,
    TRACE_FILE,
    ApplicationRun,
    Emulation,
    check_exit,
    parse_trace,
    split_outputs,
    stack_used_bytes,
)
from tinyml.errors import BuildError, MismatchError
from tinyml.firmware.image import Image

PROGRAM = "qemu-system-arm"
INSTALL_HINT = "apt-get install --no-install-recommends qemu-system-arm"
_SPEC, _COUNTS, _PLUGIN, _VECTORS = "counter.txt", "counts.txt", "counter.so", "vectors.bin"
_VECTOR_BASES = {"mps2-an505": 0x10000000, "netduinoplus2": 0x08000000}


def run_qemu(
    image: Image, machine: str, inputs: Sequence[bytes], *, count: bool, timeout_s: float, calls: int = 1
) -> Emulation:
    """Runs ``image`` on the inputs in QEMU's ``machine``; ``calls`` of ``network_invoke`` are one inference.

    ``count`` counts the instructions of the first inference by a plugin, where a C compiler for this machine can build
    it; else they stay None. Raises BuildError where QEMU or the machine is missing or the run takes too long,
    MismatchError where the firmware faults.
    """
    _require_machine(machine)
    with tempfile.TemporaryDirectory(prefix="tinyml-qemu-") as folder:
        scratch = Path(folder)
        (scratch / INPUT_FILE).write_bytes(b"".join(inputs))
        command = _command(image, machine, scratch)
        points = count_points(image, calls) if count else None
        plugin = shared_object("qemu_counter") if points else None
        if points is not None and plugin is not None:
            _write_spec(scratch, points)
            shutil.copy(plugin, scratch / _PLUGIN)
            command += ["-plugin", f"./{_PLUGIN},spec={_SPEC},out={_COUNTS}"]
        console, errors, code = _execute(command, scratch, timeout_s)
        if plugin is not None and code != 0 and _refuses_plugins(errors):
            plugin = None
            console, errors, code = _execute(command[: command.index("-plugin")], scratch, timeout_s)
        _check(console, errors, code, image, machine)
        step_mixes = {}
        if points is not None and plugin is not None:
            base, content = code_bytes(image)
            step_mixes = mixes(points, _read_blocks(scratch), lambda at, size: content[at - base : at - base + size])
        return Emulation(
            emulator="qemu",
            outputs=split_outputs(_read(scratch / OUTPUT_FILE), len(inputs)),
            console=console,
            step_mixes=step_mixes,
            traces=parse_trace(_read(scratch / TRACE_FILE)),
            stack_used_bytes=stack_used_bytes(console),
        )


def run_qemu_application(image: Image, machine: str, files: Mapping[str, bytes], *, timeout_s: float) -> ApplicationRun:
    """Runs an application with ``files`` on its semihosting host until it ends. Raises as :func:`run_qemu` does."""
    _require_machine(machine)
    with tempfile.TemporaryDirectory(prefix="tinyml-qemu-") as folder:
        scratch = Path(folder)
        for name, content in files.items():
            (scratch / name).write_bytes(content)
        command = _command(image, machine, scratch)
        before = set(scratch.iterdir())
        console, errors, code = _execute(command, scratch, timeout_s)
        _check(console, errors, code, image, machine)
        written = {path.name: path.read_bytes() for path in sorted(set(scratch.iterdir()) - before)}
        return ApplicationRun("qemu", console, written)


def _require_machine(machine: str) -> None:
    if machine not in machines(find_qemu()):
        hint = "install QEMU 7.2 or later, or use --emulator unicorn"
        raise BuildError(f"{PROGRAM} has no machine {machine}", hint=hint)


def _command(image: Image, machine: str, scratch: Path) -> list[str]:
    return [
        find_qemu(), "-M", machine, "-nographic", "-monitor", "none", "-serial", "null",
        "-chardev", "stdio,id=host,signal=off",
        "-semihosting-config", "enable=on,target=native,chardev=host",
        "-kernel", str(image.path.absolute()), *_vector_loader(image, machine, scratch),
    ]  # fmt: skip


def _check(console: str, errors: str, code: int, image: Image, machine: str) -> None:
    if "Lockup" in errors or code not in range(256):
        where = re.search(r"R15=([0-9a-f]{8})", errors)
        at = f" at {image.where(int(where[1], 16))}" if where else ""
        raise MismatchError(
            f"the firmware locked up{at} in QEMU's {machine}",
            hint="this is a bug in the generated code or in an application of your own",
        )
    if code != 0 and not console and errors:
        raise BuildError(f"{PROGRAM} failed: {errors.strip().splitlines()[-1]}")
    check_exit(code, console, image, f"QEMU's {machine}")


def find_qemu() -> str:
    """QEMU's program on PATH. Raises BuildError with the command that installs it."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise BuildError(f"{PROGRAM} is not on PATH", hint=INSTALL_HINT)
    return program


@lru_cache(maxsize=4)
def machines(program: str) -> frozenset[str]:
    """The machines that this QEMU models."""
    try:
        output = subprocess.run([program, "-M", "help"], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"{PROGRAM} does not start: {error}", hint=INSTALL_HINT) from error
    return frozenset(line.split()[0] for line in output.splitlines()[1:] if line.strip())


def _vector_loader(image: Image, machine: str, scratch: Path) -> list[str]:
    """Where the image begins behind a bootloader, stack pointer and entry have to be put where the core looks."""
    vectors = image.address("tml_vectors")
    base = _VECTOR_BASES.get(machine, 0)
    if vectors == base:
        return []
    segment = next(s for s in image.segments if s.load_address <= vectors < s.load_address + len(s.data))
    start = vectors - segment.load_address
    (scratch / _VECTORS).write_bytes(segment.data[start : start + 8])
    return ["-device", f"loader,file={_VECTORS},addr=0x{base:x},force-raw=on"]


def _execute(command: list[str], folder: Path, timeout_s: float) -> tuple[str, str, int]:
    try:
        process = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"the firmware ran for {timeout_s:.0f} s in QEMU without ending",
            hint="allow more time, or run fewer inputs",
        ) from None
    except OSError as error:
        raise BuildError(f"{PROGRAM} does not start: {error}", hint=INSTALL_HINT) from error
    return process.stdout.decode("utf-8", "replace"), process.stderr.decode("utf-8", "replace"), process.returncode


def _refuses_plugins(errors: str) -> bool:
    """Whether QEMU was built without plugins, or with another version of their interface."""
    return any("plugin" in line.lower() and PROGRAM in line for line in errors.splitlines())


def _write_spec(scratch: Path, points: CountPoints) -> None:
    lines = [f"invoke {points.invoke.address:x} {points.invoke.address + points.invoke.size_bytes:x}"]
    lines += [f"body {f.address:x} {f.address + f.size_bytes:x}" for f in points.segments]
    lines.append(f"calls {points.calls}")
    lines += [f"return {address:x}" for address in points.returns]
    lines += [f"step {step.address:x}" for step in points.steps]
    (scratch / _SPEC).write_text("\n".join(lines) + "\n", "ascii")


def _read_blocks(scratch: Path) -> list[BlockHits]:
    content = _read(scratch / _COUNTS)
    if not content:
        raise BuildError("network_invoke never returned, so its instructions were not counted")
    return [BlockHits(*(int(number) for number in line.split())) for line in content.splitlines()]


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
