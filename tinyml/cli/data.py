"""``tinyml data``: list, get and inspect data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tinyml.cli.options import json_option


@click.group("data", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, get and inspect data sets."""


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List the public data sets that `tinyml data get` knows."""
    from tinyml.cli import output
    from tinyml.data.catalog import REMOTE_DATASETS

    if as_json:
        rows = [
            {
                "name": dataset.name,
                "title": dataset.title,
                "layout": dataset.layout,
                "licence": dataset.licence,
                "source": dataset.source,
                "urls": [file.url for file in dataset.files],
                "download_bytes": sum(file.size_bytes for file in dataset.files),
            }
            for dataset in REMOTE_DATASETS
        ]
        output.print_json({"datasets": rows})
        return
    table = []
    for dataset in REMOTE_DATASETS:
        size = sum(file.size_bytes for file in dataset.files)
        table.append([dataset.name, f"{size / 1e6:,.0f} MB" if size else "", dataset.licence, dataset.title])
    output.print_table(["name", "download", "licence", "what"], table, right=(1,))


@command.command("get")
@click.argument("name")
@click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to put it (default: data/NAME).",
)
@json_option
def get_command(name: str, folder: Path | None, as_json: bool) -> None:
    """Download the public data set NAME, check it and unpack it.

    Goes on where an earlier run stopped. The folder to give to `--data` is printed on stdout.
    """
    from tinyml.cli import output
    from tinyml.cli.data_progress import DownloadProgress
    from tinyml.data.catalog import find_remote
    from tinyml.data.download import get_dataset

    dataset = find_remote(name)
    unchecked = [file.file_name for file in dataset.files if not file.checksum]
    if unchecked:
        output.note(f"its publisher gives no checksum for {unchecked[0]}: only the transfer is checked")
    with DownloadProgress() as progress:
        place = get_dataset(dataset, folder or Path("data") / dataset.name, progress.update)
    output.note(f"{dataset.title}; licence: {dataset.licence}")
    if as_json:
        output.print_json({"name": dataset.name, "folder": str(place), "licence": dataset.licence})
    else:
        click.echo(str(place))


@command.command("info")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--layout", help="The layout, where it is not to be guessed.")
@click.option("--check", is_flag=True, help="Decode every sample and name the damaged ones.")
@json_option
def info_command(folder: Path, layout: str | None, check: bool, as_json: bool) -> None:
    """Say which layout FOLDER has, its classes, and the samples of each class in each split."""
    from tinyml.cli import output
    from tinyml.cli.data_progress import DownloadProgress
    from tinyml.data import open_dataset
    from tinyml.data.base import SPLITS, find_damaged

    dataset = open_dataset(folder, layout)
    counts = dataset.counts()
    damaged = None
    if check:
        with DownloadProgress() as progress:
            damaged = find_damaged(dataset, lambda done, total: progress.update("decoding", done, total))
    if as_json:
        result: dict[str, Any] = {
            "folder": str(folder),
            "layout": dataset.layout,
            "kind": dataset.kind,
            "classes": list(dataset.classes),
            "splits": counts,
            "notes": list(dataset.notes),
        }
        if damaged is not None:
            result["damaged"] = [{"name": item.name, "reason": item.reason} for item in damaged]
        output.print_json(result)
        return
    click.echo(f"{folder}: {dataset.layout} ({dataset.kind}), {len(dataset.classes)} classes")
    rows = [[name, *(f"{counts[split][name]:,}" for split in SPLITS)] for name in dataset.classes]
    rows.append(["all", *(f"{sum(counts[split].values()):,}" for split in SPLITS)])
    output.print_table(["class", *SPLITS], rows, right=(1, 2, 3))
    for note in dataset.notes:
        click.echo(f"note: {note}")
    if damaged is not None:
        click.echo(f"{len(damaged)} damaged samples" if damaged else "no damaged samples")
        for item in damaged:
            click.echo(f"  {item.name}: {item.reason}")
