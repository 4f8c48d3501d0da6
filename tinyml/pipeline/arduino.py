"""``tinyml build --framework arduino``: the project for a board's Arduino core, completed by PlatformIO's registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tinyml import __version__
from tinyml.boards import Board
from tinyml.codegen import generate
from tinyml.errors import UsageError
from tinyml.firmware.app_values import app_parts
from tinyml.firmware.kws import APP as KEYWORDS
from tinyml.firmware.kws import plan_keywords
from tinyml.firmware.project import Project, network_flags, render_project
from tinyml.lower.program import Optimize
from tinyml.pipeline.compiled import Options, compile_model
from tinyml.pipeline.verbs import default_output

APPS = ("benchmark", "kws", "vww", "detect", "mlperf_tiny")


def write_sketch(model: Any, board: str | Board, output: Path | None = None, options: Options | None = None) -> Project:
    """Compiles ``model`` and writes the project of ``options.app``; it is not built, because that needs the registry.

    Raises UsageError for a board or an application that the Arduino core has no drivers for, and as compiling does.
    """
    options = options or Options()
    if options.app not in APPS:
        raise UsageError(
            f"the application {options.app} has no Arduino version",
            hint=f"--framework baremetal has it; these come for Arduino: {', '.join(APPS)}",
        )
    compiled = compile_model(model, board, options)
    labels = compiled.source.labels or compiled.graph.labels or options.labels
    sources = generate(compiled.program, compiled.plan)
    own, values = app_parts(options.app, compiled.board, compiled.program.graph, labels, compiled.source.manifest)
    sources |= own
    if options.app == KEYWORDS:
        keywords = plan_keywords(compiled.program, compiled.board, labels, compiled.source.manifest)
        sources, values = sources | keywords.sources, keywords.values
    return render_project(
        compiled.board,
        sources,
        app=options.app,
        output_dir=output or default_output(compiled.board, f"{options.app}-arduino"),
        manifest={
            "tinyml_version": __version__,
            "framework": "arduino",
            "model": compiled.source.name,
            "origin": compiled.source.origin,
            "model_sha256": compiled.source.sha256,
            "board": compiled.board.name,
            "app": options.app,
        },
        model_name=compiled.source.name,
        network_flags=network_flags(Optimize(options.optimize)),
        force=options.force,
        app_values=values,
        framework="arduino",
    )
