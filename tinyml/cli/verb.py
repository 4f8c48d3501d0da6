"""How a verb is declared and how its help is laid out: options in sections, examples at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

COMMON = "Options"
"""The section of the options that belong to no other."""


class Verb(click.Command):
    """A command whose help lists its options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The sections in the order in which their first options were declared, the common one first."""
        sections: dict[str, list[tuple[str, str]]] = {COMMON: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(parameter, "section", COMMON), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def verb(name: str, *examples: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Declares a verb. ``examples`` are command lines, each with what it does behind two spaces and a ``#``."""
    return click.command(name, cls=Verb, epilog=epilog(*examples))


def epilog(*examples: str) -> str:
    """The end of a verb's help: ``examples`` as they stand, not wrapped."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in examples)))


def options(*decorators: Decorator, section: str = COMMON) -> Callable[[F], F]:
    """One decorator of several ``click.option``, in this order, which the help lists under ``section``."""

    def decorate(function: F) -> F:
        before = list(getattr(function, "__click_params__", ()))
        for decorator in reversed(decorators):
            decorator(function)
        for parameter in getattr(function, "__click_params__", ()):
            if section != COMMON and not any(parameter is known for known in before):
                parameter.section = section
        return function

    return decorate
