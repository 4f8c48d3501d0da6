"""``tinyml build``: from a model to a proven firmware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tinyml.cli.options import (
    app_option,
    board_option,
    compile_options,
    emulation_options,
    json_option,
    output_option,
    pipeline_options,
)
from tinyml.cli.output import show_result
from tinyml.cli.verb import verb
from tinyml.errors import UsageError

if TYPE_CHECKING:
    from tinyml.pipeline import Options


@verb(
    "build",
    "tinyml build model.tflite --board nano33ble",
    "tinyml build runs/ds_cnn --board nano33ble --app kws      # from the microphone to the LED",
    "tinyml build kws.tflite vww.tflite --board nucleo_l4r5zi  # two networks, one arena",
)
@click.argument("models", metavar="[MODEL]...", nargs=-1)
@board_option
@app_option
@output_option("build/BOARD-APP")
@compile_options
@emulation_options
@click.option(
    "--engine",
    type=click.Choice(["tinyml", "tflm"]),
    default="tinyml",
    show_default=True,
    help="Whose code runs the network; tflm is TensorFlow Lite Micro with CMSIS-NN, which is not proven.",
)
@click.option(
    "--framework",
    type=click.Choice(["baremetal", "arduino"]),
    default="baremetal",
    show_default=True,
    help="arduino writes the project for the board's Arduino core; PlatformIO's registry is needed to build it.",
)
@click.option(
    "--console",
    type=click.Choice(["auto", "board", "usb"]),
    default="auto",
    show_default=True,
    help="Where the firmware's serial line is: the board's own pins, its USB socket, or the one that is usual there.",
)
@click.option("--no-emulate", is_flag=True, help="Leave the proof in emulation out.")
@json_option
def command(
    models: tuple[str, ...],
    board: str | None,
    output: Path | None,
    engine: str,
    framework: str,
    no_emulate: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Build MODEL's firmware for a board and prove it bit for bit in emulation.

    The result is an ordinary PlatformIO project that `pio run` builds by itself. Several MODELs become one firmware,
    which runs them in turn in one arena. Leaves with 3 where the model does
    not fit, 4 where it is not supported, 5 where the build fails and 7 where an output byte differs.
    """
    from tinyml import pipeline
    from tinyml.cli.progress import status
    from tinyml.pipeline.multi_model import build_several
    from tinyml.report.results import BuildResult, SeveralResult
    from tinyml.report.tables import build_report, several_report
    from tinyml.settings import chosen_board, chosen_model

    if no_emulate:
        values["emulator"] = "none"
    if framework == "arduino":
        if len(models) > 1 or engine != "tinyml":
            raise UsageError(
                "--framework arduino takes one model, with tinyml's own engine",
                hint="name one model and leave --engine out, or build with --framework baremetal",
            )
        model = chosen_model(next(iter(models), None))
        _for_arduino(model, chosen_board(board), output, pipeline_options(values), as_json)
        return
    if engine == "tflm":
        if len(models) > 1:
            raise UsageError("TensorFlow Lite Micro takes one model", hint="leave out --engine, or name one model")
        _over_tflm(
            chosen_model(next(iter(models), None)), chosen_board(board), output, pipeline_options(values), as_json
        )
        return
    with status("building"):
        options = pipeline_options(values)
        result: BuildResult | SeveralResult
        if len(models) > 1:
            result = build_several(models, chosen_board(board), output, options)
        else:
            result = pipeline.build(chosen_model(next(iter(models), None)), chosen_board(board), output, options)
    if isinstance(result, SeveralResult):
        show_result(result, several_report, as_json)
    else:
        show_result(result, build_report, as_json)


def _over_tflm(model: str, board: str, output: Path | None, options: Options, as_json: bool) -> None:
    from tinyml.cli.progress import status
    from tinyml.pipeline.tflm import build_over_tflm
    from tinyml.report.tflm import tflm_report

    with status("building"):
        result = build_over_tflm(model, board, output, options)
    show_result(result, tflm_report, as_json)


def _for_arduino(model: str, board: str, output: Path | None, options: Options, as_json: bool) -> None:
    from tinyml.pipeline.arduino import write_sketch

    project = write_sketch(model, board, output, options)
    if as_json:
        found = {"project": str(project.directory), "board": project.board.name, "app": project.app}
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"project {project.directory}")
    click.echo("`pio run` builds it there, with PlatformIO's registry; nothing was built or proven here")
