"""Which of the tools that tinyml can use are on this machine, and the command that gets each that is not."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata

PROBE_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Tool:
    """A program or a Python package: what it is for and how to get it.

    ``package`` is the Python distribution, ``program`` the executable on PATH; the first that is there counts.
    """

    name: str
    purpose: str
    get: str
    package: str | None = None
    program: str | None = None
    version_argument: str = "--version"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a tool: ``version`` and ``path`` are None where it is missing."""

    tool: Tool
    installed: bool
    version: str | None
    path: str | None


TOOLS: tuple[Tool, ...] = (
    Tool("ai-edge-litert", "reading", "pip install ai-edge-litert", package="ai-edge-litert"),
    Tool("platformio", "building", "pip install platformio", package="platformio"),
    Tool("scons", "building", "pip install scons", package="scons"),
    Tool(
        "gcc",
        "building",
        "apt-get install --no-install-recommends gcc-arm-none-eabi libnewlib-arm-none-eabi",
        program="arm-none-eabi-gcc",
    ),
    Tool("zig", "building", "pip install 'tinyml[zig]'", package="ziglang"),
    Tool("unicorn", "emulating", "pip install 'tinyml[unicorn]'", package="unicorn"),
    Tool("qemu", "emulating", "apt-get install --no-install-recommends qemu-system-arm", program="qemu-system-arm"),
    Tool("renode", "emulating", "see https://renode.io for a package or a portable archive", program="renode"),
    Tool("tensorflow", "training", "pip install 'tinyml[train]'", package="tensorflow"),
    Tool(
        "espeak-ng",
        "speaking",
        "apt-get install espeak-ng, or pip install 'tinyml[speech]'",
        package="espeakng-loader",
        program="espeak-ng",
    ),
    Tool("pyocd", "flashing", "pip install 'tinyml[upload]'", package="pyocd", program="pyocd"),
    Tool("openocd", "flashing", "apt-get install openocd", program="openocd"),
    Tool(
        "bossac",
        "flashing",
        "Arduino's own build (arduino-cli core install arduino:mbed_nano): others do not know the nRF52840",
        program="bossac",
        version_argument="--help",
    ),
    Tool("picotool", "flashing", "apt-get install picotool", program="picotool", version_argument="version"),
    Tool("dfu-util", "flashing", "apt-get install dfu-util", program="dfu-util"),
    Tool("st-flash", "flashing", "apt-get install stlink-tools", program="st-flash"),
    Tool("STM32_Programmer_CLI", "flashing", "see https://www.st.com/stm32cubeprog", program="STM32_Programmer_CLI"),
    Tool("JLinkExe", "flashing", "see https://www.segger.com/downloads/jlink", program="JLinkExe"),
)
TOOLCHAINS = ("gcc", "zig")
EMULATORS = ("unicorn", "qemu")


def run_version(program: str, argument: str) -> str:
    """What ``program argument`` prints, on either stream; empty where it fails or takes too long."""
    try:
        result = subprocess.run(
            [program, argument], capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout + result.stderr


def examine_tool(
    tool: Tool,
    *,
    which: Callable[[str], str | None] = shutil.which,
    probe: Callable[[str, str], str] = run_version,
) -> Finding:
    """Looks for the tool without importing or installing anything."""
    if tool.package is not None:
        try:
            distribution = metadata.distribution(tool.package)
        except metadata.PackageNotFoundError:
            pass
        else:
            return Finding(tool, True, distribution.version, str(distribution.locate_file("")))
    path = None if tool.program is None else which(tool.program)
    if path is None:
        return Finding(tool, False, None, None)
    version = re.search(r"\d+\.\d+(?:\.\d+)*", probe(path, tool.version_argument))
    return Finding(tool, True, None if version is None else version.group(), path)


def examine() -> list[Finding]:
    """Python itself and every tool of :data:`TOOLS`."""
    python = Tool("python", "everything", "see https://www.python.org")
    found = Finding(python, True, platform.python_version(), sys.executable)
    return [found, *(examine_tool(tool, which=_where_flashing_looks(tool)) for tool in TOOLS)]


def _where_flashing_looks(tool: Tool) -> Callable[[str], str | None]:
    """How the tool's program is found: an upload tool where `tinyml flash` takes it from, also outside of PATH."""
    from tinyml.flash.backends import BACKENDS

    backend = BACKENDS.get(tool.name)
    if backend is None:
        return shutil.which
    command = backend.find()
    return lambda name: command[0] if command is not None and len(command) == 1 else None


def can_build(findings: list[Finding]) -> bool:
    """Whether PlatformIO, SCons and one compiler are there."""
    installed = {finding.tool.name for finding in findings if finding.installed}
    return {"platformio", "scons"} <= installed and not installed.isdisjoint(TOOLCHAINS)


def can_emulate(findings: list[Finding]) -> bool:
    """Whether one of the emulators that `tinyml emulate` drives is there."""
    return any(finding.installed and finding.tool.name in EMULATORS for finding in findings)
