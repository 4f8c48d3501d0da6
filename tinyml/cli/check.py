"""``tinyml check``: does a model fit a board, before anything is compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tinyml.cli.options import (
    app_option,
    board_option,
    compile_options,
    html_option,
    json_option,
    pipeline_options,
)
from tinyml.cli.output import show_result
from tinyml.cli.verb import verb
from tinyml.errors import UsageError


@verb(
    "check",
    "tinyml check model.tflite --board nano33ble",
    "tinyml check runs/vww --board nano33ble --max-slowdown any --rows  # the least SRAM there is",
    "tinyml check ds_cnn --board pico --compile --html report.html      # sizes from the linked firmware",
)
@click.argument("model", required=False)
@board_option
@app_option
@compile_options
@click.option("--compile", "compile_firmware", is_flag=True, help="Build the firmware and use its exact sizes.")
@click.option("--plot", is_flag=True, help="Draw memory over time: which buffer lies where at which step.")
@html_option
@json_option
def command(
    model: str | None,
    board: str | None,
    compile_firmware: bool,
    plot: bool,
    html: Path | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Say whether MODEL fits a board, byte by byte.

    MODEL is a .tflite or .keras file, a run's folder or a name from `tinyml models`. Arena and weights are exact; code
    and stack are estimates unless --compile is given. Leaves with 3 where it does not fit.
    """
    from rich.text import Text

    from tinyml import pipeline
    from tinyml.files import write_file
    from tinyml.plan.budget import require_fits
    from tinyml.report.html import check_page
    from tinyml.report.memory_picture import picture_report
    from tinyml.report.tables import check_report, print_report
    from tinyml.settings import chosen_board, chosen_model

    if plot and as_json:
        raise UsageError("--plot draws for people", hint="leave it out: --json has the same under `memory`")
    options = pipeline_options(values)
    names = chosen_model(model), chosen_board(board)
    result = pipeline.check(*names, options, compile_firmware=compile_firmware)
    show_result(result, check_report, as_json)
    if plot and not as_json and result.picture is not None:
        print_report(Text(""), *picture_report(result.picture))
    if html is not None:
        write_file(html, check_page(result))
    fitting = {} if result.fits else pipeline.boards_that_fit(*names, options)
    require_fits(result.budget, fitting, optimize=options.optimize)
