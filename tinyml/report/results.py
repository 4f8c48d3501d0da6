"""What the verbs return: frozen results whose ``to_json()`` is the public form of ``--json`` (``docs/json.md``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tinyml.lower.program import PassedOver
from tinyml.plan.budget import Budget, RegionUse
from tinyml.plan.instruction_mix import InstructionMix
from tinyml.plan.packed_weights import PackedWeights
from tinyml.report.along_time import AlongTime
from tinyml.report.memory_picture import MemoryPicture
from tinyml.report.sound import AudioReport

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ByRows:
    """What of a network runs row by row: first and last layer of each chain.

    ``more_work`` is what that adds to the instructions, as a part (estimated), ``least_bytes`` the bound of the arena
    for any number of instructions.
    """

    chains: tuple[tuple[str, str], ...]
    fed_by_rows: bool
    more_work: float
    least_bytes: int | None

    def to_json(self) -> Json:
        """The object under ``by_rows``."""
        return {
            "chains": [{"first": first, "last": last} for first, last in self.chains],
            "fed_by_rows": self.fed_by_rows,
            "more_instructions_percent": round(100 * self.more_work, 2),
            "least_arena_bound_bytes": self.least_bytes,
        }


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether and how a model fits a board.

    ``warnings`` are sentences for the user, ``picture`` is the arena's, ``packed`` are the weights that lie packed,
    ``by_rows`` the layers that run row by row, ``along_time`` what streaming along time gives.
    """

    model: str
    origin: str
    model_sha256: str
    macs: int
    budget: Budget
    warnings: tuple[str, ...] = ()
    compiled: bool = False
    picture: MemoryPicture | None = None
    packed: tuple[PackedWeights, ...] = ()
    by_rows: ByRows | None = None
    along_time: AlongTime | None = None

    @property
    def fits(self) -> bool:
        """Whether no region overflows."""
        return self.budget.fits

    def __str__(self) -> str:
        """The lines of ``tinyml check``."""
        from tinyml.report.tables import as_text, check_report

        return as_text(*check_report(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What IPython and notebooks show."""
        printer.text(str(self))

    def to_json(self) -> Json:
        """The object that ``tinyml check --json`` prints; all sizes in bytes."""
        budget = self.budget
        return {
            "model": self.model,
            "origin": self.origin,
            "model_sha256": self.model_sha256,
            "board": budget.board,
            "fits": budget.fits,
            "macs": self.macs,
            "arena_bytes": budget.arena_bytes,
            "arena_lower_bound_bytes": budget.arena_lower_bound_bytes,
            "scratch_bytes": budget.scratch_bytes,
            "weights_bytes": budget.weights_bytes,
            "packed_weights": [
                {"layer": p.layer, "scheme": p.scheme, "bytes": p.size_bytes, "unpacked_bytes": p.original_bytes}
                for p in self.packed
            ],
            "code_bytes": budget.sizes.code_bytes,
            "constants_bytes": budget.sizes.constants_bytes,
            "stack_bytes": budget.sizes.stack_bytes,
            "data_bytes": budget.sizes.data_bytes,
            "bss_bytes": budget.sizes.bss_bytes,
            "estimated": []
            if budget.sizes.exact
            else ["code_bytes", "constants_bytes", "stack_bytes", "data_bytes", "bss_bytes"],
            "compiled": self.compiled,
            "regions": [region_json(region) for region in budget.regions],
            "peak": {
                "layer": budget.peak.layer,
                "op": budget.peak.op,
                "step": budget.peak.step,
                "bytes": budget.peak.size_bytes,
                "buffers": [{"name": name, "bytes": size} for name, size in budget.peak.buffers],
            },
            "by_rows": self.by_rows.to_json() if self.by_rows else None,
            "along_time": self.along_time.to_json() if self.along_time else None,
            "memory": self.picture.to_json() if self.picture else None,
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class EmulationResult:
    """How the firmware's outputs compare with the reference's.

    ``inputs`` inferences were run, ``equal`` is True when every output byte (and every traced tensor) is the
    reference's, ``mismatches`` counts the inferences that differ. ``instructions`` are of one inference, exact.
    """

    emulator: str
    inputs: int
    equal: bool
    mismatches: int
    instructions: int | None
    reference: str
    traced_tensors: int = 0
    stack_used_bytes: int | None = None
    first_difference: str | None = None
    outputs: tuple[Json, ...] = ()
    mix: InstructionMix | None = None
    """What one inference executed, for the cycle model; None where nothing was counted."""

    def to_json(self) -> Json:
        """The object under ``emulation`` in ``tinyml build --json``, and all of ``tinyml emulate --json``."""
        return {
            "emulator": self.emulator,
            "inputs": self.inputs,
            "equal": self.equal,
            "mismatches": self.mismatches,
            "instructions": self.instructions,
            "reference": self.reference,
            "traced_tensors": self.traced_tensors,
            "stack_used_bytes": self.stack_used_bytes,
            "first_difference": self.first_difference,
            "outputs": list(self.outputs),
        }


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A built firmware: its budget from the ELF, where it lies, and the proof (None where it was not asked for)."""

    check: CheckResult
    project: str
    elf: str
    toolchain: str
    seconds: float
    emulation: EmulationResult | None = None
    audio: AudioReport | None = None

    def to_json(self) -> Json:
        """The object that ``tinyml build --json`` prints."""
        return {
            **self.check.to_json(),
            "project": self.project,
            "elf": self.elf,
            "toolchain": self.toolchain,
            "seconds": round(self.seconds, 3),
            "emulation": self.emulation.to_json() if self.emulation else None,
            "audio": self.audio.to_json() if self.audio else None,
        }


@dataclass(frozen=True, slots=True)
class LayerProfile:
    """One step of the network; ``reason`` says why its kernel was taken.

    ``instructions`` and ``code_bytes`` are exact, ``cycles``, ``latency_ms`` and ``energy_uj`` estimates; ``share`` is
    the step's part of the whole inference's cycles, from 0 to 1.
    """

    name: str
    op: str
    kernel: str
    macs: int
    instructions: int
    code_bytes: int
    reason: str = ""
    cycles: int = 0
    latency_ms: float = 0.0
    energy_uj: float | None = None
    share: float = 0.0
    passed_over: tuple[PassedOver, ...] = ()

    def to_json(self) -> Json:
        """An entry of ``layers``."""
        return {
            "name": self.name,
            "op": self.op,
            "kernel": self.kernel,
            "macs": self.macs,
            "instructions": self.instructions,
            "instructions_per_mac": round(self.instructions / self.macs, 3) if self.macs else None,
            "code_bytes": self.code_bytes,
            "reason": self.reason,
            "passed_over": [{"kernel": p.kernel, "cause": p.cause} for p in self.passed_over],
            "cycles": self.cycles,
            "latency_ms": round(self.latency_ms, 4),
            "energy_uj": None if self.energy_uj is None else round(self.energy_uj, 2),
            "share": round(self.share, 4),
        }


@dataclass(frozen=True, slots=True)
class ProfileResult:
    """What one inference takes, whole and by layer: exact instruction counts, estimated cycles, time and energy."""

    model: str
    board: str
    core: str
    emulator: str
    toolchain: str
    instructions: int
    macs: int
    layers: tuple[LayerProfile, ...]
    clock_hz: int
    warnings: tuple[str, ...] = field(default=())
    optimize: str = "balanced"
    cycles: int = 0
    latency_ms: float = 0.0
    energy_uj: float | None = None
    picture: MemoryPicture | None = None

    def to_json(self) -> Json:
        """The object that ``tinyml profile --json`` prints."""
        return {
            "model": self.model,
            "board": self.board,
            "core": self.core,
            "emulator": self.emulator,
            "toolchain": self.toolchain,
            "instructions": self.instructions,
            "macs": self.macs,
            "instructions_per_mac": round(self.instructions / self.macs, 3) if self.macs else None,
            "clock_hz": self.clock_hz,
            "layers": [layer.to_json() for layer in self.layers],
            "warnings": list(self.warnings),
            "optimize": self.optimize,
            "cycles": self.cycles,
            "latency_ms": round(self.latency_ms, 4),
            "energy_uj": None if self.energy_uj is None else round(self.energy_uj, 1),
            "estimated": ["cycles", "latency_ms", "energy_uj"],
        }


@dataclass(frozen=True, slots=True)
class NetworkResult:
    """One of several networks in a firmware; ``name`` begins the names of its C."""

    name: str
    model: str
    origin: str
    model_sha256: str
    macs: int
    weights_bytes: int
    arena_bytes: int
    picture: MemoryPicture

    def to_json(self) -> Json:
        """An entry of ``networks``."""
        return {
            "name": self.name,
            "model": self.model,
            "origin": self.origin,
            "model_sha256": self.model_sha256,
            "macs": self.macs,
            "weights_bytes": self.weights_bytes,
            "arena_bytes": self.arena_bytes,
        }


@dataclass(frozen=True, slots=True)
class SeveralResult:
    """A firmware of several networks, proven over ``inputs`` rounds of them all where ``emulator`` is not None."""

    networks: tuple[NetworkResult, ...]
    budget: Budget
    project: str
    elf: str
    toolchain: str
    seconds: float
    reference: str
    emulator: str | None = None
    inputs: int = 0
    warnings: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """The object that ``tinyml build --json`` prints for several models."""
        return {
            "board": self.budget.board,
            "fits": self.budget.fits,
            "networks": [network.to_json() for network in self.networks],
            "arena_bytes": self.budget.arena_bytes,
            "regions": [region_json(region) for region in self.budget.regions],
            "project": self.project,
            "elf": self.elf,
            "toolchain": self.toolchain,
            "seconds": round(self.seconds, 3),
            "emulator": self.emulator,
            "inputs": self.inputs,
            "equal": None if self.emulator is None else True,
            "reference": self.reference,
            "warnings": list(self.warnings),
        }


def region_json(region: RegionUse) -> Json:
    """An entry of ``regions``."""
    return {
        "name": region.name,
        "kind": region.kind,
        "available_bytes": region.available_bytes,
        "used_bytes": region.used_bytes,
        "left_bytes": region.left_bytes,
        "parts": [{"label": p.label, "bytes": p.size_bytes, "exact": p.exact} for p in region.parts],
    }
