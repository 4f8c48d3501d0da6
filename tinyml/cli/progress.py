"""A spinner on stderr for work that takes seconds; nothing where stderr is no terminal or `--quiet` was given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tinyml.cli import output


@contextmanager
def status(message: str) -> Iterator[None]:
    """Show ``message`` with a spinner while the block runs."""
    if output.verbosity() == output.QUIET or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(file=sys.stderr).status(message):
        yield
