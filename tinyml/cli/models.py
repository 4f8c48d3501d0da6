"""``tinyml models``: the catalogue of networks."""

from __future__ import annotations

import click

from tinyml.cli import output
from tinyml.cli.options import json_option


@click.command("models")
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the networks that tinyml defines, or show NAME.

    Parameters and MACs are counted from the Keras definition; weights, arena and the boards that fit come from the
    compiler's own plans. A family's name, such as mobilenet_v1, stands for its first entry.
    """
    from tinyml.models.catalog import CATALOG, find_entry
    from tinyml.report import models as report
    from tinyml.report.tables import print_report

    entries = CATALOG if name is None else (find_entry(name),)
    if as_json:
        output.print_json({"models": [report.model_json(entry) for entry in entries]})
    elif name is None:
        output.print_table(report.CATALOG_HEADINGS, report.catalog_rows(entries), right=report.CATALOG_RIGHT)
        output.note(report.CATALOG_NOTE)
    else:
        print_report(*report.model_report(entries[0]))
