"""The account of one network on one board, and the error where it does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from tinyml.boards import load_board
from tinyml.errors import DoesNotFitError
from tinyml.graph.ir import DType, Graph, Quant, Tensor
from tinyml.lower.program import Const, Isa, Program, Role, Step, Target
from tinyml.plan.budget import Budget, Limits, Sizes, find_peak, make_budget, require_fits
from tinyml.plan.planner import make_plan

SIZES = Sizes(code_bytes=5_000, stack_bytes=300, data_bytes=40, bss_bytes=60, exact=False, constants_bytes=200)


def program(wide: int = 4_000, weights: int = 1_000) -> Program:
    tensors = tuple(
        Tensor(name, (1, n), DType.INT8, Quant((0.5,), (0,)))
        for name, n in (("input", 1_000), ("wide", wide), ("narrow", 16), ("output", 8))
    )
    const = Const("weights", np.arange(weights, dtype=np.int8), Role.WEIGHTS)
    steps = (
        Step("first", "CONV_2D", "k", "h", (0,), (1,), (), (const,), 32),
        Step("second", "CONV_2D", "k", "h", (1,), (2,), (), (const,)),
        Step("third", "SOFTMAX", "k", "h", (2,), (3,), ()),
    )
    return Program(Graph("g", tensors, (), (0,), (3,)), Target(Isa.PORTABLE), steps)


def budget(board: str = "microbit", limits: Limits | None = None, **sizes: int) -> Budget:
    p = program(**sizes)
    return make_budget(load_board(board), p, make_plan(p), SIZES, limits)


def test_every_part_goes_to_its_region_and_equal_weights_count_once() -> None:
    flash, ram = budget().regions
    parts = {part.label: (part.size_bytes, part.exact) for part in flash.parts}
    assert parts == {
        "code": (5_000, False),
        "weights": (1_000, True),
        "other constants": (200, False),
        ".data image": (40, False),
    }
    assert flash.used_bytes == 6_240
    assert {part.label: part.exact for part in ram.parts} == {
        "arena": True,
        ".data": False,
        ".bss": False,
        "stack": False,
    }
    assert ram.used_bytes == budget().arena_bytes + 400
    assert ram.left_bytes == ram.available_bytes - ram.used_bytes == 16 * 1024 - ram.used_bytes


def test_the_peak_names_the_layer_and_its_largest_buffers() -> None:
    p = program()
    peak = find_peak(p, make_plan(p))
    assert (peak.layer, peak.op, peak.step) == ("first", "CONV_2D", 0)
    assert peak.size_bytes == budget().arena_bytes
    assert [size for _, size in peak.buffers] == [4_000, 1_000, 32]


def test_exactly_full_fits_and_a_byte_more_does_not() -> None:
    used = budget().regions[1].used_bytes
    assert budget(limits=Limits(sram_bytes=used)).fits
    assert not budget(limits=Limits(sram_bytes=used - 1)).fits
    flash = budget().regions[0].used_bytes
    assert budget(limits=Limits(flash_bytes=flash)).fits
    assert not budget(limits=Limits(flash_bytes=flash - 1)).fits


def test_a_limit_above_the_boards_memory_changes_nothing() -> None:
    assert budget(limits=Limits(sram_bytes=1 << 20)) == budget()


def test_too_little_ram_names_have_need_layer_and_remedy() -> None:
    with pytest.raises(DoesNotFitError) as caught:
        require_fits(budget(wide=20_000), {"nano33ble": "Arduino Nano 33 BLE"})
    message = caught.value.message
    need = budget(wide=20_000).regions[1].used_bytes
    assert caught.value.exit_code == 3
    assert f"have 16,384 bytes, need {need:,} ({need - 16_384:,} too many)" in message
    assert "'first' (CONV_2D)" in message
    assert "FLASH" not in message
    assert "resolution" in str(caught.value.hint)
    assert "nano33ble" in str(caught.value.hint)


def test_too_little_flash_hints_at_smaller_code() -> None:
    with pytest.raises(DoesNotFitError) as caught:
        require_fits(budget(weights=300_000))
    assert "weights 300,000" in caught.value.message
    assert "peak" not in caught.value.message
    assert "--optimize size" in str(caught.value.hint)
    with pytest.raises(DoesNotFitError) as caught:
        require_fits(budget(weights=300_000), optimize="size")
    assert "--optimize size" not in str(caught.value.hint)


def test_the_users_own_limit_is_told_from_the_boards() -> None:
    with pytest.raises(DoesNotFitError, match=r"have 2,048 bytes \(your own limit; the board has 16,384\)"):
        require_fits(budget(limits=Limits(sram_bytes=2_048)))


def test_nothing_is_raised_where_it_fits() -> None:
    require_fits(budget())
