"""The proof: the firmware in emulation against the reference kernels, on the extremes and at random, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tinyml.emulate.compare import Comparison, compare
from tinyml.emulate.hops import HopStimulus, ends_of_windows, hop_stimuli
from tinyml.emulate.input_files import file_stimuli
from tinyml.emulate.run import Emulation, choose_emulator, run_firmware
from tinyml.emulate.stimuli import Stimulus, proof_stimuli
from tinyml.errors import MismatchError
from tinyml.firmware.build import BuiltFirmware, build_project
from tinyml.firmware.environments import environment_name
from tinyml.firmware.kws import APP as KEYWORDS
from tinyml.firmware.project import Project
from tinyml.pipeline.compiled import Compiled, Options
from tinyml.plan.instruction_mix import total
from tinyml.report.results import EmulationResult

REFERENCES = {"litert": "LiteRT's reference kernels", "tflm": "TensorFlow Lite Micro's reference kernels"}


def build_for_emulator(compiled: Compiled, project: Project, options: Options, *, trace: bool = False) -> BuiltFirmware:
    """The image that runs in the chosen emulator: the board's own, unless that machine's memory lies elsewhere."""
    emulator = choose_emulator(compiled.board, options.emulator)
    return build_project(project, env=environment_name(compiled.board, emulator, trace=trace))


def prove(compiled: Compiled, project: Project, options: Options) -> EmulationResult:
    """Run the firmware and compare it. A network that streams along time gets its windows hop by hop.

    Raises MismatchError where a byte differs, BuildError where there is no emulator or the build fails.
    """
    from tinyml.tflite.reference import Reference

    own = file_stimuli(compiled.graph, options.input_files, compiled.source.manifest) if options.input_files else []
    drawn = proof_stimuli(compiled.graph, options.inputs, options.seed)
    reference = Reference(compiled.source.content, match=options.match)
    stimuli = own + ([s for s in drawn if reference.defined(s.arrays)] or drawn)
    fed = _fed(compiled, stimuli)
    contents = [one.content for one in fed]
    built = build_for_emulator(compiled, project, options)
    timed = options.app == KEYWORDS and compiled.board.flash_cache is not None
    run = run_firmware(
        built.elf, compiled.board, contents, emulator=options.emulator, caches=timed, calls=calls(compiled)
    )
    if options.trace:
        traced = build_for_emulator(compiled, project, options, trace=True)
        traces = run_firmware(traced.elf, compiled.board, contents, emulator=options.emulator, trace=True).traces
        run = replace(run, traces=traces)
    numbered = [(i, one.window) for i, one in enumerate(fed) if one.window is not None]
    defined = [(i, window) for i, window in numbered if reference.defined(window.arrays)] or numbered
    windows = [window for _, window in defined]
    comparison = compare(compiled.graph, _only(run, [i for i, _ in defined]), reference, windows)
    result = _emulation_result(compiled, run, comparison, own, options)
    if not comparison.equal:
        raise MismatchError(
            f"{comparison.mismatches} of {comparison.inputs} inputs differ from {result.reference}: {comparison.first}",
            hint="run `tinyml emulate --trace` to find the first tensor that differs, and please report it",
        )
    return result


def _fed(compiled: Compiled, windows: Sequence[Stimulus]) -> list[HopStimulus]:
    """What the firmware gets, inference by inference."""
    hop = compiled.program.hop
    return hop_stimuli(compiled.graph, hop, windows) if hop else [HopStimulus(w.content, w) for w in windows]


def _only(run: Emulation, numbers: Sequence[int]) -> Emulation:
    """The run as if it had been those inferences alone."""
    traces = [run.traces[i] for i in numbers] if run.traces else []
    return replace(run, outputs=[run.outputs[i] for i in numbers], traces=traces)


def calls(compiled: Compiled) -> int:
    """Calls of ``network_invoke`` in one inference: one a row where the input comes so."""
    program = compiled.program
    return program.graph.tensors[program.graph.inputs[0]].shape[1] if program.fed_by_rows else 1


def _emulation_result(
    compiled: Compiled, run: Emulation, comparison: Comparison, own: Sequence[Stimulus], options: Options
) -> EmulationResult:
    hop = compiled.program.hop
    answers = ends_of_windows(hop, len(own)) if hop else range(len(own))
    outputs = [_scores(compiled, stimulus, run.outputs[i]) for i, stimulus in zip(answers, own, strict=True)]
    return EmulationResult(
        emulator=run.emulator,
        inputs=comparison.inputs,
        equal=comparison.equal,
        mismatches=comparison.mismatches,
        instructions=run.instructions,
        reference=REFERENCES[options.match],
        traced_tensors=comparison.tensors,
        stack_used_bytes=run.stack_used_bytes,
        first_difference=str(comparison.first) if comparison.first else None,
        outputs=tuple(outputs),
        mix=total(run.step_mixes.values()) if run.step_mixes else None,
    )


def _scores(compiled: Compiled, stimulus: Stimulus, content: bytes) -> dict[str, Any]:
    """The first output of a user's own input as real numbers, with the best class."""
    import numpy as np

    tensor = compiled.graph.tensors[compiled.graph.outputs[0]]
    values = np.frombuffer(content, tensor.dtype.numpy, tensor.elements)
    real = (values.astype(np.float64) - tensor.zero_point) * tensor.scale if tensor.quant else values
    best = int(np.argmax(real))
    labels = compiled.source.labels or compiled.graph.labels
    label = labels[best] if best < len(labels) else str(best)
    return {"input": stimulus.name, "label": label, "score": float(real[best]), "values": [float(v) for v in real]}
