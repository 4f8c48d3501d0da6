"""The cycle model: core timings, flash stalls, time and energy."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tinyml.boards import list_boards, load_board
from tinyml.paths import templates_dir
from tinyml.plan.cost import core_cycles, core_timings, estimate, stall_cycles, waits_unknown
from tinyml.plan.instruction_mix import EVENTS, FlashMisses, InstructionMix, Kind, total


def test_every_board_has_timings_of_its_core() -> None:
    assert {board.core for board in list_boards()} <= set(core_timings())


def test_timings_as_the_manuals_have_them() -> None:
    loads = InstructionMix({Kind.LOAD: 1, Kind.LOAD_NEXT: 3, Kind.LOAD_MULTIPLE: 1, Kind.WORD: 4})
    assert core_cycles(loads, core_timings()["cortex-m4"]) == 2 + 3 + 1 + 4
    assert core_cycles(loads, core_timings()["cortex-m0plus"]) == 2 + 6 + 1 + 4
    loop = InstructionMix({Kind.BRANCH: 10, Kind.REFILL: 9, Kind.SIMD_MULTIPLY: 5})
    assert core_cycles(loop, core_timings()["cortex-m4"]) == 10 + 18 + 5
    assert core_cycles(InstructionMix({Kind.BRANCH: 1, Kind.REFILL: 1}), core_timings()["cortex-m0"]) == 3
    assert core_cycles(InstructionMix({Kind.MULTIPLY_ADD: 1}), core_timings()["cortex-m3"]) == 2
    vectors = InstructionMix({Kind.VECTOR: 2, Kind.VECTOR_MEMORY: 2, Kind.VECTOR_OVERLAP: 2})
    assert core_cycles(vectors, core_timings()["cortex-m55"]) == 6


@pytest.mark.parametrize("core", list(core_timings()))
def test_no_instruction_is_free_and_only_fitted_cores_are_scaled(core: str) -> None:
    timings = core_timings()[core]
    assert set(timings.cycles) == set(Kind)
    assert all(timings.cycles[kind] > 0 for kind in set(Kind) - EVENTS)
    assert timings.calibrated or timings.scale == 1


def test_energy_is_cycles_times_current_a_megahertz_times_voltage() -> None:
    board = load_board("nucleo_l4r5zi")
    found = estimate(InstructionMix({Kind.ALU: 1_000_000}, FlashMisses(0, 0)), board)
    assert found.cycles == 1_000_000
    assert found.latency_ms == pytest.approx(1e6 / 120e6 * 1e3)
    assert found.energy_uj == pytest.approx(0.110e-3 * 120 * 3.3 * found.latency_ms * 1e-3 * 1e6)


def test_misses_stall_where_they_are_known() -> None:
    board = load_board("nucleo_l4r5zi")
    cache = board.flash_cache
    assert cache is not None
    missed = InstructionMix({}, FlashMisses(3, 4))
    assert stall_cycles(missed, cache) == 3 * cache.instruction_fill_cycles + 4 * cache.data_fill_cycles
    assert stall_cycles(InstructionMix(), cache) == 0
    assert stall_cycles(missed, None) == 0
    assert waits_unknown(board, simulated=True) is None
    assert "Unicorn" in (waits_unknown(board, simulated=False) or "")
    assert waits_unknown(load_board("mps2-an385"), simulated=False) is None, "its memory never waits"
    assert "no flash cache" in (waits_unknown(replace(board, flash_cache=None), simulated=False) or "")


def test_a_sum_knows_its_misses_only_where_every_part_does() -> None:
    one, two = InstructionMix({Kind.ALU: 1}, FlashMisses(1, 2)), InstructionMix({Kind.ALU: 2, Kind.WORD: 5})
    assert total([one, one]) == InstructionMix({Kind.ALU: 2}, FlashMisses(2, 4))
    assert total([one, two]).misses is None
    assert total([one, two]).instructions == 3


def test_the_picos_cache_fills_as_slowly_as_its_boot_stage_reads() -> None:
    """BAUDR and SPI_CTRLR0 (RP2040 datasheet, 4.10.13) of boot2: command, address, 32 bits of data for 4 bytes."""
    source = (templates_dir() / "drivers" / "boot2_rp2040.c").read_text("utf-8")
    words = [int(word, 16) for word in re.findall(r"0x([0-9A-F]{8})u", source)]
    divider = words[1] >> 16 & 0xFF
    control = words[14]
    command_bits, address_bits = 4 * (control >> 8 & 3), 4 * (control >> 2 & 15)
    cache = load_board("pico").flash_cache
    assert cache is not None and (divider, command_bits, address_bits) == (4, 8, 24)
    fill_cycles = cache.line_bytes // 4 * divider * (command_bits + address_bits + 32)
    assert cache.instruction_fill_cycles == cache.data_fill_cycles == fill_cycles


def test_the_pico_2s_cache_fills_as_slowly_as_its_clock_driver_reads() -> None:
    """A quad read EBh (W25Q32RV data sheet, 8.2): 8 clocks of command, 6 of address, 2 of mode, 4 dummy, 2 a byte."""
    source = (templates_dir() / "drivers" / "clock_rp2.c").read_text("utf-8")
    (divider,) = (int(number) for number in re.findall(r"(\d)u; /\* CLKDIV \*/", source))
    cache = load_board("pico2").flash_cache
    assert cache is not None
    assert cache.instruction_fill_cycles == cache.data_fill_cycles == divider * (8 + 6 + 2 + 4 + 2 * cache.line_bytes)
