"""The keyword application's own C: front-end, detector and ring as the model's manifest and the board ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.features.audio import AudioConfig, audio_config, audio_source, spectral_bins
from tinyml.features.c_source import FrontendSource
from tinyml.features.codes import same_codes
from tinyml.features.config import default_config
from tinyml.features.mfcc import MfccConfig
from tinyml.firmware.apps import find_app
from tinyml.firmware.drivers import drivers_for
from tinyml.firmware.parts.microphone import check_rate, has_driver, microphone_ram_bytes
from tinyml.firmware.render import c_list, c_strings
from tinyml.graph.ir import DType, Graph
from tinyml.lower.program import Hop, Program
from tinyml.plan.realtime import (
    CYCLES_AN_INSTRUCTION,
    AudioLoad,
    Rhythm,
    frame_instructions,
    network_instructions,
    plan_audio,
    ring_samples,
)
from tinyml.streaming.settings import DetectorSettings, DetectorTable, detector_table, settings_of

APP = "kws"
FLOAT_FACTOR, SOFT_FLOAT_FACTOR = 1.0, 15.0
"""What the floating-point front-end takes of the integer one's instructions, with an FPU and without."""

LIGHT_MS, STATUS_MS = 500, 10_000
PRINTED_BYTES = 340
"""What is printed between two looks at the microphone is at most a detection and a status, each a line."""

_SCORE_SCALE, _SCORE_ZERO = 1 / 256, -128


@dataclass(frozen=True, slots=True)
class KeywordModel:
    """What the application needs of a model: its front-end, its labels, its detector, and the frames of its window."""

    config: AudioConfig
    labels: tuple[str, ...]
    settings: DetectorSettings
    window_frames: int


@dataclass(frozen=True, slots=True)
class KeywordPlan:
    """The application on one board: the model, the load of its core, the detector's integers, the front-end's C.

    ``hop_frames`` are those that an inference takes where the network streams along time, None where it takes windows.
    ``lights`` are each label's among the board's, by number; the first for all where there are none.
    """

    model: KeywordModel
    load: AudioLoad
    table: DetectorTable
    frontend: FrontendSource
    hop_frames: int | None = None
    lights: tuple[int, ...] = ()

    @property
    def sources(self) -> dict[str, str]:
        """C files of the project besides the network's."""
        return self.frontend.files

    @property
    def values(self) -> dict[str, str]:
        """The macros of ``app_config.h``."""
        model, table, load = self.model, self.table, self.load
        return {
            "APP_FRAMES": f"{model.window_frames}u",
            "APP_STRIDE_HOPS": f"{load.stride_hops}u",
            "APP_RING_SAMPLES": f"{load.ring_samples}u",
            "APP_LABEL_COUNT": str(len(model.labels)),
            "APP_LABELS": c_strings(model.labels),
            "APP_LIGHTS": c_list(f"{light}u" for light in self.lights or (0,) * len(model.labels)),
            "APP_AVERAGED": f"{table.averaged}u",
            "APP_LIMITS": c_list(f"{limit}u" for limit in table.limits),
            "APP_REFRACTORY": c_list(f"{count}u" for count in table.refractory),
            "APP_FRAME_US": f"{round(1000 * load.frame_ms)}u",
            "APP_INFERENCE_US": f"{round(1000 * load.network_ms)}u",
            "APP_LIGHT_FRAMES": f"{max(1, round(LIGHT_MS / load.hop_ms))}u",
            "APP_STATUS_FRAMES": f"{max(1, round(STATUS_MS / load.hop_ms))}u",
        }

    @property
    def ram_bytes(self) -> int:
        """RAM of front-end, ring and window, beside the network's arena."""
        window_bytes = (self.hop_frames or self.model.window_frames) * self.model.config.features
        return self.frontend.ram_bytes + 2 * self.load.ring_samples + window_bytes


def keyword_model(graph: Graph, labels: Sequence[str], manifest: Mapping[str, Any]) -> KeywordModel:
    """What the application needs of a model. Raises UsageError where the model is not one that it can serve."""
    definition = manifest.get("frontend")
    if not isinstance(definition, Mapping) or not {"sample_rate_hz", "kind"} & set(definition):
        raise UsageError(
            f"the model {graph.name} has no audio front-end beside it, which the application {APP} needs",
            hint="keep the .json that `tinyml quantize` wrote next to the .tflite, or build with --app benchmark",
        )
    config = audio_config(definition)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UsageError(f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, not one of each")
    source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    frames, rest = divmod(source.elements, config.features)
    if rest or not frames:
        raise UsageError(f"the model's input {list(source.shape)} holds no whole frames of {config.features} features")
    if not same_codes(config.input_scale, config.input_zero_point, source):
        raise UsageError(
            "the model's input is quantised in another way than its front-end's features",
            hint="quantise it with `tinyml quantize`, which keeps the two alike",
        )
    scored = target.dtype is DType.INT8 and target.quant is not None
    if not scored or abs(target.scale - _SCORE_SCALE) > 1e-6 or target.zero_point != _SCORE_ZERO:
        raise UsageError(
            f"the model's output {target.name} is no int8 probability (scale 1/256, zero point -128)",
            hint="end the model with a softmax or a sigmoid",
        )
    if len(labels) != target.elements:
        raise UsageError(
            f"the model gives {target.elements} scores but has {len(labels)} labels",
            hint="the .json beside the .tflite names one class for each score",
        )
    return KeywordModel(config, tuple(labels), settings_of(manifest, labels), frames)


def rhythm_of(config: AudioConfig, board: Board) -> Rhythm:
    """The sizes that the front-end's cost on ``board`` follows from."""
    factor = 1.0
    if isinstance(config, MfccConfig):
        factor = FLOAT_FACTOR if "fpu" in board.features else SOFT_FLOAT_FACTOR
    return Rhythm(
        config.sample_rate_hz, config.window_samples, config.hop_samples, config.fft_size,
        spectral_bins(config), config.bands, config.coefficients, factor, printing_ms(board),
    )  # fmt: skip


def printing_ms(board: Board) -> float:
    """How long the console takes for PRINTED_BYTES, ten bits each; none where only a host listens: its time stands."""
    if board.console is None or not has_driver(board):
        return 0.0
    return 10_000.0 * PRINTED_BYTES / board.console.baud


def core_clock_hz(board: Board) -> int:
    """What the core really runs at under the application's drivers."""
    return drivers_for(board, find_app(APP).parts).core_hz


def plan_keywords(program: Program, board: Board, labels: Sequence[str], manifest: Mapping[str, Any]) -> KeywordPlan:
    """The application for ``program`` on ``board``, from estimates. Raises as :func:`plan_listening` does."""
    return plan_listening(program.graph, network_instructions(program), board, labels, manifest, program.hop)


def plan_listening(
    graph: Graph,
    instructions: int,
    board: Board,
    labels: Sequence[str],
    manifest: Mapping[str, Any],
    hop: Hop | None = None,
) -> KeywordPlan:
    """The application for ``graph``, an inference of which takes about so many ``instructions`` on ``board``.

    Raises UsageError where the model is not one it can serve or the board's microphone has another rate,
    DoesNotFitError where the core can't keep up.
    """
    model, core_hz = keyword_model(graph, labels, manifest), core_clock_hz(board)
    check_rate(board, core_hz, model.config.sample_rate_hz)
    if hop is not None:
        model = replace(model, window_frames=hop.window_rows)
    load = plan_audio(
        rhythm_of(model.config, board),
        board.isa_name,
        core_hz,
        instructions,
        model.settings.stride_ms,
        board.name,
        hop.rows if hop else None,
    )
    return replace(with_load(model, load, hop.rows if hop else None), lights=lights_of(board, model.labels))


def lights_of(board: Board, labels: Sequence[str]) -> tuple[int, ...]:
    """The light of each label: the one of ``board`` that is named like it, otherwise the first."""
    names = [led.name for led in board.leds]
    return tuple(names.index(label) if label in names else 0 for label in labels)


def with_load(model: KeywordModel, load: AudioLoad, hop_frames: int | None = None) -> KeywordPlan:
    """The application with a load that is known; the network takes ``hop_frames`` new frames, or whole windows."""
    table = detector_table(model.settings, model.labels, load.stride_ms)
    return KeywordPlan(model, load, table, audio_source(model.config), hop_frames)


def usual_ram_bytes(program: Program, board: Board) -> int:
    """About the RAM of driver, ring, front-end and window where only the network is known: the default front-end's."""
    config = default_config()
    isa, core_hz = program.target.isa.value, core_clock_hz(board)
    rhythm = rhythm_of(config, board)
    ms = CYCLES_AN_INSTRUCTION[isa] * 1000.0 / core_hz
    ring = ring_samples(rhythm, frame_instructions(rhythm, isa) * ms, network_instructions(program) * ms)
    window_bytes = sum(program.graph.tensors[index].elements for index in program.graph.inputs)
    return audio_source(config).ram_bytes + 2 * ring + window_bytes + microphone_ram_bytes(board)
