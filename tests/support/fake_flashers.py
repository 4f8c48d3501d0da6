"""Upload tools that behave like the real ones: their argument grammar, their words, their exit codes, a board's flash.

``install`` puts them on PATH. What happens is chosen by ``FAKE_MODE``: ``good``, ``absent`` (no board or probe),
``wrong`` (another chip), ``busy``, ``denied``, ``verify`` (reads back something else), ``broken`` (the connection
breaks half-way), ``dies`` (the program is killed half-way), ``hangs``. The board's flash is a file, ``FAKE_FLASH``,
and every call is a line of ``FAKE_CALLS``. Words and codes are those of bossac 1.9.1, picotool 2, pyOCD 0.36 and 0.46,
OpenOCD 0.12, stlink 1.7, STM32CubeProgrammer 2.17, J-Link Commander 7, dfu-util 0.11 and PlatformIO 6.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

REPOSITORY = Path(__file__).resolve().parents[2]


def install(folder: Path, *names: str) -> None:
    """Writes an executable for each of ``names`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        script = (
            f"#!{sys.executable} -SEs\nimport sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
            f"from tests.support.fake_flashers import main\nmain({name!r})\n"
        )
        (folder / name).write_text(script, encoding="utf-8")
        (folder / name).chmod(0o755)


class Flash:
    """The board's flash as a file: ``{"address": …, "data": hex}``."""

    def __init__(self) -> None:
        self.path = Path(os.environ["FAKE_FLASH"])

    def write(self, address: int, data: bytes) -> None:
        """Stores ``data``; half of it where the mode breaks off there."""
        half = MODE in ("broken", "dies")
        stored = data[: len(data) // 2] if half else data
        self.path.write_text(json.dumps({"address": address, "data": stored.hex()}))
        if MODE == "dies":
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        if MODE == "hangs":
            sys.stdout.flush()
            time.sleep(60)

    def read(self, address: int, count: int) -> bytes:
        """What is there, with a byte of it wrong where reading back is to fail."""
        content = json.loads(self.path.read_text())
        start = address - content["address"]
        data = bytearray(bytes.fromhex(content["data"])[start : start + count])
        if MODE == "verify":
            data[len(data) // 2] ^= 0x40
        return bytes(data)


MODE = os.environ.get("FAKE_MODE", "good")


def fail(text: str, code: int, *, out: bool = False) -> NoReturn:
    print(text, file=sys.stdout if out else sys.stderr, flush=True)
    sys.exit(code)


class Strict(argparse.ArgumentParser):
    """Options as the tool has them, no abbreviations; anything else ends it as ``usage_code``."""

    usage_code = 2

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, add_help=False, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        fail(f"usage: {message}", self.usage_code)


def bossac(arguments: list[str]) -> None:
    parser = Strict()
    parser.usage_code = 1
    parser.add_argument("-p", "--port")
    for flag in ("-i", "-e", "-w", "-v", "-R", "-d"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-U", action="store_true")
    parser.add_argument("file", nargs="?")
    given = parser.parse_args(arguments)
    if (given.w or given.v) and given.file is None:
        fail("bossac: missing file\nTry 'bossac -h' or 'bossac --help' for more information", 1)
    if given.port is None or not Path(given.port).exists() or MODE in ("absent", "busy", "denied"):
        fail(f"No device found on {given.port}", 1)
    if MODE == "wrong":
        fail("\nDevice unsupported", 1)
    data = Path(given.file).read_bytes()
    pages = -(-len(data) // 4096)
    print("Device       : nRF52840-QIAA\nVersion      : Arduino Bootloader (SAM-BA extended) 2.0 [Arduino:IKXYZ]")
    print(f"Erase flash\n\nDone in 0.001 seconds\nWrite {len(data)} bytes to flash ({pages} pages)")
    for page in range(pages):
        print(f"\r[{'=' * 5:<30}] {100 * page // pages}% ({page}/{pages} pages)", end="")
    Flash().write(int(os.environ["FAKE_APPLICATION"], 0), data)
    if MODE == "broken":
        fail("\nSAM-BA operation failed", 1)
    print(f"\r[{'=' * 30}] 100% ({pages}/{pages} pages)\nDone in 0.421 seconds")
    if given.v:
        print(f"Verify {len(data)} bytes of flash")
        if Flash().read(int(os.environ["FAKE_APPLICATION"], 0), len(data)) != data:
            fail("\nVerify failed\nPage errors: 1\nByte errors: 1", 2, out=True)
        print("\nVerify successful\nDone in 0.210 seconds")


def picotool(arguments: list[str]) -> None:
    if arguments == ["version"]:
        print("picotool v2.0.0 (Linux, GNU-13.2.0, Release)")
        return
    parser = Strict()
    parser.usage_code = 255
    parser.add_argument("command", choices=["load"])
    for flag in ("-v", "-x", "-f", "-u"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--ser")
    parser.add_argument("file")
    given = parser.parse_args(arguments)
    nothing = "No accessible RP2040/RP2350 devices in BOOTSEL mode were found."
    if MODE == "absent":
        fail(nothing, 249, out=True)
    if MODE == "denied":
        fail(
            f"{nothing}\n\nbut:\n\nDevice at bus 1, address 7 appears to be a RP2040 device in BOOTSEL mode, but "
            "picotool was unable to connect. Maybe try 'sudo' or check your permissions.",
            249,
            out=True,
        )
    if MODE == "wrong":
        fail("ERROR: This file cannot be loaded onto this device: family ID rp2040", 253, out=True)
    address, data = uf2_content(Path(given.file).read_bytes())
    print("Family ID 'rp2040' can be downloaded anywhere")
    print("Loading into Flash:   [==============================]  100%")
    Flash().write(address, data)
    if MODE == "broken":
        fail("ERROR: The RP2040 device was disconnected", 250, out=True)
    if given.v:
        print("Verifying Flash:      [==============================]  100%")
        if Flash().read(address, len(data)) != data:
            fail("  FAILED\nERROR: The device contents did not match the file", 245, out=True)
        print("  OK")
    if given.x:
        print("\nThe device was rebooted to start the application.")


def uf2_content(content: bytes) -> tuple[int, bytes]:
    """Address and bytes of a UF2 file, checked as a boot ROM checks it."""
    assert content and len(content) % 512 == 0
    blocks = [content[i : i + 512] for i in range(0, len(content), 512)]
    start, data = None, b""
    for number, block in enumerate(blocks):
        magic0, magic1, flags, address, size, index, count, _family = struct.unpack_from("<8I", block)
        assert (magic0, magic1) == (0x0A324655, 0x9E5D5157)
        assert struct.unpack_from("<I", block, 508) == (0x0AB16F30,)
        assert flags & 0x2000
        assert not flags & 1
        assert (size, index, count) == (256, number, len(blocks))
        assert address % 256 == 0
        start = address if start is None else start
        assert address == start + len(data)
        data += block[32 : 32 + size]
    assert start is not None
    return start, data


def hex_content(text: str) -> tuple[int, bytes]:
    """Address and bytes of an Intel HEX file; gaps are an error."""
    upper, start, data, ended = 0, None, b"", False
    for line in text.splitlines():
        assert line[0] == ":"
        assert not ended
        record = bytes.fromhex(line[1:])
        assert sum(record) & 0xFF == 0
        count, address, kind, body = record[0], int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        assert count == len(body)
        if kind == 4:
            upper = int.from_bytes(body, "big") << 16
        elif kind == 1:
            ended = True
        else:
            assert kind == 0
            assert address + count <= 0x10000
            start = upper + address if start is None else start
            assert start + len(data) == upper + address
            data += body
    assert ended
    assert start is not None
    return start, data


def load_file(name: str, address: int | None = None) -> tuple[int, bytes]:
    path = Path(name)
    if path.suffix == ".hex":
        return hex_content(path.read_text())
    assert address is not None
    return address, path.read_bytes()


PYOCD_ABSENT = "No connected debug probes\n0000216 E No target device available [load_cmd]"


def pyocd(arguments: list[str]) -> None:
    if arguments == ["--version"]:
        print("0.36.0")
        return
    parser = Strict()
    command, *arguments = arguments
    assert command in ("load", "flash", "commander")
    parser.add_argument("-W", "--no-wait", action="store_true")
    parser.add_argument("-t", "--target")
    parser.add_argument("-u", "--uid", "--probe")
    parser.add_argument("-c", "--command", dest="commands", action="append", nargs="+", default=[])
    parser.add_argument("file", nargs="?")
    given = parser.parse_args(arguments)
    if MODE == "absent":
        fail(PYOCD_ABSENT, 1 if command == "load" else 3)
    if MODE == "denied":
        fail("0000310 C Access denied (insufficient permissions) [__main__]", 1)
    if MODE == "busy":
        fail("0000310 C Error opening probe: [Errno 16] Resource busy [__main__]", 1)
    if MODE == "wrong":
        fail("0000412 C SWD/JTAG communication failure (No ACK) [__main__]", 1)
    if command in ("load", "flash"):
        print(f"0000811 I Loading {given.file} [load_cmd]")
        address, data = load_file(given.file)
        print("[==================================================] 100%")
        Flash().write(address, data)
        if MODE == "broken":
            fail("0001204 C USBError: [Errno 19] No such device (it may have been disconnected) [__main__]", 1)
        print(f"0001930 I Erased {len(data)} bytes (1 sector), programmed {len(data)} bytes [loader]")
        return
    for words in given.commands:
        verb, *operands = " ".join(words).split()
        if verb == "reset":
            print("Resetting target")
            continue
        assert verb == "compare"
        address, expected = int(operands[0], 0), Path(operands[1]).read_bytes()
        print(f"Comparing {len(expected)} bytes @ 0x{address:08x}")
        there = Flash().read(address, len(expected))
        if there == expected:
            print(f"All {len(expected)} bytes match.")
            continue
        i = next(i for i in range(len(expected)) if there[i] != expected[i])
        print(
            f"Mismatched byte at 0x{address + i:08x} (offset 0x{i:x}): "
            f"0x{there[i]:02x} (memory) != 0x{expected[i]:02x} (file)"
        )


OPENOCD_HEAD = (
    "Open On-Chip Debugger 0.12.0\nLicensed under GNU GPL v2\nFor bug reports, read\n"
    "\thttp://openocd.org/doc/doxygen/bugs.html\n"
    "Info : The selected transport took over low-level target control.\nInfo : clock speed 500 kHz"
)
OPENOCD_FILES = {
    "board/st_nucleo_l4.cfg",
    "board/st_nucleo_h743zi.cfg",
    "board/stm32f7discovery.cfg",
    "interface/stlink.cfg",
    "target/stm32f4x.cfg",
    "target/stm32u5x.cfg",
}


def openocd(arguments: list[str]) -> None:
    parser = Strict()
    parser.usage_code = 1
    parser.add_argument("-f", action="append", default=[])
    parser.add_argument("-c", action="append", default=[])
    given = parser.parse_args(arguments)
    print(OPENOCD_HEAD, file=sys.stderr)
    for name in given.f:
        if name not in OPENOCD_FILES:
            fail(f"embedded:startup.tcl:28: Error: Can't find {name}", 1)
    if not any(name.startswith(("board/", "interface/")) for name in given.f):
        fail('Error: Debug Adapter has to be specified, see "adapter driver" command\n** OpenOCD init failed **', 1)
    *settings, program = given.c
    assert all(re.fullmatch(r"adapter serial \S+", text) for text in settings)
    words = program.split()
    assert words[0] == "program"
    assert set(words[2:]) <= {"verify", "reset", "exit"}
    if MODE in ("absent", "denied", "busy"):
        name = {"denied": "ACCESS", "busy": "BUSY"}.get(MODE)
        said = f"Error: libusb_open() failed with LIBUSB_ERROR_{name}\n" if name else ""
        fail(
            f"{said}Error: open failed\nin procedure 'program'\n** OpenOCD init failed **\nshutdown command invoked\n",
            1,
        )
    if MODE == "wrong":
        fail("Warn : UNEXPECTED idcode: 0x2ba01477\nError: expected 1 of 1: 0x0be12477\n** OpenOCD init failed **", 1)
    print("** Programming Started **", file=sys.stderr)
    address, data = load_file(words[1])
    Flash().write(address, data)
    if MODE == "broken":
        fail("Error: jtag status contains invalid mode value\n** Programming Failed **\nshutdown command invoked", 1)
    print("** Programming Finished **", file=sys.stderr)
    if "verify" in words:
        print("** Verify Started **", file=sys.stderr)
        if Flash().read(address, len(data)) != data:
            fail(
                "Error: checksum mismatch - attempting binary compare\n** Verify Failed **\nshutdown command invoked", 1
            )
        print("** Verified OK **", file=sys.stderr)
    print("** Resetting Target **\nshutdown command invoked\n", file=sys.stderr)


def st_flash(arguments: list[str]) -> None:
    parser = Strict()
    parser.usage_code = 255
    parser.add_argument("--reset", action="store_true")
    parser.add_argument("--serial")
    parser.add_argument("command", choices=["write"])
    parser.add_argument("path")
    parser.add_argument("address", type=lambda text: int(text, 16))
    given = parser.parse_args(arguments)
    print("st-flash 1.7.0")
    stamp = "2026-01-31T03:34:04"
    if MODE == "absent":
        fail(f"{stamp} WARN usb.c: Couldn't find any ST-Link devices", 255)
    if MODE in ("denied", "busy"):
        number = -3 if MODE == "denied" else -6
        fail(f"{stamp} WARN usb.c: Failed to open USB device 0x0483:0x374b, libusb error: {number})", 255)
    if MODE == "wrong":
        fail(f"{stamp} ERROR common.c: unknown chip id! 0x123\nFailed to connect to target", 255)
    data = Path(given.path).read_bytes()
    print(
        f"{stamp} INFO common.c: Attempting to write {len(data)} ({len(data):#x}) bytes "
        f"to stm32 address: {given.address}"
    )
    Flash().write(given.address, data)
    if MODE == "broken":
        fail(f"{stamp} ERROR usb.c: [!] send_recv send request failed: LIBUSB_ERROR_NO_DEVICE", 255)
    print(f"  1/1 pages written\n{stamp} INFO common.c: Starting verification of write complete", file=sys.stderr)
    if Flash().read(given.address, len(data)) != data:
        fail(f"{stamp} ERROR common.c: Verification of flash failed at offset: 1500\nstlink_fwrite_flash() == -1", 255)
    print(f"{stamp} INFO common.c: Flash written and verified! jolly good!", file=sys.stderr)


def stm32_programmer(arguments: list[str]) -> None:
    print(f"      {'-' * 67}\n                       STM32CubeProgrammer v2.17.0\n      {'-' * 67}\n")
    words = list(arguments)
    if words[:2] != ["-c", "port=SWD"]:
        fail("Error: Wrong connect parameters", 1, out=True)
    del words[:2]
    if words and words[0].startswith("sn="):
        words.pop(0)
    assert words[0] == "-d"
    name, options = words[1], words[2:]
    if not set(options) <= {"-v", "-rst"}:
        fail(f"Error: Wrong option {options}", 1, out=True)
    if MODE == "absent":
        fail("Error: No debug probe detected.", 1, out=True)
    if MODE == "wrong":
        fail("Error: No STM32 target found! If your product embeds Debug Authentication, …", 1, out=True)
    print("ST-LINK SN  : 066DFF565251887067073021\nBoard       : NUCLEO-L4R5ZI\nMemory Programming ...")
    address, data = load_file(name)
    print("[==================================================] 100%")
    Flash().write(address, data)
    if MODE == "broken":
        fail("\nError: ST-LINK error (DEV_USB_COMM_ERR)\nError: failed to download Segment[0]", 1, out=True)
    print("File download complete\nTime elapsed during download operation: 00:00:00.301")
    if "-v" in options:
        print("Verifying ...\n")
        if Flash().read(address, len(data)) != data:
            fail(
                "Error: Data mismatch found at address 0x080005DC (byte = 0x1C instead of 0x5C)\n"
                "Error: Download verification failed",
                1,
                out=True,
            )
        print("Download verified successfully")
    print("MCU Reset\n\nSoftware reset is performed")


def jlink(arguments: list[str]) -> None:
    parser = Strict()
    for option in ("-device", "-if", "-speed", "-autoconnect", "-NoGui", "-ExitOnError", "-USB", "-CommanderScript"):
        parser.add_argument(option, required=option in ("-device", "-CommanderScript"))
    given = vars(parser.parse_args(arguments))
    print("SEGGER J-Link Commander V7.94 (Compiled Dec  6 2023 16:13:57)\n\nJ-Link Command File read successfully.")
    print("Processing script file...")
    if MODE == "absent":
        fail(
            "Connecting to J-Link via USB...FAILED: Cannot connect to J-Link.\nScript processing completed.",
            1,
            out=True,
        )
    print("Connecting to J-Link via USB...O.K.\nConnecting to target via SWD")
    if MODE == "wrong":
        fail("Cannot connect to target.\n\nScript processing completed.", 1, out=True)
    for line in Path(given["CommanderScript"]).read_text().splitlines():
        words = line.split()
        print(f"J-Link>{line}")
        if words[0] == "loadfile":
            address, data = load_file(words[1])
            print(f"Downloading file [{words[1]}]...")
            Flash().write(address, data)
            if MODE == "broken":
                fail("J-Link: Flash download: connection to J-Link lost\nScript processing completed.", 1, out=True)
            print("O.K.")
        elif words[0] == "verifybin":
            expected = Path(words[1]).read_bytes()
            print(
                f"Loading binary file {words[1]}\nReading {len(expected)} bytes data from target memory @ {words[2]}."
            )
            if Flash().read(int(words[2], 0), len(expected)) != expected:
                print("Verify failed.\nScript processing completed.")
                return
            print("Verify successful.")
        else:
            assert words[0] in ("r", "g", "q")
    print("\nScript processing completed.\n")


def dfu_util(arguments: list[str]) -> None:
    parser = Strict()
    parser.usage_code = 64
    for option in ("-a", "-d", "-S", "-s", "-D", "-U"):
        parser.add_argument(option)
    given = parser.parse_args(arguments)
    print("dfu-util 0.11\n")
    if MODE == "absent":
        fail("dfu-util: No DFU capable USB device available", 74)
    if MODE in ("denied", "busy"):
        name = "ACCESS" if MODE == "denied" else "BUSY"
        fail(f"dfu-util: Cannot open DFU device 0483:df11 found on devnum 7 (LIBUSB_ERROR_{name})", 74)
    if MODE == "wrong":
        fail("dfu-util: Last page at 0x08000bb8 is not writeable", 74)
    address, *modifiers = given.s.split(":")
    if given.D:
        assert not Path(given.D).is_absolute()
        data = Path(given.D).read_bytes()
        print(f"Downloading element to address = {address}, size = {len(data)}")
        print("Download\t[=========================] 100%")
        Flash().write(int(address, 0), data)
        if MODE == "broken":
            fail("dfu-util: Error during download get_status: LIBUSB_ERROR_IO", 74)
        print("Download done.\nFile downloaded successfully")
    else:
        if Path(given.U).exists():
            fail(f"dfu-util: Cannot open file {given.U} for writing: File exists", 74)
        count = int(modifiers[0])
        Path(given.U).write_bytes(Flash().read(int(address, 0), count))
        print("Upload\t[=========================] 100%\nUpload done.")
    if "leave" in modifiers:
        print("Submitting leave request...")


def pio(arguments: list[str]) -> None:
    parser = Strict()
    parser.add_argument("command", choices=["run"])
    for option in ("-d", "-e", "-t", "--upload-port"):
        parser.add_argument(option)
    given = parser.parse_args(arguments)
    if not (Path(given.d) / "platformio.ini").is_file():
        fail("Error: Not a PlatformIO project. `platformio.ini` file has not been found", 2)
    assert given.t == "upload"
    print(f"Processing {given.e} (platform: symlink://platform; board: {given.e})\n{'-' * 80}")
    elf = Path(given.d) / ".pio" / "build" / given.e / "firmware.elf"
    if os.environ.get("FAKE_REBUILDS"):
        elf.write_bytes(elf.read_bytes() + b"\0")
    if MODE != "good":
        print("Uploading .pio/build/firmware.elf\nError: open failed\n** OpenOCD init failed **")
        fail("*** [upload] Error 1\n========== [FAILED] Took 1.02 seconds ==========", 1, out=True)
    Path(os.environ["FAKE_FLASH"]).write_bytes(elf.read_bytes())
    print("========================= [SUCCESS] Took 1.02 seconds =========================")


TOOLS: dict[str, Callable[[list[str]], None]] = {
    "bossac": bossac,
    "picotool": picotool,
    "pyocd": pyocd,
    "openocd": openocd,
    "st-flash": st_flash,
    "STM32_Programmer_CLI": stm32_programmer,
    "JLinkExe": jlink,
    "dfu-util": dfu_util,
    "pio": pio,
}


def main(name: str) -> None:
    """Runs the tool ``name`` with this process's arguments."""
    with Path(os.environ["FAKE_CALLS"]).open("a", encoding="utf-8") as calls:
        calls.write(json.dumps([name, *sys.argv[1:]]) + "\n")
    TOOLS[name](sys.argv[1:])
