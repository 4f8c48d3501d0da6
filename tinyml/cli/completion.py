"""``tinyml completion``: the completion script of a shell."""

from __future__ import annotations

import click

_INSTALL = {
    "bash": 'eval "$(tinyml completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(tinyml completion zsh)" in ~/.zshrc',
    "fish": "tinyml completion fish > ~/.config/fish/completions/tinyml.fish",
}


@click.command()
@click.argument("shell", type=click.Choice(sorted(_INSTALL)))
def command(shell: str) -> None:
    """Print the completion script of SHELL.

    bash: eval "$(tinyml completion bash)" in ~/.bashrc; zsh alike in ~/.zshrc;
    fish: tinyml completion fish > ~/.config/fish/completions/tinyml.fish
    """
    from click.shell_completion import get_completion_class

    from tinyml.cli import cli

    completion = get_completion_class(shell)
    if completion is None:
        raise click.UsageError(f"click has no completion for {shell}")
    click.echo(completion(cli, {}, "tinyml", "_TINYML_COMPLETE").source())
