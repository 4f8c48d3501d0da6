"""The upload tools: what each is told, how it says that something failed, and whether it reads back what it wrote.

A tool is run in a folder that holds the image as ``firmware.bin``, ``.hex`` or ``.uf2``, so that no path needs quoting.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tinyml.board import Upload
from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.flash.diagnosis import Failure
from tinyml.flash.image import FlashImage

BIN, HEX, UF2 = "firmware.bin", "firmware.hex", "firmware.uf2"


@dataclass(frozen=True, slots=True)
class Job:
    """One upload: ``port`` is a serial port, ``serial_number`` that of a board or probe the user named."""

    board: Board
    upload: Upload
    image: FlashImage
    verify: bool
    port: str | None = None
    serial_number: str | None = None
    project: Path | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A run of the tool: its arguments, and what it has to say (a regular expression) besides leaving with 0.

    ``reads_into`` is the file in which it leaves what it read back, to be compared with the image.
    """

    arguments: tuple[str, ...]
    doing: str = "writing"
    must_say: str | None = None
    reads_into: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tool needs: the files to make and the commands to run in order."""

    files: dict[str, bytes]
    commands: tuple[Command, ...]


@dataclass(frozen=True)
class Backend:
    """An upload tool. ``programs`` are its names on PATH, ``module`` the Python package that serves as well.

    ``packages`` are places in the user's home where a vendor's own build of it lies, which is preferred.
    """

    name: str
    plan: Callable[[Job], Plan]
    failures: dict[Failure, str] = field(default_factory=dict)
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    module: str | None = None
    reads_back: bool = True
    needs_serial_port: bool = False

    def find(self) -> tuple[str, ...] | None:
        """The command that starts the tool, or None where it is not installed."""
        for pattern in self.packages:
            for path in sorted(Path.home().glob(pattern), reverse=True):
                if os.access(path, os.X_OK):
                    return (str(path),)
        for program in self.programs:
            found = shutil.which(program)
            if found is not None:
                return (found,)
        if self.module is not None and importlib.util.find_spec(self.module) is not None:
            return (sys.executable, "-m", self.module)
        return None


def _bossac(job: Job) -> Plan:
    """BOSSA, bossac.cpp: -U native USB port, -i info, -e erase, -w write, -v verify, -R reset.

    Addresses count from the start of what the bootloader leaves to the application.
    """
    verify = ("-v",) if job.verify else ()
    arguments = (f"--port={job.port or 'PORT'}", "-U", "-i", "-e", "-w", *verify, BIN, "-R")
    return Plan({BIN: job.image.data}, (Command(arguments),))


def _picotool(job: Job) -> Plan:
    """picotool load: -v verify, -x execute; --ser chooses one of several devices."""
    chosen = ("--ser", job.serial_number) if job.serial_number else ()
    verify = ("-v",) if job.verify else ()
    return Plan({UF2: job.image.to_uf2(_family(job))}, (Command(("load", *verify, "-x", UF2, *chosen)),))


def _family(job: Job) -> int:
    """The UF2 family id, which the board file gives with its drive."""
    target = next((u.target for u in job.board.upload if u.protocol == "uf2" and u.target), None)
    try:
        return int(target or "", 16)
    except ValueError:
        raise UsageError(
            f"{job.board.path}: the uf2 upload names no family id, but {target!r}",
            hint='set target = "0x…" from the vendor\'s list of UF2 families',
        ) from None


def _pyocd(job: Job) -> Plan:
    """pyOCD: load with -W (do not wait for a probe); its commander's compare reads back."""
    connect = ("-W", "-t", job.upload.target or "cortex_m", *(("-u", job.serial_number) if job.serial_number else ()))
    load = Command(("load", *connect, HEX))
    compare = ("commander", *connect, "-c", f"compare {job.image.address:#x} {BIN}", "-c", "reset")
    check = Command(compare, "verifying", must_say=r"All \d+ bytes match")
    return Plan(
        {HEX: job.image.to_hex(), BIN: job.image.data},
        (load, check) if job.verify else (load,),
    )


def _openocd(job: Job) -> Plan:
    """OpenOCD, startup.tcl: program FILE [verify]; `adapter serial` since 0.12.

    It ends with halting debug off (DHCSR, ARM DDI 0403E, C1.6.2), which OpenOCD leaves on: only a power cycle would end
    it, and till then the firmware's question for a semihosting host, a breakpoint, would stop the core for ever.
    """
    files = tuple(word for name in job.upload.openocd_files for word in ("-f", name))
    chosen = ("-c", f"adapter serial {job.serial_number}") if job.serial_number else ()
    program = f"program {HEX}{' verify' if job.verify else ''}"
    start = ("-c", "reset halt", "-c", "mww 0xE000EDF0 0xA05F0000", "-c", "shutdown")
    finished = r"\*\* Verified OK \*\*" if job.verify else r"\*\* Programming Finished \*\*"
    return Plan({HEX: job.image.to_hex()}, (Command((*files, *chosen, "-c", program, *start), must_say=finished),))


def _st_flash(job: Job) -> Plan:
    """stlink's st-flash: it always reads back what it wrote."""
    chosen = ("--serial", job.serial_number) if job.serial_number else ()
    arguments = ("--reset", *chosen, "write", BIN, f"{job.image.address:#010x}")
    return Plan({BIN: job.image.data}, (Command(arguments, must_say="Flash written and verified"),))


def _stm32_programmer(job: Job) -> Plan:
    """STM32CubeProgrammer, UM2237 3.2: -c connect, -d download, -v verify, -rst reset."""
    chosen = (f"sn={job.serial_number}",) if job.serial_number else ()
    verify = ("-v",) if job.verify else ()
    finished = "Download verified successfully" if job.verify else "File download complete"
    return Plan(
        {HEX: job.image.to_hex()},
        (Command(("-c", "port=SWD", *chosen, "-d", HEX, *verify, "-rst"), must_say=finished),),
    )


def _jlink(job: Job) -> Plan:
    """J-Link Commander: a command file, of which every failing line ends the run (-ExitOnError)."""
    script = ["r", f"loadfile {HEX}"]
    if job.verify:
        script.append(f"verifybin {BIN} {job.image.address:#x}")
    script += ["r", "g", "q"]
    chosen = ("-USB", job.serial_number) if job.serial_number else ()
    arguments = (
        *("-device", job.upload.target or job.board.mcu, "-if", "SWD", "-speed", "4000", "-autoconnect", "1"),
        *("-NoGui", "1", "-ExitOnError", "1", *chosen, "-CommanderScript", "firmware.jlink"),
    )
    files = {HEX: job.image.to_hex(), BIN: job.image.data, "firmware.jlink": "\n".join([*script, ""]).encode()}
    return Plan(files, (Command(arguments, must_say="Verify successful" if job.verify else r"^O\.K\."),))


def _dfu_util(job: Job) -> Plan:
    """dfu-util with DfuSe: -s address[:length][:leave]; reading back (-U) comes before the bootloader is left."""
    address = f"{job.image.address:#010x}"
    chosen = ("-S", job.serial_number) if job.serial_number else ()
    common = ("-a", "0", *(("-d", job.upload.usb_ids[0]) if job.upload.usb_ids else ()), *chosen, "-s")
    write = (*common, address if job.verify else f"{address}:leave", "-D", BIN)
    commands = [Command(write, must_say="File downloaded successfully")]
    if job.verify:
        read = (*common, f"{address}:{len(job.image.data)}:leave", "-U", "read.bin")
        commands.append(Command(read, "verifying", reads_into="read.bin"))
    return Plan({BIN: job.image.data}, tuple(commands))


def _platformio(job: Job) -> Plan:
    """PlatformIO's own upload of the project, with whatever tool its platform brings."""
    if job.project is None or job.environment is None:
        raise UsageError(
            "PlatformIO uploads projects, not single files", hint="give the project's folder, or take another --tool"
        )
    port = ("--upload-port", job.port) if job.port else ()
    arguments = ("run", "-d", str(job.project.resolve()), "-e", job.environment, "-t", "upload", *port)
    return Plan({}, (Command(arguments, must_say=r"\[?SUCCESS"),))


def _drive(job: Job) -> Plan:
    """A copy to the drive the board shows itself as: one file, no command."""
    if job.upload.protocol == "uf2":
        return Plan({UF2: job.image.to_uf2(_family(job))}, ())
    return Plan({HEX: job.image.to_hex()} if job.upload.file == "hex" else {BIN: job.image.data}, ())


_LIBUSB = {
    Failure.DENIED: r"LIBUSB_ERROR_ACCESS|[Aa]ccess denied|[Pp]ermission denied|[Ii]nsufficient permissions",
    Failure.BUSY: r"LIBUSB_ERROR_BUSY|[Rr]esource busy|[Dd]evice or resource busy",
    Failure.GONE: r"LIBUSB_ERROR_(?:NO_DEVICE|IO|PIPE)|No such device|[Ii]nput/[Oo]utput error",
}

BOSSAC = Backend(
    "bossac",
    _bossac,
    {
        Failure.DENIED: "Permission denied",
        Failure.BUSY: "Device or resource busy",
        Failure.UNKNOWN: "Device unsupported",
        Failure.VERIFY: "Verify failed",
        Failure.GONE: r"SAM-BA operation failed|File I/O operation failed|Flash (?:command|erase) failed",
        Failure.ABSENT: "No device found on|No serial ports available",
    },
    programs=("bossac",),
    packages=(
        ".arduino15/packages/arduino/tools/bossac/*-arduino*/bossac",
        "Library/Arduino15/packages/arduino/tools/bossac/*-arduino*/bossac",
        "AppData/Local/Arduino15/packages/arduino/tools/bossac/*-arduino*/bossac.exe",
        ".platformio/packages/tool-bossac-nordicnrf52/bossac",
    ),
    needs_serial_port=True,
)
PICOTOOL = Backend(
    "picotool",
    _picotool,
    {
        Failure.DENIED: "picotool was unable to connect|Unable to access device",
        Failure.WRONG: "cannot be loaded|family ID|[Ii]ncompatible",
        Failure.VERIFY: r"did not match|[Mm]ismatch|Verif\w+.*FAILED",
        Failure.GONE: r"disconnected|LIBUSB_ERROR|[Ff]ailed to (?:write|read|access)",
        Failure.ABSENT: r"No accessible RP.* devices? in BOOTSEL mode",
        Failure.SEVERAL: "requires a single RP",
    },
    programs=("picotool",),
)
PYOCD = Backend(
    "pyocd",
    _pyocd,
    {
        **_LIBUSB,
        Failure.VERIFY: "Mismatched byte at",
        Failure.GONE: r"No such device|Errno (?:5|19)\b|[Dd]isconnected|LIBUSB_ERROR_(?:NO_DEVICE|IO|PIPE)",
        Failure.ABSENT: "No connected debug probe|No available debug probes|No target device available",
        Failure.TARGET: "No ACK|SWD/JTAG communication failure|[Tt]ransfer (?:fault|error)|Memory transfer fault",
    },
    programs=("pyocd",),
    module="pyocd",
)
OPENOCD = Backend(
    "openocd",
    _openocd,
    {
        **_LIBUSB,
        Failure.WRONG: r"UNEXPECTED idcode|expected \d+ of \d+: 0x|Cannot identify target as",
        Failure.VERIFY: r"\*\* Verify Failed \*\*",
        Failure.GONE: r"LIBUSB_ERROR_(?:NO_DEVICE|IO|PIPE)|\*\* Programming Failed \*\*",
        Failure.ABSENT: r"Error: open failed|No device matches the serial|unable to find a matching",
        Failure.TARGET: r"unable to connect to the target|init mode failed|Could not find MEM-AP|\*\* Unable to reset",
    },
    programs=("openocd",),
)
STM32_PROGRAMMER = Backend(
    "STM32_Programmer_CLI",
    _stm32_programmer,
    {
        **_LIBUSB,
        Failure.VERIFY: "Data mismatch found|[Dd]ownload verification failed",
        Failure.GONE: r"DEV_USB_COMM_ERR|DEV_CONNECT_ERR|failed to (?:erase|download)",
        Failure.ABSENT: r"No debug probe detected|No ST-?LINK detected",
        Failure.TARGET: "No STM32 target found|Unable to get core ID",
    },
    programs=("STM32_Programmer_CLI",),
    packages=("STMicroelectronics/STM32Cube/STM32CubeProgrammer/bin/STM32_Programmer_CLI",),
)
ST_FLASH = Backend(
    "st-flash",
    _st_flash,
    {
        Failure.DENIED: r"libusb error: -3\b|LIBUSB_ERROR_ACCESS",
        Failure.BUSY: r"libusb error: -6\b|LIBUSB_ERROR_BUSY",
        Failure.UNKNOWN: "unknown chip id",
        Failure.VERIFY: "Verification of flash failed",
        Failure.GONE: r"send_recv .* failed|[Rr]eceiving failed|sending failed|LIBUSB_ERROR_(?:NO_DEVICE|IO|PIPE)",
        Failure.ABSENT: r"Couldn't find (?:any )?.*ST-Link",
        Failure.TARGET: "Failed to connect to target|Failed to enter SWD mode|Could not find chip id",
    },
    programs=("st-flash",),
)
JLINK = Backend(
    "JLinkExe",
    _jlink,
    {
        Failure.BUSY: "J-Link is already (?:open|in use)",
        Failure.VERIFY: r"Verify failed|Verification failed",
        Failure.GONE: "connection (?:to J-Link )?lost|Writing failed|Communication timed out|Failed to download",
        Failure.ABSENT: r"Connecting to J-Link via USB\.\.\.\s?FAILED|Cannot connect to J-Link|No emulators? connected",
        Failure.TARGET: "Cannot connect to target|Could not find (?:core|supported CPU)",
    },
    programs=("JLinkExe", "JLink"),
)
DFU_UTIL = Backend(
    "dfu-util",
    _dfu_util,
    {
        **_LIBUSB,
        Failure.WRONG: r"is not writeable|No such Alternate Setting",
        Failure.GONE: r"LIBUSB_ERROR_(?:NO_DEVICE|IO|PIPE)|Lost device|Error during (?:download|special command)",
        Failure.ABSENT: "No DFU capable USB device available",
    },
    programs=("dfu-util",),
)
DRIVE = Backend("copy", _drive, reads_back=False)
_NAMED = (BOSSAC, PICOTOOL, PYOCD, OPENOCD, STM32_PROGRAMMER, ST_FLASH, JLINK, DFU_UTIL)
PLATFORMIO = Backend(
    "platformio",
    _platformio,
    {
        failure: "|".join(f"(?:{tool.failures[failure]})" for tool in _NAMED if failure in tool.failures)
        for failure in Failure
    },
    programs=("pio", "platformio"),
    module="platformio",
    reads_back=False,
)
BACKENDS: dict[str, Backend] = {tool.name: tool for tool in (*_NAMED, DRIVE, PLATFORMIO)}
