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
    "dfu-util": dfu_util,
    "pio": pio,
}


def main(name: str) -> None:
    """Runs the tool ``name`` with this process's arguments."""
    with Path(os.environ["FAKE_CALLS"]).open("a", encoding="utf-8") as calls:
        calls.write(json.dumps([name, *sys.argv[1:]]) + "\n")
    if name in TOOLS:
        TOOLS[name](sys.argv[1:])
        return
    from tests.support.fake_probes import PROBE_TOOLS

    PROBE_TOOLS[name](sys.argv[1:])
