"""The arenas of MLPerf Tiny's models on a Cortex-M4, held to what they were last, and what plans by rows cost.

``memory_bars.json`` has the bytes of every plan: ``default``, ``any`` (the least memory) and ``rows`` (that, with
the input by rows).
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tests.bench.anchors import MODEL_FILES, TFLM_ARENA_BYTES
from tests.support.shared import require_module, require_shared, require_tool
from tests.support.trivial_network import require_toolchain
from tinyml import pipeline
from tinyml.errors import DoesNotFitError
from tinyml.pipeline import Options
from tinyml.plan.budget import Limits
from tinyml.plan.choose import DEFAULT_MORE_WORK, Goal

BARS = json.loads((Path(__file__).parent / "memory_bars.json").read_text("utf-8"))
BOARD = "nucleo_l4r5zi"
GOALS = {
    "steps": Goal(0.0),
    "default": Goal(),
    "any": Goal(math.inf),
    "rows": Goal(math.inf, fed_by_rows=True),
    "rows within 5 %": Goal(fed_by_rows=True),
}
MOST_BYTES = {
    ("kws", "any"): 5_500,
    ("vww", "default"): 28_000,
    ("vww", "rows"): 14_000,
    ("ic", "default"): 18_000,
    ("ic", "rows"): 16_000,
    ("ad", "default"): 900,
}
"""What the planner was built to reach."""

pytestmark = [pytest.mark.slow, pytest.mark.shared]


def model(name: str) -> Path:
    return require_shared(MODEL_FILES[name])


def options(goal: str) -> Options:
    return Options(memory=GOALS[goal], emulator="unicorn", toolchain=require_toolchain("gcc"))


@pytest.mark.parametrize(("name", "goal"), [(name, goal) for name, bars in BARS.items() for goal in bars])
def test_arenas(name: str, goal: str) -> None:
    compiled = pipeline.compile_model(model(name), BOARD, options(goal))
    arena_bytes = compiled.plan.arena_bytes
    assert arena_bytes <= BARS[name][goal], "what was gained is kept; a smaller arena lowers its bar"
    assert arena_bytes <= MOST_BYTES.get((name, goal), TFLM_ARENA_BYTES[name])
    assert compiled.least_bytes is None or compiled.least_bytes <= arena_bytes
    assert pipeline.check(model(name), BOARD, options(goal)).budget.arena_bytes == arena_bytes


@pytest.mark.parametrize(
    ("name", "goals"),
    [("kws", ["default"]), ("vww", ["default", "rows within 5 %"]), ("ic", ["default", "rows within 5 %"])],
)
def test_plans_by_rows_take_no_more_instructions_than_they_may(name: str, goals: list[str]) -> None:
    """The emulator's counts, not the estimate that the planner chose with."""
    require_module("unicorn")
    whole = pipeline.profile(model(name), BOARD, None, options("steps")).instructions
    for goal in goals:
        taken = pipeline.profile(model(name), BOARD, None, options(goal)).instructions
        assert taken <= whole * (1 + DEFAULT_MORE_WORK), (
            f"{goal}: {taken:,} instructions, {whole:,} one after the other"
        )


@pytest.mark.parametrize("board", ["microbit", "mps3-an547"])
def test_kws_with_the_least_memory(board: str, tmp_path: Path) -> None:
    """Keyword spotting in 16 KB of SRAM, stack and all, and on a core with vectors, in QEMU: every byte is right."""
    require_tool("qemu-system-arm")
    result = pipeline.build(
        model("kws"), board, tmp_path / "p", Options(memory=GOALS["any"], trace=True, emulator="qemu", inputs=3)
    )
    proof = result.emulation
    assert proof is not None and (proof.equal, proof.mismatches, proof.inputs) == (True, 0, 6)
    assert proof.traced_tensors > 0
    if board == "microbit":
        ram = next(region for region in result.check.budget.regions if region.kind == "ram")
        assert ram.used_bytes <= ram.available_bytes <= 16 * 1024


def test_vww_fed_by_rows(tmp_path: Path) -> None:
    """A picture of 27,648 bytes through an arena of half its size, every traced tensor equal."""
    require_module("unicorn")
    result = pipeline.build(
        model("vww"), BOARD, tmp_path / "p", Options(memory=GOALS["rows"], trace=True, emulator="unicorn", inputs=3)
    )
    proof = result.emulation
    assert proof is not None and (proof.equal, proof.mismatches, proof.inputs) == (True, 0, 6)
    assert proof.traced_tensors > 20
    assert result.check.budget.arena_bytes <= MOST_BYTES["vww", "rows"] < 96 * 96 * 3


@pytest.mark.parametrize(("name", "goal"), [("kws", "any"), ("vww", "rows")])
def test_a_byte_less_is_refused(name: str, goal: str, tmp_path: Path) -> None:
    """What the budget says is needed does, a byte less is refused before anything is written."""
    fit = pipeline.check(model(name), BOARD, options(goal))
    needed = next(region for region in fit.budget.regions if region.kind == "ram").used_bytes
    for sram_bytes, fits in ((needed, True), (needed - 1, False)):
        limited = Options(memory=GOALS[goal], limits=Limits(sram_bytes=sram_bytes))
        assert pipeline.check(model(name), BOARD, limited).budget.fits == fits
    with pytest.raises(DoesNotFitError) as caught:
        pipeline.build(model(name), BOARD, tmp_path / "p", limited)
    assert caught.value.exit_code == 3 and caught.value.hint
    assert not (tmp_path / "p").exists()
