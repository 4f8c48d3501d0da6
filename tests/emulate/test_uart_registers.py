"""Serial lines that no emulator here models: the firmware against their registers as the manuals describe them."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from tests.support.mlperf_host import values
from tests.support.shared import require_module
from tests.support.trivial_network import SOURCES, any_toolchain
from tests.support.uart_models import Uart, attach
from tinyml.boards import load_board
from tinyml.emulate.unicorn import Machine
from tinyml.firmware.build import build_project
from tinyml.firmware.drivers import drivers_for
from tinyml.firmware.image import read_image
from tinyml.firmware.project import render_project

SENT = b"name%db load 4%db 01020304%db print%" + b"x" * 200 + b"%"
REPLIES = ["m-name-dut-[tinyml]", "m-[Expecting 4 bytes]", "m-load-done", "m-buffer-01-02-03-04",
           "e-[Command longer than 80 characters]"]  # fmt: skip


def rx_defines(board: str) -> dict[str, int]:
    defines = dict(drivers_for(load_board(board)).defines)
    return {name: int(text.rstrip("u"), 0) for name, text in defines.items() if text.rstrip("u")[:1].isdigit()}


@pytest.mark.parametrize(
    "name",
    ["netduinoplus2", "nucleo_l4r5zi", "nucleo_u575zi", "disco_f746ng", "nucleo_h743zi", "pico", "pico2", "nano33ble"],
)
def test_every_byte_arrives(tmp_path: Path, name: str) -> None:
    require_module("unicorn")
    import unicorn
    from unicorn import arm_const

    board = load_board(name)
    assert board.console is not None
    project = render_project(
        board, SOURCES, app="mlperf_tiny", output_dir=tmp_path / "p", toolchain=any_toolchain(), app_values=values(0)
    )
    image = read_image(build_project(project).elf)
    emulator = board.emulator("unicorn")
    assert emulator is not None and emulator.cpu is not None
    machine = Machine(image, board, emulator.cpu, {})
    uart = Uart(board.console.base, deque(SENT), machine.uc)
    defines = rx_defines(name)
    always = {defines["TML_RP2_RESETS_BASE"] + 8: 0xFFFFFFFF} if "TML_RP2_RESETS_BASE" in defines else {}
    attach(machine.uc, uart, board.console.driver, always)

    def leave(uc: Any, *_: Any) -> None:
        uc.reg_write(arm_const.UC_ARM_REG_PC, uc.reg_read(arm_const.UC_ARM_REG_LR))

    clock = image.address("tml_clock_init") & ~1
    machine.uc.hook_add(unicorn.UC_HOOK_CODE, leave, begin=clock, end=clock)
    stack, address = machine.reset_values()
    machine.uc.reg_write(arm_const.UC_ARM_REG_SP, stack)
    deadline = time.monotonic() + 60
    while uart.sent.count(b"m-ready\r\n") < 6 and time.monotonic() < deadline:
        machine.uc.emu_start(address | 1, 0xFFFFFFFE, count=200_000)
        address = machine.uc.reg_read(arm_const.UC_ARM_REG_PC)
    lines = uart.sent.decode("ascii").split("\r\n")
    assert [line for line in lines if line not in ("m-ready", "")][2:] == REPLIES
    assert_receiving_pin(name, uart, defines)


def assert_receiving_pin(name: str, uart: Uart, defines: dict[str, int]) -> None:
    """The RX pin belongs to the peripheral: its function on STM32 and RP2, a connected input on the nRF52."""
    pin = defines["TML_UART_RX_PIN"]
    if "TML_STM32_RX_GPIO_CLOCK_BIT" in defines:
        port = defines["TML_UART_RX_GPIO_BASE"]
        assert uart.registers[port] >> 2 * pin & 3 == 2
        assert uart.registers[port + 0x20 + 4 * (pin // 8)] >> 4 * (pin % 8) & 15 == defines["TML_UART_TX_FUNCTION"]
    elif "TML_RP2_IO_BANK0_BASE" in defines:
        assert uart.registers[defines["TML_RP2_IO_BANK0_BASE"] + 4 + 8 * pin] == 2
        assert uart.registers[defines["TML_RP2_PADS_BANK0_BASE"] + 4 + 4 * pin] & (1 << 8 | 1 << 6) == 1 << 6
    else:
        assert uart.registers[defines["TML_UART_RX_GPIO_BASE"] + 0x700 + 4 * pin] & 3 == 0, f"{name}'s input buffer"
