"""``tinyml doctor``: what is installed, what is missing, the command that gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tinyml.cli import output
from tinyml.cli.options import json_option
from tinyml.cli.verb import verb

if TYPE_CHECKING:
    from tinyml.flash.doctor import Finding


@verb("doctor", "tinyml doctor")
@json_option
def command(as_json: bool) -> None:
    """Say which tools are installed, which are missing and the command that gets each.

    Leaves with 5 only where no firmware can be built at all.
    """
    from tinyml.errors import BuildError
    from tinyml.flash.doctor import can_build, can_emulate, examine

    findings = examine()
    if as_json:
        output.print_json(
            {
                "can_build": can_build(findings),
                "can_emulate": can_emulate(findings),
                "tools": [
                    {
                        "name": finding.tool.name,
                        "purpose": finding.tool.purpose,
                        "installed": finding.installed,
                        "version": finding.version,
                        "path": finding.path,
                        "get": finding.tool.get,
                    }
                    for finding in findings
                ],
            }
        )
    else:
        _print(findings)
        click.echo()
        click.echo(f"building firmware: {'yes' if can_build(findings) else 'no'}")
        click.echo(f"proving it in emulation: {'yes' if can_emulate(findings) else 'no'}")
    if not can_build(findings):
        raise BuildError("no firmware can be built on this machine", hint="pip install 'tinyml[zig]' is enough")


def _print(findings: list[Finding]) -> None:
    rows = [
        [
            finding.tool.purpose,
            finding.tool.name,
            (finding.version or "installed") if finding.installed else "missing",
            "" if finding.installed else finding.tool.get,
        ]
        for finding in findings
    ]
    output.print_table(["for", "tool", "version", "how to get it"], rows)
