"""The verbs as functions: Keras definition → int8 .tflite → graph → program → plan → C → firmware → emulated.

Each function reads top to bottom as that line. ``TINYML_DEBUG=1..4`` prints what each stage gives.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tinyml import __version__
from tinyml.boards import Board, list_boards, load_board
from tinyml.codegen import generate
from tinyml.emulate.run import choose_emulator, run_firmware
from tinyml.emulate.stimuli import proof_stimuli
from tinyml.errors import BuildError, DoesNotFitError
from tinyml.firmware.app_memory import estimate_app_sizes
from tinyml.firmware.app_values import app_parts
from tinyml.firmware.build import BuiltFirmware, build_project
from tinyml.firmware.image import read_image
from tinyml.firmware.measure import measure_sizes
from tinyml.firmware.memory_map import arena_sections
from tinyml.firmware.project import Project, forget_in_manifest, network_flags, record_in_manifest, render_project
from tinyml.lower.program import Optimize
from tinyml.pipeline.compiled import Compiled, Options, compile_model
from tinyml.pipeline.keywords import along_time, audio_report, keyword_plan, slow_warning
from tinyml.pipeline.proof import build_for_emulator, calls, prove
from tinyml.plan.budget import Budget, make_budget, require_fits
from tinyml.plan.cost import waits_unknown
from tinyml.plan.regions import place
from tinyml.report.memory_picture import memory_picture
from tinyml.report.profile import profile_layers
from tinyml.report.results import BuildResult, ByRows, CheckResult, EmulationResult, ProfileResult
from tinyml.sources import ModelSource


def check(
    model: Any, board: str | Board, options: Options | None = None, *, compile_firmware: bool = False
) -> CheckResult:
    """Whether ``model`` fits ``board``: exact arena, scratch and weights; code and stack estimated unless compiled.

    Gives a result either way; :func:`tinyml.plan.budget.require_fits` turns one that does not fit into an error.
    """
    options = options or Options()
    compiled = compile_model(model, board, options)
    slow = slow_warning(compiled, options)
    if not compile_firmware:
        return _check_result(compiled, _estimated(compiled, options), compiled_firmware=False, more_warnings=slow)
    with tempfile.TemporaryDirectory(prefix="tinyml-check-") as scratch:
        built = build_project(_project(compiled, options, Path(scratch) / "project"))
        budget = _measured(compiled, built, options)
        return _check_result(compiled, budget, compiled_firmware=True, more_warnings=slow)


def boards_that_fit(model: Any, board: str | Board, options: Options | None = None) -> dict[str, str]:
    """Names and titles of the boards that would hold ``model`` as it is compiled for ``board``, smallest RAM first."""
    options = options or Options()
    return _boards_that_fit(compile_model(model, board, options), options)


def build(model: Any, board: str | Board, output: Path | None = None, options: Options | None = None) -> BuildResult:
    """Build the firmware project into ``output`` and prove it in emulation.

    Raises DoesNotFitError before and after compiling, BuildError, and MismatchError where an output byte differs.
    """
    options = options or Options()
    started = time.monotonic()
    board = board if isinstance(board, Board) else load_board(board)
    output = output or default_output(board, options.app)
    forget_in_manifest(output, ("result", "elf_sha256"))
    compiled = compile_model(model, board, options)
    keyword_plan(compiled, options)  # a core too slow for the sound says so, not that the sound's ring is too large
    _require_fits(compiled, _estimated(compiled, options), options)
    project = _project(compiled, options, output)
    built = build_project(project)
    budget = _measured(compiled, built, options)
    _require_fits(compiled, budget, options)
    proof, unproven = _proof_or_reason(compiled, project, options)
    audio = audio_report(compiled, options, built.elf, proof.mix if proof else None)
    check_result = _check_result(compiled, budget, compiled_firmware=True, more_warnings=unproven)
    if proof is not None and check_result.along_time is not None:
        check_result = _with_counts(check_result, proof, model, options)
    result = BuildResult(
        check=check_result,
        project=str(project.directory),
        elf=str(built.elf),
        toolchain=built.toolchain,
        seconds=time.monotonic() - started,
        emulation=proof,
        audio=audio,
    )
    sha256 = hashlib.sha256(built.elf.read_bytes()).hexdigest()
    record_in_manifest(project, {"result": result.to_json(), "elf_sha256": sha256})
    return result


def emulate(
    model: Any, board: str | Board, output: Path | None = None, options: Options | None = None
) -> EmulationResult:
    """Run the model's firmware in emulation and compare every output byte with the reference.

    Without ``output`` the project is built in a temporary folder and removed afterwards.
    """
    options = options or Options()
    compiled = compile_model(model, board, options)
    require_fits(_estimated(compiled, options), optimize=options.optimize)
    with _project_folder(output) as folder:
        project = _project(compiled, options, folder)
        return prove(compiled, project, options)


def profile(
    model: Any, board: str | Board, output: Path | None = None, options: Options | None = None
) -> ProfileResult:
    """Count the instructions of one inference, whole and by layer, in emulation; estimate cycles, time and energy."""
    options = replace(options or Options(), trace=False)
    compiled = compile_model(model, board, options)
    require_fits(_estimated(compiled, options), optimize=options.optimize)
    with _project_folder(output) as folder:
        project = _project(compiled, options, folder)
        built = build_for_emulator(compiled, project, options)
        stimuli = proof_stimuli(compiled.program.graph, 1, options.seed)[-1:]
        contents = [s.content for s in stimuli]
        cached = compiled.board.flash_cache is not None
        run = run_firmware(
            built.elf, compiled.board, contents, emulator=options.emulator, caches=cached, calls=calls(compiled)
        )
        code = {f.name: f.size_bytes for f in read_image(built.elf).functions}
    layers, whole = profile_layers(compiled.program, compiled.board, run.step_mixes, code)
    waits = waits_unknown(compiled.board, any(mix.misses for mix in run.step_mixes.values()))
    return ProfileResult(
        model=compiled.source.name,
        board=compiled.board.name,
        core=compiled.board.core,
        emulator=run.emulator,
        toolchain=built.toolchain,
        instructions=run.instructions or 0,
        macs=compiled.program.macs,
        layers=layers,
        clock_hz=compiled.board.clock_hz,
        warnings=_warnings(compiled.source) + ((waits,) if waits else ()),
        optimize=options.optimize,
        cycles=whole.cycles,
        latency_ms=whole.latency_ms,
        energy_uj=whole.energy_uj,
        picture=memory_picture(compiled.program, compiled.plan),
    )


@contextmanager
def application(
    model: Any, board: str | Board, output: Path | None = None, options: Options | None = None
) -> Iterator[tuple[Compiled, BuiltFirmware]]:
    """The firmware of ``options.app``, built for the emulator; without ``output`` it is removed at the end.

    Raises as :func:`emulate` does.
    """
    options = options or Options()
    compiled = compile_model(model, board, options)
    keyword_plan(compiled, options)
    require_fits(_estimated(compiled, options), optimize=options.optimize)
    with _project_folder(output) as folder:
        yield compiled, build_for_emulator(compiled, _project(compiled, options, folder), options)


def default_output(board: Board, app: str) -> Path:
    """Where a project goes when the user does not say: ``build/<board>-<app>``."""
    return Path("build") / f"{board.name}-{app}"


def _project(compiled: Compiled, options: Options, folder: Path) -> Project:
    labels = compiled.source.labels or compiled.graph.labels or options.labels
    sources = generate(compiled.program, compiled.plan, sections=arena_sections(compiled.board))
    own, values = app_parts(options.app, compiled.board, compiled.program.graph, labels, compiled.source.manifest)
    sources |= own
    if (keywords := keyword_plan(compiled, options)) is not None:
        sources, values = sources | keywords.sources, keywords.values
    return render_project(
        compiled.board,
        sources,
        app=options.app,
        output_dir=folder,
        manifest=_manifest(compiled, options),
        model_name=compiled.source.name,
        toolchain=options.toolchain,
        network_flags=network_flags(Optimize(options.optimize)),
        force=options.force,
        app_values=values,
    )


def _manifest(compiled: Compiled, options: Options) -> dict[str, Any]:
    source = compiled.source
    return {
        "tinyml_version": __version__,
        "model": source.name,
        "origin": source.origin,
        "model_sha256": source.sha256,
        "model_manifest": source.manifest,
        "board": compiled.board.name,
        "app": options.app,
        "options": {
            "optimize": options.optimize,
            "match": options.match,
            "toolchain": options.toolchain,
            "seed": options.seed,
            "sram_limit_bytes": options.limits.sram_bytes,
            "flash_limit_bytes": options.limits.flash_bytes,
        },
        "predicted": _check_result(compiled, _estimated(compiled, options), compiled_firmware=False).to_json(),
    }


def _estimated(compiled: Compiled, options: Options) -> Budget:
    sizes = estimate_app_sizes(compiled.program, compiled.board, options.app, options.toolchain)
    return make_budget(compiled.board, compiled.program, compiled.plan, sizes, options.limits)


def _measured(compiled: Compiled, built: BuiltFirmware, options: Options) -> Budget:
    sizes = measure_sizes(built, compiled.board, compiled.program, compiled.plan)
    return make_budget(compiled.board, compiled.program, compiled.plan, sizes, options.limits)


def _require_fits(compiled: Compiled, budget: Budget, options: Options) -> None:
    """Raise DoesNotFitError with the boards that would do; they are looked for only where this one does not."""
    if not budget.fits:
        require_fits(budget, _boards_that_fit(compiled, options), optimize=options.optimize)


def _boards_that_fit(compiled: Compiled, options: Options) -> dict[str, str]:
    """Boards on which the same network fits, smallest RAM first; the plan is this board's, the rest an estimate."""
    fitting = {}
    sizes = estimate_app_sizes(compiled.program, compiled.board, options.app, options.toolchain)
    for board in sorted(list_boards(), key=lambda b: b.ram.available_bytes):
        plan = place(compiled.program, compiled.whole_plan, board, sizes, options.limits)
        if make_budget(board, compiled.program, plan, sizes, options.limits).fits:
            fitting[board.name] = board.title
    return fitting


def _check_result(
    compiled: Compiled, budget: Budget, *, compiled_firmware: bool, more_warnings: tuple[str, ...] = ()
) -> CheckResult:
    steps = compiled.program.steps
    rows = ByRows(
        chains=tuple((steps[first].name, steps[last].name) for first, last in compiled.program.segments),
        fed_by_rows=compiled.program.fed_by_rows,
        more_work=compiled.more_work,
        least_bytes=compiled.least_bytes,
    )
    return CheckResult(
        by_rows=rows,
        along_time=along_time(compiled),
        model=compiled.source.name,
        origin=compiled.source.origin,
        model_sha256=compiled.source.sha256,
        macs=compiled.program.macs,
        budget=budget,
        warnings=_warnings(compiled.source) + more_warnings,
        compiled=compiled_firmware,
        picture=memory_picture(compiled.program, compiled.plan),
        packed=compiled.packed,
    )


def _with_counts(result: CheckResult, proof: EmulationResult, model: Any, options: Options) -> CheckResult:
    """The result with the instructions that a hop takes, and those of a whole input, counted where it fits."""
    assert result.along_time is not None
    if result.along_time.hop_rows is None or proof.instructions is None:
        return result
    alone = replace(options, app="benchmark", hop_rows=0, trace=False)
    try:
        with application(model, result.budget.board, options=alone) as (compiled, built):
            content = proof_stimuli(compiled.graph, 1, options.seed)[-1].content
            whole = run_firmware(built.elf, compiled.board, [content], emulator=options.emulator).instructions
    except DoesNotFitError:
        whole = None
    return replace(result, along_time=result.along_time.counted(proof.instructions, whole))


def _warnings(source: ModelSource) -> tuple[str, ...]:
    if source.calibrated:
        return ()
    return ("the activation ranges come from random data: memory, code and instructions are right, accuracy is not",)


def _proof_or_reason(
    compiled: Compiled, project: Project, options: Options
) -> tuple[EmulationResult | None, tuple[str, ...]]:
    """The proof, or why there is none: it was not wanted, or no emulator of this core is installed."""
    if options.emulator == "none":
        return None, ("not proven: emulation was left out",)
    if options.emulator == "auto":
        try:
            choose_emulator(compiled.board)
        except BuildError as error:
            return None, (f"not proven: {error.message} ({error.hint})",)
    return prove(compiled, project, options), ()


@contextmanager
def _project_folder(output: Path | None) -> Iterator[Path]:
    if output is not None:
        yield output
        return
    folder = Path(tempfile.mkdtemp(prefix="tinyml-"))
    try:
        yield folder / "project"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
