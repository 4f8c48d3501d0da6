"""``tinyml emulate``: run a model's firmware on the board's core and compare with the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tinyml.cli.emulate_pictures import dataset_options, emulate_pictures, image_option, is_picture_set
from tinyml.cli.emulate_serial import emulate_serial, serial_option
from tinyml.cli.emulate_sound import emulate_clips, emulate_wavs, wav_option
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
from tinyml.cli.verb import options, verb


@verb(
    "emulate",
    "tinyml emulate model.tflite --board nano33ble --trace",
    "tinyml emulate runs/ds_cnn --board nano33ble --wav yes.wav",
    "tinyml emulate runs/vww --board nano33ble --app vww --image photo.jpg",
)
@click.argument("model", required=False)
@board_option
@app_option
@output_option("a temporary one, removed at the end")
@compile_options
@emulation_options
@options(image_option, wav_option, dataset_options, serial_option, section="The application itself")
@json_option
def command(
    model: str | None,
    board: str | None,
    output: Path | None,
    images: tuple[Path, ...],
    wavs: tuple[Path, ...],
    dataset: Path | None,
    limit: int | None,
    serial: str | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Run MODEL's firmware in emulation and compare every output byte with LiteRT's reference kernels.

    --trace compares every intermediate tensor and names the first that differs. --wav, --image and --dataset feed
    the application's own microphone or camera instead; --serial leaves it alone with whoever opens its serial line,
    such as MLPerf Tiny's runner (--app mlperf_tiny). Leaves with 7 where anything differs.
    """
    from tinyml import pipeline
    from tinyml.cli.progress import status
    from tinyml.report.tables import emulation_report
    from tinyml.settings import chosen_board, chosen_model

    source, target, options = chosen_model(model), chosen_board(board), pipeline_options(values)
    if serial is not None:
        if as_json or wavs or images or dataset is not None:
            raise click.UsageError("--serial excludes --json, --wav, --image and --dataset")
        emulate_serial(source, target, output, options, serial)
        return
    if wavs:
        if images or dataset is not None:
            raise click.UsageError("--wav, --image and --dataset exclude each other")
        emulate_wavs(source, target, output, options, wavs, as_json)
        return
    if images or is_picture_set(dataset):
        emulate_pictures(source, target, output, options, images, dataset, limit, as_json)
        return
    if dataset is not None:
        emulate_clips(source, target, output, options, dataset, limit, as_json)
        return
    with status("emulating"):
        result = pipeline.emulate(source, target, output, options)
    show_result(result, emulation_report, as_json)
