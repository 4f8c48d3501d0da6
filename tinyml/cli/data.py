"""``tinyml data``: list, get, inspect, pack and synthesise data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tinyml.cli.options import json_option, layout_option, seed_option, split_words, words_option
from tinyml.cli.verb import epilog


@click.group(
    "data",
    epilog=epilog(
        "tinyml data list",
        "tinyml data get speech_commands",
        "tinyml data info photos --check                       # decodes every sample",
        "tinyml data records photos -o records --shards 16     # TFRecords, which --data takes as well",
        "tinyml data synth --words 'hey tiny,stop' -o spoken   # words that nobody has recorded yet",
    ),
)
def command() -> None:
    """List, get, inspect, pack and synthesise data sets."""


@command.command("list", short_help="List the public data sets.")
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


@command.command("get", short_help="Download a public data set, check it and unpack it.")
@click.argument("name")
@click.option(
    "--output",
    "-o",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
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


@command.command("info", short_help="Say what is in a folder: layout, classes, samples.")
@click.argument("folder", type=click.Path(path_type=Path))
@layout_option
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


@command.command("records", short_help="Write a data set as sharded TFRecords.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    help="A new folder.",
)
@click.option(
    "--shards", type=click.IntRange(1, 512), metavar="N", default=8, show_default=True, help="Files of each split."
)
@layout_option
@words_option("Keywords, in the order of the outputs (audio).")
@seed_option(1, "Seed of silence and of the other words taken.")
@json_option
def records_command(
    folder: Path, output: Path, shards: int, layout: str | None, words: str | None, seed: int, as_json: bool
) -> None:
    """Write the data set in FOLDER, of any layout, as TFRecords in shards, which `--data` takes as well.

    A few large files instead of many small ones, each record with its checksum; workers that train together read
    shards of their own.
    """
    from tinyml.cli import output as out
    from tinyml.cli.data_progress import DownloadProgress
    from tinyml.data import DatasetOptions, open_dataset
    from tinyml.data.speech_commands import SpeechOptions
    from tinyml.data.write_records import write_records

    chosen = DatasetOptions(SpeechOptions(words=split_words(words), seed=seed))
    dataset = open_dataset(folder, layout, chosen)
    with DownloadProgress() as progress:
        written = write_records(
            dataset, output, shards, lambda done, total: progress.update("writing records", done, total)
        )
    if as_json:
        out.print_json(
            {
                "folder": str(output),
                "layout": dataset.layout,
                "kind": dataset.kind,
                "classes": list(dataset.classes),
                **written.to_json(),
            }
        )
        return
    click.echo(str(output))
    files = sum(written.shards.values())
    out.note(f"{sum(written.records.values()):,} records in {files} shards, {written.size_bytes / 1e6:,.1f} MB")
    for item in written.left_out:
        out.note(f"left out {item.name}: {item.reason}")


@command.command("synth", short_help="Make clips of words by speech synthesis.")
@click.option("--words", required=True, metavar="A,B,…", help="Words or phrases to say, such as 'hey tiny,stop'.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    required=True,
    help="A new folder.",
)
@click.option(
    "--count", type=click.IntRange(1, 100_000), metavar="N", default=500, show_default=True, help="Clips of each word."
)
@click.option(
    "--others",
    metavar="A,B,…",
    help="Other words, for the class unknown (default: parts of phrases and common English words).",
)
@click.option(
    "--other-count",
    type=click.IntRange(0, 100_000),
    metavar="N",
    default=20,
    show_default=True,
    help="Clips of each other word.",
)
@click.option(
    "--language", metavar="NAME", default="en", show_default=True, help="A language of eSpeak NG; en has seven accents."
)
@click.option(
    "--clip-ms",
    type=click.IntRange(200, 10_000),
    metavar="MS",
    default=1_000,
    show_default=True,
    help="Length of clips.",
)
@click.option("--no-augment", is_flag=True, help="No rooms, no noise, one loudness.")
@seed_option(0, "Seed of everything drawn at random.")
@json_option
def synth_command(
    words: str,
    output: Path,
    count: int,
    others: str | None,
    other_count: int,
    language: str,
    clip_ms: int,
    no_augment: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Let eSpeak NG say WORDS in many voices, into a folder like Speech Commands that `tinyml train` takes.

    For trying a wake word before anybody has recorded it. Score the model on recordings: synthetic clips are easier.
    """
    from tinyml.cli import output as out
    from tinyml.cli.data_progress import DownloadProgress
    from tinyml.data.espeak import voices
    from tinyml.data.espeak_library import find_speaker
    from tinyml.data.synthesis import SynthesisOptions, folder_name, other_words, split_counts, synthesise

    said = split_words(words)
    options = SynthesisOptions(
        words=said,
        others=other_words(said) if others is None else split_words(others),
        count=count,
        other_count=other_count,
        language=language,
        clip_ms=clip_ms,
        seed=seed,
        augment=not no_augment,
    )
    speaker = find_speaker()
    with DownloadProgress() as progress:
        clips = synthesise(
            output, options, voices(language), speaker, lambda done, total: progress.update("speaking", done, total)
        )
    labels = [folder_name(word) for word in said]
    if as_json:
        out.print_json(
            {
                "folder": str(output),
                "words": labels,
                "others": [folder_name(word) for word in options.others],
                "clips": split_counts(clips),
                "voices": len({clip.voice for clip in clips}),
                "synthesiser": f"eSpeak NG {speaker.version}",
                "seed": seed,
            }
        )
        return
    click.echo(str(output))
    out.note(f"{len(clips):,} clips by {len({clip.voice for clip in clips})} voices; next:")
    out.note(f"tinyml train ds_cnn --data {output} --words {','.join(labels)}")
