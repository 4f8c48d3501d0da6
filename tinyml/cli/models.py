"""``tinyml models``: the catalogue of networks."""

from __future__ import annotations

from pathlib import Path

import click

from tinyml.cli import output
from tinyml.cli.options import json_option
from tinyml.cli.verb import verb
from tinyml.errors import UsageError


@verb(
    "models",
    "tinyml models                                  # all of them, and the trained ones",
    "tinyml models mobilenet_v2 --plot network.svg  # its options and figures, drawn",
)
@click.argument("name", required=False)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw NAME into this file (.svg, .png, .pdf); it needs the train extra.",
)
@json_option
def command(name: str | None, plot: Path | None, as_json: bool) -> None:
    """List the networks that tinyml defines, or show NAME.

    Parameters and MACs are counted from the Keras definition; weights, arena and the boards that fit come from the
    compiler's own plans. A family's name, such as mobilenet_v1, stands for its first entry. The names under
    "trained" are networks with weights, which ship with tinyml.
    """
    from tinyml.models.catalog import CATALOG, find_entry
    from tinyml.models.trained import trained_models
    from tinyml.report import models as report
    from tinyml.report.tables import print_report

    if plot is not None and name is None:
        raise UsageError("--plot draws one network", hint="tinyml models mobilenet_v1 --plot network.svg")
    known = trained_models()
    trained = list(known.values()) if name is None else [known[name]] if name in known else []
    entries = CATALOG if name is None else (find_entry(trained[0].entry if trained else name),)
    if plot is not None:
        _draw(entries[0].name, plot)
    if as_json:
        models = [report.model_json(entry) for entry in entries]
        output.print_json({"models": models, "trained": [model.to_json() for model in trained]})
    elif trained and name is not None:
        print_report(*report.trained_report(trained[0]))
    elif name is not None:
        print_report(*report.model_report(entries[0]))
    else:
        output.print_table(report.CATALOG_HEADINGS, report.catalog_rows(entries), right=report.CATALOG_RIGHT)
        click.echo()
        output.print_table(report.TRAINED_HEADINGS, report.trained_rows())
        output.note(report.CATALOG_NOTE)


def _draw(name: str, path: Path) -> None:
    from tinyml.files import write_file
    from tinyml.models.catalog import build_model
    from tinyml.models.drawing import FORMATS, draw_network
    from tinyml.tflite.quiet import import_keras

    kind = path.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise UsageError(f"{path} is no picture", hint="name a file that ends in ." + ", .".join(FORMATS))
    keras = import_keras()
    with keras.StatelessScope():
        picture = draw_network(build_model(name, batch_size=1), name, kind)
    write_file(path, picture)
    output.note(f"wrote {path}")
