"""``tinyml build --engine tflm``: an application over TensorFlow Lite Micro's interpreter instead of tinyml's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyml import __version__
from tinyml.boards import Board, load_board, with_console
from tinyml.errors import BuildError, UsageError
from tinyml.firmware.app_values import app_parts
from tinyml.firmware.apps import require_app
from tinyml.firmware.build import build_project
from tinyml.firmware.elf import measure
from tinyml.firmware.kws import APP as KEYWORDS
from tinyml.firmware.kws import plan_listening
from tinyml.firmware.project import Project, render_project
from tinyml.firmware.render import c_string
from tinyml.firmware.tflm import (
    BUILD_FLAGS,
    LIBRARY,
    LOCAL_LIBRARY,
    LOCAL_NAME,
    estimate_arena,
    estimate_instructions,
    library,
    local_library,
    local_manifest,
    registrations,
    tflm_sources,
)
from tinyml.graph.ir import Graph
from tinyml.pipeline.compiled import Options
from tinyml.pipeline.verbs import default_output
from tinyml.report.tflm import TflmResult
from tinyml.sources import ModelSource, load_source
from tinyml.tflite.read import read_graph


def render_over_tflm(
    model: Any, board: str | Board, output: Path | None, options: Options
) -> tuple[ModelSource, Graph, Project]:
    """Write the project of ``options.app``; the model's own graph, as the interpreter runs the file as it is.

    The keyword application's ring is sized by an estimate of the interpreter's time. Raises UsageError for a model that
    the application can't serve, DoesNotFitError where the core can't keep up with the sound, UnsupportedError for an op
    that TensorFlow Lite Micro does not have.
    """
    target = with_console(board if isinstance(board, Board) else load_board(board), options.console, options.app)
    require_app(options.app, target)
    if options.memory.fed_by_rows or options.hop_rows:
        raise UsageError("TensorFlow Lite Micro takes whole inputs", hint="leave out --rows and --hop-rows")
    source = load_source(model)
    graph = read_graph(source.content, name=source.name)
    labels = source.labels or graph.labels or options.labels
    sources = tflm_sources(graph, source.content, source.name, c_string(source.name), mve="mve" in target.features)
    own, values = app_parts(options.app, target, graph, labels, source.manifest)
    sources |= own
    if options.app == KEYWORDS:
        instructions = estimate_instructions(graph, target.isa_name)
        keywords = plan_listening(graph, instructions, target, labels, source.manifest)
        sources, values = sources | keywords.sources, keywords.values
    local = local_library()
    project = render_project(
        target,
        sources,
        app=options.app,
        output_dir=output or default_output(target, f"{options.app}-tflm"),
        manifest={
            "tinyml_version": __version__,
            "engine": "tflm",
            "library": library(),
            "model": source.name,
            "origin": source.origin,
            "model_sha256": source.sha256,
            "board": target.name,
            "app": options.app,
        },
        model_name=source.name,
        toolchain=options.toolchain,
        app_values=values,
        lib_deps=(LIBRARY if local is None else LOCAL_NAME,),
        libraries={} if local is None else {LOCAL_NAME: local_manifest(local)},
        library_flags=BUILD_FLAGS,
        force=options.force,
    )
    return source, graph, project


def build_over_tflm(
    model: Any, board: str | Board, output: Path | None = None, options: Options | None = None
) -> TflmResult:
    """Build the firmware with the library that :func:`tinyml.firmware.tflm.library` names.

    Nothing is proven: the kernels are not tinyml's. Raises as :func:`render_over_tflm` does, DoesNotFitError where the
    image is too large, BuildError where the library can't be had or does not compile; the project stays to look at.
    """
    options = options or Options()
    source, graph, project = render_over_tflm(model, board, output, options)
    try:
        built = build_project(project)
    except BuildError as error:
        raise BuildError(
            error.message,
            hint=f"the library is {library()}; {LOCAL_LIBRARY} may name a local copy of {LIBRARY.split('#')[0]}; it "
            "needs GCC with its C++ library (apt-get install libstdc++-arm-none-eabi-newlib), which zig does not have",
        ) from error
    return TflmResult(
        model=source.name,
        board=project.board.name,
        app=options.app,
        library=library(),
        ops=registrations(graph),
        arena=estimate_arena(graph, mve="mve" in project.board.features),
        project=str(project.directory),
        elf=str(built.elf),
        toolchain=built.toolchain,
        seconds=built.seconds,
        regions=measure(built.elf, project.board).regions,
    )
