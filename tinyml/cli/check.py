"""``tinyml check``: does a model fit a board, before anything is compiled."""

from __future__ import annotations

import json
from typing import Any

import click

from tinyml.cli.options import app_option, board_option, compile_options, json_option, pipeline_options


@click.command("check")
@click.argument("model", required=False)
@board_option
@app_option
@compile_options
@click.option("--compile", "compile_firmware", is_flag=True, help="Build the firmware and use its exact sizes.")
@json_option
def command(model: str | None, board: str | None, compile_firmware: bool, as_json: bool, **values: Any) -> None:
    """Say whether MODEL fits a board, byte by byte.

    MODEL is a .tflite or .keras file, a run's folder or a name from `tinyml models`. Arena and weights are exact; code
    and stack are estimates unless --compile is given. Leaves with 3 where it does not fit.
    """
    from tinyml import pipeline
    from tinyml.plan.budget import require_fits
    from tinyml.report.tables import check_report, print_report
    from tinyml.settings import chosen_board, chosen_model

    options = pipeline_options(values)
    names = chosen_model(model), chosen_board(board)
    result = pipeline.check(*names, options, compile_firmware=compile_firmware)
    if as_json:
        click.echo(json.dumps(result.to_json(), indent=2))
    else:
        print_report(*check_report(result))
    fitting = {} if result.fits else pipeline.boards_that_fit(*names, options)
    require_fits(result.budget, fitting, optimize=options.optimize)
