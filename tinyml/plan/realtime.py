"""Whether a core keeps up with a stream of sound: how often the network may run, and how large the ring must be.

Before compiling, instructions are estimated from what each kernel was measured to take a MAC (``kernel_costs.json``)
and each stage of the front-end a sample, bin or coefficient; once the firmware has run in emulation they are exact and
the cycle model (:mod:`tinyml.plan.cost`) turns them into time. Times stay estimates, and are labelled so.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tinyml.errors import DoesNotFitError
from tinyml.lower.program import Program

COSTS = Path(__file__).parents[1] / "lower" / "kernel_costs.json"
CYCLES_AN_INSTRUCTION = {"v6m": 1.6, "v7m": 2.2, "dsp": 1.45, "mve": 1.75, "portable": 2.2}
"""Of MLPerf Tiny's keyword network by the cycle model: microcontroller code of multiplications and loads."""

HIGHEST_LOAD = 0.75
"""A stride is chosen so that the core is busy at most so much of the time; the rest is for printing and estimates."""

LONGEST_STRIDE_MS = 500.0
"""Words hardly last longer: with fewer inferences they are heard by chance."""

RING_MARGIN = 1.25
SAFE_SHARE = 0.75
"""Of the ring, the share that is safe to read: a driver writes up to a quarter ahead of its position."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Sizes of the front-end that its cost and the ring follow from.

    ``factor`` multiplies its instructions where it is another one than that in integers; ``printing_ms`` is how long
    the longest lines hold the core up that the console gets at once.
    """

    sample_rate_hz: int
    window_samples: int
    hop_samples: int
    fft_size: int
    bins: int
    bands: int
    coefficients: int
    factor: float = 1.0
    printing_ms: float = 0.0

    @property
    def hop_ms(self) -> float:
        """Milliseconds from one frame to the next."""
        return 1000.0 * self.hop_samples / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class AudioLoad:
    """What listening costs on one core: times in ms at ``core_hz``, ``exact`` where instructions were counted.

    The network runs after every ``stride_hops``-th frame. ``load`` is the share of time that the core computes.
    """

    core_hz: int
    hop_ms: float
    stride_hops: int
    frame_instructions: int
    network_instructions: int
    frame_ms: float
    network_ms: float
    ring_samples: int
    exact: bool

    @property
    def stride_ms(self) -> float:
        """Time from one inference to the next."""
        return self.stride_hops * self.hop_ms

    @property
    def load(self) -> float:
        """The share of time that the core computes; above 1 it falls behind."""
        return (self.stride_hops * self.frame_ms + self.network_ms) / self.stride_ms

    @property
    def real_time_factor(self) -> float:
        """How many times faster than the sound the core is."""
        return 1.0 / self.load


def frame_instructions(rhythm: Rhythm, isa: str) -> int:
    """About how many instructions a frame of the front-end takes; within a fifth of what is counted (tests hold it)."""
    half = rhythm.fft_size // 2
    butterflies = half // 2 * int(math.log2(half))
    sample, butterfly, bin_, band, product = _FRONTEND[isa]
    products = rhythm.bands * rhythm.coefficients
    stages = sample * half + butterfly * butterflies + bin_ * rhythm.bins + band * rhythm.bands + product * products
    return round(rhythm.factor * stages)


_FRONTEND = {
    "v6m": (75.0, 52.0, 290.0, 200.0, 11.0),
    "v7m": (33.0, 32.0, 66.0, 70.0, 6.0),
    "dsp": (33.0, 23.0, 60.0, 68.0, 6.0),
    "mve": (33.0, 23.0, 60.0, 68.0, 6.0),
}
"""Instructions a windowed sample pair, a butterfly, a spectral bin, a mel band, a product of the cosine transform."""


@cache
def _costs() -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(COSTS.read_text(encoding="utf-8"))
    return loaded


def network_instructions(program: Program) -> int:
    """About how many instructions one inference takes, from what the kernels took in MLPerf Tiny's models."""
    isa = program.target.isa.value
    known = {cost["kernel"]: cost for cost in _costs() if cost["isa"] == isa}
    weighed = [cost for cost in known.values() if cost["macs"]]
    slowest = max((cost["instructions"] / cost["macs"] for cost in weighed), default=8.0)
    total = 0.0
    for step in program.steps:
        cost = known.get(step.kernel)
        if step.macs:
            total += step.macs * (cost["instructions"] / cost["macs"] if cost and cost["macs"] else slowest)
        else:
            elements = sum(program.graph.tensors[t].elements for t in (*step.inputs, *step.outputs))
            total += 4.0 * elements
    return round(total)


def plan_audio(
    rhythm: Rhythm,
    isa: str,
    core_hz: int,
    network: int,
    wanted_stride_ms: float,
    board: str,
    only_hops: int | None = None,
) -> AudioLoad:
    """The shortest stride from ``wanted_stride_ms`` on that leaves the core time, and the ring for it: an estimate.

    ``network`` are the instructions of an inference. With ``only_hops`` no other stride will do. Raises DoesNotFitError
    where no stride up to :data:`LONGEST_STRIDE_MS` does.
    """
    frame = frame_instructions(rhythm, isa)
    ms = CYCLES_AN_INSTRUCTION[isa] * 1000.0 / core_hz
    costs = (frame, frame * ms), (network, network * ms)
    return choose_stride(rhythm, core_hz, *costs, wanted_stride_ms, board, only_hops=only_hops)


def choose_stride(
    rhythm: Rhythm,
    core_hz: int,
    frame: tuple[int, float],
    network: tuple[int, float],
    wanted_stride_ms: float,
    board: str,
    *,
    exact: bool = False,
    only_hops: int | None = None,
) -> AudioLoad:
    """The same from instructions and milliseconds of a frame and of an inference."""
    first = max(1, round(wanted_stride_ms / rhythm.hop_ms))
    last = max(first, int(LONGEST_STRIDE_MS / rhythm.hop_ms))
    first, last = (only_hops, only_hops) if only_hops else (first, last)
    ring = ring_samples(rhythm, frame[1], network[1])
    load = AudioLoad(core_hz, rhythm.hop_ms, first, frame[0], network[0], frame[1], network[1], ring, exact)
    for stride in range(first, last + 1):
        load = AudioLoad(core_hz, rhythm.hop_ms, stride, frame[0], network[0], frame[1], network[1], ring, exact)
        if load.load <= HIGHEST_LOAD:
            return load
    raise too_slow(load, board)


def too_slow(load: AudioLoad, board: str) -> DoesNotFitError:
    """The error for a core that falls behind, with the numbers."""
    kind = "" if load.exact else " (estimates)"
    return DoesNotFitError(
        f"{board} can't keep up with the sound at {load.core_hz / 1e6:g} MHz: a frame every {load.hop_ms:g} ms takes"
        f" {load.frame_ms:.1f} ms and an inference {load.network_ms:.0f} ms{kind}, so that with one inference every"
        f" {load.stride_ms:.0f} ms the core is {100 * load.load:.0f} % busy; {100 * HIGHEST_LOAD:.0f} % is the limit",
        hint="take a smaller model, --optimize speed, or a faster board",
    )


def ring_samples(rhythm: Rhythm, frame_ms: float, network_ms: float) -> int:
    """Samples of the ring, a power of two: a window, a hop, what arrives during a frame, an inference and printing."""
    meanwhile = (RING_MARGIN * (frame_ms + network_ms) + rhythm.printing_ms) * rhythm.sample_rate_hz / 1000.0
    needed = (rhythm.window_samples + rhythm.hop_samples + meanwhile) / SAFE_SHARE
    return 1 << max(6, math.ceil(math.log2(needed)))


def holds(load: AudioLoad, rhythm: Rhythm) -> bool:
    """Whether the ring is large enough for these times without the margin, so that nothing is dropped."""
    meanwhile = (load.frame_ms + load.network_ms + rhythm.printing_ms) * rhythm.sample_rate_hz / 1000.0
    return SAFE_SHARE * load.ring_samples >= rhythm.window_samples + rhythm.hop_samples + meanwhile
