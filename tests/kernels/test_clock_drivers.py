"""The clock drivers against registers that answer as the reference manuals say, and against ones that never do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.driver_machine import DriverMachine
from tinyml.boards import load_board

CODE = """
uint32_t hz, done;
void run(void);
void run(void) { tml_clock_init(); hz = tml_core_hz(); done = 1; }
"""


def ready(on: int, bit: int) -> object:
    """A register in which ``bit`` follows ``on``."""
    return lambda value: value | (bit if value & on else 0)


def follows(width: int, shift: int) -> object:
    """A register whose status field, ``shift`` bits above its lowest ``width`` bits, is what was asked for."""
    mask = (1 << width) - 1
    return lambda value: (value & ~(mask << shift)) | ((value & mask) << shift)


def both(*functions: object) -> object:
    def apply(value: int) -> int:
        for function in functions:
            value = function(value)  # type: ignore[operator]
        return value

    return apply


def always(bits: int) -> object:
    return lambda value: value | bits


PLL_HSE = both(ready(1 << 16, 1 << 17), ready(1 << 24, 1 << 25))
BOARDS = {
    "netduinoplus2": ("f4", {0x40023800: PLL_HSE, 0x40023808: follows(2, 2)}, 0x40023C00, 5, 0x40023808),
    "disco_f746ng": (
        "f7",
        {0x40023800: PLL_HSE, 0x40023808: follows(2, 2), 0x40007004: always(3 << 16)},
        0x40023C00, 7, 0x40023808,
    ),
    "nucleo_h743zi": (
        "h7",
        {0x58024400: ready(1 << 24, 1 << 25), 0x58024410: follows(3, 3), 0x58024804: always(1 << 13),
         0x58024818: always(1 << 13)},
        0x52002000, 4, 0x58024410,
    ),
    "nucleo_l4r5zi": (
        "l4",
        {0x40021000: both(ready(1 << 8, 1 << 10), ready(1 << 24, 1 << 25)), 0x40021008: follows(2, 2)},
        0x40022000, 5, 0x40021008,
    ),
    "nucleo_u575zi": (
        "u5",
        {0x46020C00: both(ready(1 << 8, 1 << 10), ready(1 << 24, 1 << 25)), 0x46020C1C: follows(2, 2),
         0x4602080C: both(always(1 << 15), ready(1 << 18, 1 << 14))},
        0x40022000, 4, 0x46020C1C,
    ),
}  # fmt: skip
"""Board → the driver, how registers answer, the flash's register and wait states, the register that switches."""


def machine(board: str, folder: Path) -> DriverMachine:
    return DriverMachine(board, (), [f"clock_stm32{BOARDS[board][0]}.c"], CODE, folder)


@pytest.mark.parametrize("board", BOARDS)
def test_full_speed_after_the_flash_waits_for_it(board: str, tmp_path: Path) -> None:
    _, answers, flash, wait_states, switch = BOARDS[board]
    core = machine(board, tmp_path)
    core.on_read |= answers  # type: ignore[arg-type]
    core.run()
    loaded = load_board(board)
    assert core.variable("done") == 1 and core.variable("hz") == loaded.clock_hz
    assert wait_states == loaded.flash.wait_states
    addresses = [address for address, _ in core.writes]
    latency = addresses.index(flash)
    assert core.writes[latency][1] & 0xF == wait_states
    switched = next(i for i, (a, v) in enumerate(core.writes) if a == switch and v & 3 in (2, 3))
    assert latency < switched


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_an_oscillator_that_never_starts_leaves_the_reset_clock(board: str, tmp_path: Path) -> None:
    core = machine(board, tmp_path)
    core.run()
    reset_hz = {"f4": 16, "f7": 16, "h7": 64, "l4": 4, "u5": 4}[BOARDS[board][0]] * 1_000_000
    assert core.variable("done") == 1 and core.variable("hz") == reset_hz
    assert all(a != BOARDS[board][4] or v & 3 == 0 for a, v in core.writes), "nothing was switched"


def test_the_f4_sets_its_pll_anew_after_a_bootloader(tmp_path: Path) -> None:
    """The DFU bootloader leaves its PLL on and selected: it is off while its numbers change; no interrupt is left."""
    core = machine("netduinoplus2", tmp_path)
    core.on_read |= BOARDS["netduinoplus2"][1]  # type: ignore[arg-type]
    control, numbers, select = 0x40023800, 0x40023804, 0x40023808
    read_only = 1 << 25 | 1 << 17 | 1 << 1
    core.on_read[control] = both(lambda value: value & ~read_only, PLL_HSE, ready(1 << 0, 1 << 1))
    core.registers |= {control: 1 << 24 | 1 << 16, select: 2}
    switched_off: list[bool] = []
    core.on_write[numbers] = lambda _a, _v: switched_off.append(
        core.registers[control] & 1 << 24 == 0 and core.registers[select] & 3 == 0
    )
    core.run()
    assert switched_off == [True] and core.variable("hz") == 168_000_000
    assert {(0xE000E180 + 4 * n, 2**32 - 1) for n in range(3)} <= set(core.writes), "of 82 interrupts"


def test_the_h7_of_revision_y_gets_400_mhz(tmp_path: Path) -> None:
    core = machine("nucleo_h743zi", tmp_path)
    core.on_read |= BOARDS["nucleo_h743zi"][1]  # type: ignore[arg-type]
    core.on_read[0x5C001000] = lambda _: 0x10030450
    core.run()
    assert core.variable("hz") == 400_000_000
    assert core.registers[0x58024430] & 0x1FF == 199 and 0x5800042C not in core.registers


@pytest.mark.parametrize("board", ["pico", "pico2"])
def test_the_rp2_multiplies_its_crystal(board: str, tmp_path: Path) -> None:
    values = {"pico": (0x40024000, 0x40008000, 0x4000C000, 0x40028000)}
    values["pico2"] = (0x40048000, 0x40010000, 0x40020000, 0x40050000)
    xosc, clocks, resets, pll = values[board]
    core = DriverMachine(board, (), ["clock_rp2.c"], CODE, tmp_path)
    core.on_read = {
        xosc + 4: lambda _: 1 << 31,
        clocks + 0x38: lambda _: 1 << (core.registers.get(clocks + 0x30, 0) & 3),
        clocks + 0x44: lambda _: 1 << (core.registers.get(clocks + 0x3C, 0) & 1),
        resets + 8: lambda _: core.registers.get(resets + 0x3000, 0),
        pll: lambda value: value | (0 if core.registers.get(pll + 4, 0x2D) & 0x21 else 1 << 31),
    }
    core.run()
    assert core.variable("hz") == load_board(board).clock_hz
    divided = (core.registers[pll + 12] >> 16 & 7) * (core.registers[pll + 12] >> 12 & 7)
    assert 12_000_000 * core.registers[pll + 8] // divided == load_board(board).clock_hz
    silent = DriverMachine(board, (), ["clock_rp2.c"], CODE, tmp_path)
    silent.run()
    assert silent.variable("done") == 1 and silent.variable("hz") == 12_000_000
