"""Upload tools that speak to a debug probe, as :mod:`tests.support.fake_flashers` has the others."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.fake_flashers import MODE, Flash, Strict, fail, load_file

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
    *settings, program, reset, write, end = given.c
    assert (reset, write, end) == ("reset halt", "mww 0xE000EDF0 0xA05F0000", "shutdown"), "it runs, without a debugger"
    assert all(re.fullmatch(r"adapter serial \S+", text) for text in settings)
    words = program.split()
    assert words[0] == "program"
    assert set(words[2:]) <= {"verify"}
    if MODE in ("absent", "denied", "busy"):
        name = {"denied": "ACCESS", "busy": "BUSY"}.get(MODE)
        said = f"Error: libusb_open() failed with LIBUSB_ERROR_{name}\n" if name else ""
        fail(
            f"{said}Error: open failed\nin procedure 'program'\n** OpenOCD init failed **\n",
            1,
        )
    if MODE == "wrong":
        fail("Warn : UNEXPECTED idcode: 0x2ba01477\nError: expected 1 of 1: 0x0be12477\n** OpenOCD init failed **", 1)
    print("** Programming Started **", file=sys.stderr)
    address, data = load_file(words[1])
    Flash().write(address, data)
    if MODE == "broken":
        fail("Error: jtag status contains invalid mode value\n** Programming Failed **", 1)
    print("** Programming Finished **", file=sys.stderr)
    if "verify" in words:
        print("** Verify Started **", file=sys.stderr)
        if Flash().read(address, len(data)) != data:
            fail("Error: checksum mismatch - attempting binary compare\n** Verify Failed **", 1)
        print("** Verified OK **", file=sys.stderr)
    print("target halted due to debug-request, current mode: Thread\nshutdown command invoked\n", file=sys.stderr)


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


PROBE_TOOLS: dict[str, Callable[[list[str]], None]] = {
    "pyocd": pyocd,
    "openocd": openocd,
    "st-flash": st_flash,
    "STM32_Programmer_CLI": stm32_programmer,
    "JLinkExe": jlink,
}
