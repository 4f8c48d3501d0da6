"""Builds a rendered project with PlatformIO, offline, and says what went wrong in the compiler's own words."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tinyml.errors import BuildError, DoesNotFitError
from tinyml.firmware.project import Project
from tinyml.processes import ExpiredError, run_watched

GCC_HINT = "apt-get install --no-install-recommends gcc-arm-none-eabi libnewlib-arm-none-eabi, or pip install ziglang"
_ERROR_LINES = 12
_OVERFLOW = re.compile(
    r"(?:region [`'](?P<gnu>\w+)' overflowed by|will not fit in region '(?P<lld>\w+)': overflowed by) (?P<n>\d+) bytes"
)
_ERROR = re.compile(r"\berror\b|undefined (?:reference|symbol)|multiple definition|No such file", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BuiltFirmware:
    """What a build left: the ELF and raw binary, which toolchain made it and its version, and how long it took."""

    elf: Path
    binary: Path
    build_dir: Path
    environment: str
    toolchain: str
    compiler: str
    seconds: float


def choose_toolchain(wanted: str = "auto") -> str:
    """``gcc`` or ``zig``: the wanted one, or for ``auto`` GCC where it is on PATH and zig otherwise.

    Raises BuildError with the command to install one where the wanted one is missing.
    """
    has_gcc = shutil.which("arm-none-eabi-gcc") is not None
    has_zig = find_zig() is not None
    if wanted == "gcc" and not has_gcc:
        raise BuildError("arm-none-eabi-gcc is not on PATH", hint=GCC_HINT)
    if wanted == "zig" and not has_zig:
        raise BuildError("zig is not installed", hint="pip install ziglang")
    if wanted in ("gcc", "zig"):
        return wanted
    if not has_gcc and not has_zig:
        raise BuildError("there is no compiler for Arm: neither arm-none-eabi-gcc nor zig was found", hint=GCC_HINT)
    return "gcc" if has_gcc else "zig"


def find_zig() -> Path | None:
    """The zig executable of the Python package ``ziglang``, or the one on PATH."""
    spec = importlib.util.find_spec("ziglang")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in ("zig", "zig.exe"):
            if (Path(folder) / name).is_file():
                return Path(folder) / name
    on_path = shutil.which("zig")
    return Path(on_path) if on_path else None


def build_project(
    project: Project,
    *,
    env: str | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout_s: float = 900.0,
) -> BuiltFirmware:
    """Compiles and links one environment of ``project`` (default: the board's own).

    ``on_line`` gets every line PlatformIO prints. Raises DoesNotFitError where the image is larger than a memory
    region, naming region and excess; BuildError with the compiler's first error lines, or where a tool is missing.
    """
    environment = env or project.environments[0]
    if environment not in project.environments:
        names = ", ".join(project.environments)
        raise BuildError(f"the project has no environment {environment!r}", hint=f"it has {names}")
    toolchain = choose_toolchain(project.toolchain)
    if importlib.util.find_spec("platformio") is None:
        raise BuildError("PlatformIO is not installed", hint="pip install platformio scons")
    core_dir = project.directory / ".pio" / "core"
    _forget_other_versions(core_dir)
    command = [sys.executable, "-m", "platformio", "run", "-e", environment]
    started = time.monotonic()
    code, lines = _run(command, project.directory, _offline_environment(core_dir), on_line, timeout_s)
    if code != 0:
        raise _failure(project, lines)
    build_dir = project.directory / ".pio" / "build" / environment
    return BuiltFirmware(
        elf=build_dir / "firmware.elf",
        binary=build_dir / "firmware.bin",
        build_dir=build_dir,
        environment=environment,
        toolchain=toolchain,
        compiler=compiler_version(toolchain),
        seconds=time.monotonic() - started,
    )


def compiler_version(toolchain: str) -> str:
    """The compiler's version as it reports it, for the manifest. Raises BuildError where it does not start."""
    if toolchain == "zig":
        zig = find_zig()
        name, command = "zig", [str(zig), "version"]
    else:
        name, command = "arm-none-eabi-gcc", ["arm-none-eabi-gcc", "-dumpfullversion"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"{name} does not start: {error}", hint=GCC_HINT) from error
    return f"{name} {output.strip()}"


def _offline_environment(core_dir: Path) -> dict[str, str]:
    """PlatformIO neither reports nor asks for updates with these, and keeps its state inside the project."""
    return {
        **os.environ,
        "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
        "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true",
        "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "36500",
        "PLATFORMIO_CORE_DIR": str(core_dir),
        "PLATFORMIO_FORCE_ANSI": "false",
        "PYTHONUNBUFFERED": "1",
    }


def _forget_other_versions(core_dir: Path) -> None:
    """PlatformIO's state file of another version makes it ask its registry, which costs a minute offline and fails."""
    state = core_dir / "appstate.json"
    try:
        recorded = json.loads(state.read_text("utf-8")).get("last_version")
    except (OSError, ValueError, AttributeError):
        state.unlink(missing_ok=True)
        return
    if recorded != metadata.version("platformio"):
        state.unlink(missing_ok=True)


def _run(
    command: list[str],
    directory: Path,
    environment: dict[str, str],
    on_line: Callable[[str], None] | None,
    timeout_s: float,
) -> tuple[int, list[str]]:
    try:
        outcome = run_watched(command, directory, timeout_s=timeout_s, on_line=on_line, environment=environment)
    except OSError as error:
        raise BuildError(f"PlatformIO does not start: {error}", hint="`tinyml doctor` says what is missing") from error
    except ExpiredError as error:
        raise BuildError(
            f"the build took longer than {timeout_s:.0f} s and was stopped",
            hint="`pio run -v` in the project's folder shows where it stands",
        ) from error
    return outcome.code, list(outcome.lines)


def _failure(project: Project, lines: list[str]) -> BuildError | DoesNotFitError:
    overflow = next((match for line in lines if (match := _OVERFLOW.search(line))), None)
    if overflow is not None:
        region = overflow["gnu"] or overflow["lld"]
        excess = int(overflow["n"])
        return DoesNotFitError(
            f"the firmware is {excess:,} bytes too large for {region} of {project.board.name}",
            hint="take a smaller model, or a board with more memory; `tinyml check` shows where the bytes go",
        )
    if any("tinyml: the stack does not fit" in line for line in lines):
        return DoesNotFitError(
            f"data and arena leave no room for the stack in RAM of {project.board.name}",
            hint="take a smaller model, or a board with more RAM; `tinyml check` shows where the bytes go",
        )
    if any("No space left on device" in line for line in lines):
        return BuildError(
            f"no space is left on the device of {project.directory}",
            hint="free some space, or choose another place with --output",
        )
    errors = [line for line in lines if _ERROR.search(line)] or [line for line in lines if line][-_ERROR_LINES:]
    return BuildError(
        "the firmware did not build:\n" + "\n".join(f"    {line}" for line in errors[:_ERROR_LINES]),
        hint=f"`pio run -v` in {project.directory} shows every command",
    )
