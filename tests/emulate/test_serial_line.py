"""The image as on a board alone: no semihosting host, so it skips the probe's breakpoint and prints on the serial line.

Only where QEMU models the peripherals: the CMSDK UART of Arm's FPGA images, the nRF51's and the STM32F405's.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.shared import require_tool
from tests.support.trivial_network import built, outputs, require_toolchain

MACHINES = {"mps2-an385": 1, "mps2-an386": 1, "mps2-an500": 1, "mps2-an505": 1, "mps3-an547": 1, "microbit": 1}
MACHINES |= {"netduinoplus2": 6}
"""Board and how many serial lines QEMU needs until the console's own."""


def serial_events(qemu: Path, machine: str, line: int, elf: Path, last: str = "done") -> list[dict[str, Any]]:
    """What ``elf`` prints on the machine's serial line until an event of the kind ``last``."""
    serial = ["-serial", "null"] * (line - 1) + ["-serial", "stdio"]
    command = [str(qemu), "-M", machine, "-nographic", "-monitor", "none", *serial, "-kernel", str(elf)]
    events = []
    deadline = time.monotonic() + 60
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                events.append(json.loads(text))
                if events[-1]["event"] == last or time.monotonic() > deadline:
                    break
        finally:
            process.kill()
    return events


def pattern(which: int) -> bytes:
    ramp = bytes((31 * i - 128) % 256 for i in range(16))
    return (ramp, b"\x80" * 16, b"\x7f" * 16)[which]


def fnv1a(data: bytes) -> int:
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


@pytest.mark.slow
@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize("board", MACHINES)
def test_results_come_over_the_serial_line(
    tmp_path_factory: pytest.TempPathFactory, board: str, toolchain: str
) -> None:
    qemu = require_tool("qemu-system-arm")
    elf = built(tmp_path_factory, board, require_toolchain(toolchain)).elf
    start, *results, done = serial_events(qemu, board, MACHINES[board], elf)
    assert start["event"] == "start" and start["model"] == "network" and start["arena_bytes"] == 64
    assert [event["event"] for event in results] == ["result"] * 3
    for number, event in enumerate(results):
        wanted = outputs(pattern(number))
        assert event["output"] == [byte - 256 if byte > 127 else byte for byte in wanted]
        assert int(event["hash"], 16) == fnv1a(wanted)
        assert event["input"] == number
    assert done["inputs"] == 3 and 16 < done["stack_used_bytes"] < 512
