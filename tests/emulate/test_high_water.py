"""The bytes of the arena that a firmware really writes: up to the last byte of the plan, none that it does not list."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.emulate.test_memory_regions import wide_model
from tests.support.sample_models import sample_conv_model
from tests.support.shared import require_module, require_shared
from tinyml import pipeline
from tinyml.emulate.result import INPUT_FILE
from tinyml.emulate.stimuli import proof_stimuli
from tinyml.emulate.unicorn import Machine
from tinyml.firmware.image import read_image
from tinyml.pipeline.compiled import Compiled, Options
from tinyml.plan.choose import Goal
from tinyml.plan.planner import Arena

pytestmark = pytest.mark.slow
GOALS = {"steps": Goal(0.0), "default": Goal(), "least": Goal(math.inf)}


def written_offsets(compiled: Compiled, elf: Path) -> set[int]:
    """The offsets of the arena that one inference stores to, and those of the inputs, which the host writes."""
    plan, image = compiled.plan, read_image(elf)
    emulator = compiled.board.emulator("unicorn")
    assert emulator is not None and emulator.cpu is not None
    machine = Machine(
        image, compiled.board, emulator.cpu, {INPUT_FILE: proof_stimuli(compiled.graph, 1, 0)[-1].content}
    )
    written: set[int] = set()
    state = {"running": False}

    def begin(*_: Any) -> None:
        state["running"] = True

    machine.uc.hook_add(
        machine.unicorn.UC_HOOK_CODE, begin, begin=image.address("network_invoke"), end=image.address("network_invoke")
    )
    for number, arena in enumerate(plan.arenas or (Arena("", 0, plan.arena_bytes),)):
        symbol = image.by_name["network_arena" + (f"_{number}" if number else "")]
        assert symbol.size_bytes == arena.size_bytes
        distance = arena.start - symbol.address

        def store(_uc: Any, _kind: int, address: int, size: int, _value: int, distance: int = distance) -> None:
            if state["running"]:
                written.update(range(address + distance, address + distance + size))

        last = symbol.address + symbol.size_bytes - 1
        machine.uc.hook_add(
            machine.unicorn.UC_HOOK_MEM_WRITE,
            lambda *a, store=store: store(*a[:5]),
            begin=symbol.address,
            end=last,
        )
    machine.run(120)
    assert machine.host.exit_code == 0
    inputs = [p for p in plan.placements if p.buffer.first < 0]
    return written | {byte for p in inputs for byte in range(p.offset, p.end)}


def prove(model: str, board: str, folder: Path, goal: Goal, slack_bytes: int = 0) -> None:
    require_module("unicorn")
    with pipeline.application(model, board, folder / "p", Options(emulator="unicorn", memory=goal)) as (
        compiled,
        built,
    ):
        written = written_offsets(compiled, built.elf)
        planned = {byte for p in compiled.plan.placements for byte in range(p.offset, p.end)}
        assert 0 <= compiled.plan.arena_bytes - (max(written) + 1) <= slack_bytes
        assert written <= planned
        assert len(written) > 0.9 * len(planned), "hardly a byte of the plan is there for nothing"


@pytest.mark.parametrize("goal", GOALS)
def test_a_small_network(goal: str, tmp_path: Path) -> None:
    """Its depthwise layer is of odd width: the last pair of the kernel's scratch is half used."""
    model = tmp_path / "conv.tflite"
    model.write_bytes(sample_conv_model())
    prove(str(model), "nano33ble", tmp_path, GOALS[goal], slack_bytes=8)


def test_an_arena_in_two_regions(tmp_path: Path) -> None:
    prove(str(wide_model(tmp_path, 160)), "netduinoplus2", tmp_path, Goal())


@pytest.mark.shared
@pytest.mark.parametrize("goal", ["steps", "default"])
@pytest.mark.parametrize("model", ["kws_ref_model", "vww_96_int8", "pretrainedResnet_quant", "ad01_int8"])
def test_mlperf_tiny(model: str, goal: str, tmp_path: Path) -> None:
    prove(str(require_shared(f"models/{model}.tflite")), "nano33ble", tmp_path, GOALS[goal])
