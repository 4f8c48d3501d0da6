"""Several models in one firmware: each compiled for itself, one arena for all, every one proven between the others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tinyml import __version__
from tinyml.boards import Board, load_board
from tinyml.codegen.multi_model import generate_several
from tinyml.codegen.names import c_identifier
from tinyml.emulate.compare import compare
from tinyml.emulate.result import Emulation
from tinyml.emulate.run import choose_emulator, run_firmware
from tinyml.emulate.stimuli import Stimulus, proof_stimuli
from tinyml.errors import BuildError, MismatchError, UnsupportedError, UsageError
from tinyml.firmware.apps import SEVERAL
from tinyml.firmware.build import build_project
from tinyml.firmware.environments import environment_name
from tinyml.firmware.measure import measure_beside
from tinyml.firmware.memory_map import arena_sections
from tinyml.firmware.project import Project, network_flags, record_in_manifest, render_project
from tinyml.lower.program import Optimize, Program
from tinyml.pipeline.compiled import Compiled, Options, compile_model
from tinyml.pipeline.proof import REFERENCES
from tinyml.pipeline.verbs import default_output
from tinyml.plan.budget import require_fits
from tinyml.plan.code_size import estimate_sizes
from tinyml.plan.multi_model import Shared, several_budget, share, shared_region, sum_sizes
from tinyml.report.memory_picture import memory_picture
from tinyml.report.results import NetworkResult, SeveralResult


@dataclass(frozen=True, slots=True, eq=False)
class _Networks:
    """The compiled models by the name of their C, and what they share."""

    board: Board
    compiled: dict[str, Compiled]
    shared: Shared

    @property
    def plans(self) -> dict[str, tuple[Program, Any]]:
        """Program and plan of each."""
        return {name: (c.program, c.whole_plan) for name, c in self.compiled.items()}

    @property
    def weights_bytes(self) -> int:
        """Flash of all constants."""
        return sum(c.program.weights_bytes for c in self.compiled.values())


def build_several(
    models: Sequence[Any], board: str | Board, output: Path | None = None, options: Options | None = None
) -> SeveralResult:
    """Build one firmware with all ``models`` into ``output`` and prove each in emulation, in turn with the others.

    Raises UsageError for an application or options that take one model, else as :func:`tinyml.pipeline.build` does.
    """
    options = options or Options()
    started = time.monotonic()
    networks = _compile(models, load_board(board) if isinstance(board, str) else board, options)
    base = estimate_sizes(_nothing(networks), networks.board, "benchmark", options.toolchain)
    programs = [c.program for c in networks.compiled.values()]
    sizes = sum_sizes([estimate_sizes(p, networks.board, "benchmark", options.toolchain) for p in programs], base)
    region = shared_region(networks.shared, networks.board, sizes, options.limits)
    networks = replace(networks, shared=replace(networks.shared, region=region))
    estimated = several_budget(networks.board, networks.plans, networks.shared, sizes, options.limits)
    require_fits(estimated, optimize=options.optimize)
    project = _project(networks, options, output or default_output(networks.board, SEVERAL.name))
    built = build_project(project)
    measured = measure_beside(built, networks.board, networks.weights_bytes, networks.shared.arena_bytes)
    budget = several_budget(networks.board, networks.plans, networks.shared, measured, options.limits)
    require_fits(budget, optimize=options.optimize)
    emulator, inputs, unproven = _prove(networks, project, options)
    result = SeveralResult(
        networks=tuple(_network_result(name, c) for name, c in networks.compiled.items()),
        budget=budget,
        project=str(project.directory),
        elf=str(built.elf),
        toolchain=built.toolchain,
        seconds=time.monotonic() - started,
        reference=REFERENCES[options.match],
        emulator=emulator,
        inputs=inputs,
        warnings=unproven,
    )
    record_in_manifest(project, {"result": result.to_json()})
    return result


def _compile(models: Sequence[Any], board: Board, options: Options) -> _Networks:
    if options.app != "benchmark":
        raise UsageError(f"the application {options.app} runs one network", hint="leave --app out, or name one model")
    single = {"--rows": options.memory.fed_by_rows, "--input": options.input_files, "--trace": options.trace}
    single |= {"--hop-rows": bool(options.hop_rows), "--console": options.console == "usb"}
    for name, given in single.items():
        if given:
            raise UsageError(f"{name} is for one network", hint="build each model for itself to use it")
    compiled: dict[str, Compiled] = {}
    for model in models:
        one = compile_model(model, board, options)
        if any(step.keeps for step in one.program.steps):
            raise UnsupportedError(
                f"{one.source.name} keeps state from run to run in its arena, which several networks share",
                hint="build it for itself",
            )
        name = base = f"network_{c_identifier(one.source.name)}"
        number = 2
        while name in compiled:
            name, number = f"{base}_{number}", number + 1
        compiled[name] = one
    return _Networks(board, compiled, share({name: c.whole_plan for name, c in compiled.items()}))


def _nothing(networks: _Networks) -> Program:
    """A program of no steps, for what a firmware takes without a network."""
    program = next(iter(networks.compiled.values())).program
    return Program(program.graph, program.target, ())


def _project(networks: _Networks, options: Options, folder: Path) -> Project:
    section = arena_sections(networks.board).get(networks.shared.region or "", "")
    names = [c.source.name for c in networks.compiled.values()]
    return render_project(
        networks.board,
        generate_several(networks.plans, networks.shared.arena_bytes, section=section),
        app=SEVERAL.name,
        output_dir=folder,
        manifest={
            "tinyml_version": __version__,
            "models": [{"model": c.source.name, "model_sha256": c.source.sha256} for c in networks.compiled.values()],
            "board": networks.board.name,
            "app": SEVERAL.name,
        },
        model_name=" + ".join(names),
        toolchain=options.toolchain,
        network_flags=network_flags(Optimize(options.optimize)),
        force=options.force,
    )


def _network_result(name: str, compiled: Compiled) -> NetworkResult:
    return NetworkResult(
        name=name,
        model=compiled.source.name,
        origin=compiled.source.origin,
        model_sha256=compiled.source.sha256,
        macs=compiled.program.macs,
        weights_bytes=compiled.program.weights_bytes,
        arena_bytes=compiled.whole_plan.arena_bytes,
        picture=memory_picture(compiled.program, compiled.whole_plan),
    )


def _prove(networks: _Networks, project: Project, options: Options) -> tuple[str | None, int, tuple[str, ...]]:
    """Emulator and rounds, and why there is no proof; a round runs every network once. Raises MismatchError."""
    from tinyml.tflite.reference import Reference

    if options.emulator == "none":
        return None, 0, ("not proven: emulation was left out",)
    try:
        emulator = choose_emulator(networks.board, options.emulator)
    except BuildError as error:
        if options.emulator != "auto":
            raise
        return None, 0, (f"not proven: {error.message} ({error.hint})",)
    references = [Reference(c.source.content, match=options.match) for c in networks.compiled.values()]
    stimuli = [
        _defined(proof_stimuli(c.graph, options.inputs, options.seed), reference)
        for c, reference in zip(networks.compiled.values(), references, strict=True)
    ]
    rounds = max(map(len, stimuli))
    own = [[of_one[k % len(of_one)] for k in range(rounds)] for of_one in stimuli]
    contents = [b"".join(of_one[k].content for of_one in own) for k in range(rounds)]
    built = build_project(project, env=environment_name(networks.board, emulator))
    run = run_firmware(built.elf, networks.board, contents, emulator=options.emulator, count=False)
    at = 0
    for compiled, reference, of_one in zip(networks.compiled.values(), references, own, strict=True):
        size = sum(compiled.graph.tensors[t].size_bytes for t in compiled.graph.outputs)
        outputs = [output[at : at + size] for output in run.outputs]
        at += size
        comparison = compare(compiled.graph, Emulation(run.emulator, outputs, run.console), reference, of_one)
        if not comparison.equal:
            raise MismatchError(
                f"{compiled.source.name}: {comparison.mismatches} of {rounds} inputs differ: {comparison.first}",
                hint="`tinyml emulate --trace` of this model alone shows whether it differs too; please report it",
            )
    return run.emulator, rounds, ()


def _defined(stimuli: list[Stimulus], reference: Any) -> list[Stimulus]:
    return [s for s in stimuli if reference.defined(s.arrays)] or stimuli
