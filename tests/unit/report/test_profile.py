"""The profile of a network: estimates a layer, their sum, and what the terminal shows."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.tflite_builder import Builder
from tinyml.board import Board
from tinyml.boards import load_board
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Program, Target
from tinyml.plan.instruction_mix import FlashMisses, InstructionMix, Kind
from tinyml.report.profile import profile_layers, profile_report
from tinyml.report.results import ProfileResult
from tinyml.report.tables import print_report
from tinyml.tflite.read import read_graph


@pytest.fixture(scope="module")
def program() -> Program:
    builder = Builder()
    weights = np.arange(4 * 3 * 3 * 2, dtype=np.int8).reshape(4, 3, 3, 2) - 36
    inputs = builder.input((1, 6, 6, 2))
    data = builder.build([builder.conv_2d(inputs, weights)])
    return lower(read_graph(data, name="small"), Target(Isa.DSP))


def result(program: Program, board: Board) -> ProfileResult:
    mixes = {
        "network_step_000": InstructionMix({Kind.ALU: 2_000, Kind.LOAD: 500}, FlashMisses(0, 10)),
        "network_invoke": InstructionMix({Kind.ALU: 1_000}, FlashMisses()),
    }
    layers, whole = profile_layers(program, board, mixes, {"network_step_000": 400})
    return ProfileResult(
        "net", board.name, board.core, "unicorn", "gcc", 3_500, program.macs, layers, board.clock_hz,
        cycles=whole.cycles, latency_ms=whole.latency_ms, energy_uj=whole.energy_uj,
    )  # fmt: skip


def test_layers_are_parts_of_the_whole(program: Program) -> None:
    board = load_board("nucleo_l4r5zi")
    assert board.flash_cache is not None
    found = result(program, board)
    (layer,) = found.layers
    assert (layer.instructions, layer.code_bytes, layer.macs) == (2_500, 400, program.macs)
    assert layer.cycles == 3_000 + 10 * board.flash_cache.data_fill_cycles
    assert found.cycles == layer.cycles + 1_000
    assert layer.share == pytest.approx(layer.cycles / found.cycles)
    assert layer.energy_uj is not None and found.energy_uj is not None
    assert layer.energy_uj == pytest.approx(layer.cycles * 0.110 * 3.3e-3)
    assert layer.latency_ms == pytest.approx(layer.cycles / 120e3)


def test_the_terminal_shows_counts_estimates_and_bars(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(*profile_report(result(program, load_board("nucleo_l4r5zi"))))
    lines = capsys.readouterr().out.splitlines()
    assert "3,500 instructions an inference" in lines[0]
    assert lines[1].startswith("estimates: 4,100 cycles, 0.0342 ms at 120 MHz, 1 µJ")
    row = next(line for line in lines if "CONV_2D" in line)
    assert "2,500" in row and "3,100" in row and "75.6 %" in row and "█" * 16 in row


def test_a_board_without_a_current_has_no_energy(program: Program, capsys: pytest.CaptureFixture[str]) -> None:
    found = result(program, load_board("mps2-an386"))
    assert found.energy_uj is None and found.layers[0].energy_uj is None
    print_report(*profile_report(found))
    assert "µJ" not in capsys.readouterr().out.splitlines()[1]
