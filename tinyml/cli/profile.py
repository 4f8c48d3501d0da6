"""``tinyml profile``: exact instruction counts, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tinyml.cli.options import (
    board_option,
    compile_options,
    emulator_option,
    html_option,
    json_option,
    output_option,
    pipeline_options,
)
from tinyml.cli.output import show_result
from tinyml.cli.verb import verb


@verb(
    "profile",
    "tinyml profile model.tflite --board nano33ble",
    "tinyml profile ds_cnn --board disco_f746ng --optimize speed --html profile.html",
)
@click.argument("model", required=False)
@board_option
@output_option("a temporary one, removed at the end")
@compile_options
@emulator_option
@html_option
@json_option
def command(
    model: str | None, board: str | None, output: Path | None, html: Path | None, as_json: bool, **values: Any
) -> None:
    """Count the instructions of one inference of MODEL, whole and by layer, with the kernel of each and why.

    Counts are exact and repeat. Cycles, time and energy are estimates from the core's timings, the flash's caches and
    the board's clock and current (docs/cost-model.md).
    """
    from tinyml import pipeline
    from tinyml.cli.progress import status
    from tinyml.files import write_file
    from tinyml.report.html import profile_page
    from tinyml.report.profile import profile_report
    from tinyml.settings import chosen_board, chosen_model

    with status("profiling"):
        result = pipeline.profile(chosen_model(model), chosen_board(board), output, pipeline_options(values))
    show_result(result, profile_report, as_json)
    if html is not None:
        write_file(html, profile_page(result))
