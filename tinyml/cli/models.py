"""``tinyml models``: the catalogue of networks."""

from __future__ import annotations

import json

import click

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
    from tinyml.report.models import catalog_report, model_json, model_report
    from tinyml.report.tables import print_report

    entries = CATALOG if name is None else (find_entry(name),)
    if as_json:
        click.echo(json.dumps({"models": [model_json(entry) for entry in entries]}, indent=2))
    elif name is None:
        print_report(*catalog_report(entries))
    else:
        print_report(*model_report(entries[0]))
