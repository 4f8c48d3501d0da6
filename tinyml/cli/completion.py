"""``tinyml completion``: the completion script of a shell."""

from __future__ import annotations

import click

from tinyml.cli.verb import verb


@verb(
    "completion",
    'eval "$(tinyml completion bash)"  # in ~/.bashrc',
    'eval "$(tinyml completion zsh)"   # in ~/.zshrc',
    "tinyml completion fish > ~/.config/fish/completions/tinyml.fish",
)
@click.argument("shell", type=click.Choice(["bash", "fish", "zsh"]))
def command(shell: str) -> None:
    """Print the completion script of a shell, for its start-up file."""
    from click.shell_completion import get_completion_class

    from tinyml.cli import cli

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"click has no completion for {shell}")
    click.echo(completion(cli, {}, "tinyml", "_TINYML_COMPLETE").source())
