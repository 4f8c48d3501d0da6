"""Latency without emulation: every core has its cycles, and the estimate is near what `profile` counts and weighs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tinyml import pipeline
from tinyml.boards import list_boards, load_board
from tinyml.pipeline.compiled import compile_model
from tinyml.plan.latency import CYCLES_PER_INSTRUCTION, estimate_latency

MODEL = "kws_ds_cnn_s"


def test_every_core_has_its_cycles() -> None:
    assert {board.core for board in list_boards()} <= set(CYCLES_PER_INSTRUCTION)


def test_latency_follows_from_cycles_and_clock() -> None:
    board = load_board("nano33ble")
    program = compile_model(MODEL, board).program
    found = estimate_latency(program, board)
    assert found.cycles == pytest.approx(found.instructions * CYCLES_PER_INSTRUCTION["cortex-m4"], rel=1e-6)
    assert found.latency_ms == pytest.approx(1e3 * found.cycles / board.clock_hz, rel=1e-6)
    assert estimate_latency(program, replace(board, clock_hz=2 * board.clock_hz)).latency_ms == pytest.approx(
        found.latency_ms / 2
    )
    assert found.instructions > program.macs / 2


@pytest.mark.slow
def test_the_estimate_is_near_what_profile_finds() -> None:
    board = load_board("nano33ble")
    profiled = pipeline.profile(MODEL, board)
    estimated = estimate_latency(compile_model(MODEL, board).program, board)
    assert estimated.instructions == pytest.approx(profiled.instructions, rel=0.15)
    assert estimated.latency_ms == pytest.approx(profiled.latency_ms, rel=0.2)
