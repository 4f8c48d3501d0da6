"""The command line: a table of verbs, each loaded only when it is used, and one place that gives errors exit codes.

Only click is imported here, so that ``tinyml --help`` answers at once; a verb imports what it needs in its function.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

import click

from tinyml import __version__
from tinyml.errors import TinymlError

COMMANDS: dict[str, tuple[str, str]] = {
    "new": ("tinyml.cli.new:command", "start a project of your own"),
    "models": ("tinyml.cli.models:command", "list the model catalogue, or show one model"),
    "scale": ("tinyml.cli.scale:command", "find the largest network of a family that fits a board"),
    "data": ("tinyml.cli.data:command", "get, inspect and synthesise data sets"),
    "train": ("tinyml.cli.train:command", "train a model"),
    "quantize": ("tinyml.cli.quantize:command", "convert a trained model to a full-integer int8 .tflite"),
    "evaluate": ("tinyml.cli.evaluate:command", "score an int8 model on a data set, with plots"),
    "check": ("tinyml.cli.check:command", "say whether a model fits a board, and what uses its memory"),
    "build": ("tinyml.cli.build:command", "build the firmware, run it in emulation, compare its outputs"),
    "emulate": ("tinyml.cli.emulate:command", "run a firmware on the board's emulated core"),
    "profile": ("tinyml.cli.profile:command", "count the instructions of every layer"),
    "stream": ("tinyml.cli.stream:command", "count missed and falsely accepted keywords over minutes of sound"),
    "flash": ("tinyml.cli.flash:command", "put a firmware on a board, and read it back"),
    "monitor": ("tinyml.cli.monitor:command", "follow what a board prints, live or as lines"),
    "capture": ("tinyml.cli.capture:command", "keep a picture from a board's camera"),
    "boards": ("tinyml.cli.boards:command", "list the boards, or show one board"),
    "doctor": ("tinyml.cli.doctor:command", "say which tools are installed and how to get the missing ones"),
    "completion": ("tinyml.cli.completion:command", "print the completion script of a shell"),
}
EXIT_INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command with the options that every verb has, or None for an unknown verb."""
        if cmd_name not in COMMANDS:
            return None
        module_name, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module_name), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name][0]} is not a click command")
        command.name = cmd_name
        present = {option for parameter in command.params for option in parameter.opts}
        command.params.extend(option for option in _verbosity_options() if not present.intersection(option.opts))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with the nearest verbs in the error for an unknown one."""
        verb = args[0]
        if verb not in COMMANDS and not verb.startswith("-"):
            from tinyml.toml_reader import did_you_mean

            raise TinymlUsage(f"there is no command {verb!r}", did_you_mean(verb, COMMANDS))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their one-line summaries, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, summary) for verb, (_, summary) in COMMANDS.items()])


class TinymlUsage(click.UsageError):
    """A usage error with a hint of its own."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def _set_verbosity(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from tinyml.cli import output

        output.configure(output.QUIET if parameter.name == "quiet" else output.VERBOSE)


def _verbosity_options() -> list[click.Option]:
    return [
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_set_verbosity,
            help="Say more on stderr.",
        ),
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_set_verbosity,
            help="Say only errors on stderr.",
        ),
    ]


def _callback() -> None:
    """From a Keras model to a Cortex-M board: trained, int8, budgeted, compiled, emulated and proven."""


cli = LazyGroup(
    name="tinyml",
    callback=_callback,
    help=_callback.__doc__,
    params=_verbosity_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
cli = click.version_option(__version__, "-V", "--version", message="%(prog)s %(version)s")(cli)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and gives its exit code; every failure leaves one message on stderr, never a traceback.

    ``TINYML_DEBUG`` set to 1 or more shows the traceback behind an error as well. SIGTERM ends a verb as Ctrl-C does,
    so that nothing it has started, such as an emulator, is left running.
    """
    from tinyml.cli import output

    output.configure(output.NORMAL)  # a process may call several verbs, each with options of its own
    try:
        with _interrupted_by_sigterm():
            result: Any = cli.main(
                args=None if arguments is None else list(arguments), prog_name="tinyml", standalone_mode=False
            )
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as problem:
        if isinstance(problem, SystemExit | GeneratorExit):
            raise
        if _debug() and not isinstance(problem, click.ClickException):
            traceback.print_exc()
        return _report(problem)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Python takes signals in its main thread alone
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _debug() -> bool:
    return os.environ.get("TINYML_DEBUG", "0") not in ("", "0")


def _report(problem: BaseException) -> int:
    if isinstance(problem, TinymlError):
        _say(problem.message, problem.hint)
        return problem.exit_code
    if isinstance(problem, click.exceptions.NoArgsIsHelpError):
        click.echo(problem.format_message(), err=True)
        return problem.exit_code
    if isinstance(problem, click.ClickException):
        _say(_lower_first(problem.format_message()), getattr(problem, "hint", None) or _usage_hint(problem))
        return problem.exit_code
    if isinstance(problem, KeyboardInterrupt | click.Abort):
        _say("interrupted", None)
        return EXIT_INTERRUPTED
    if isinstance(problem, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(problem, OSError) and problem.errno is not None:
        return _report_os_error(problem)
    if isinstance(problem, MemoryError):
        _say("this machine ran out of memory", "close other programs, or use a smaller model or batch")
        return 5
    _say(
        f"a bug in tinyml: {type(problem).__name__}: {problem}",
        "please report it with the traceback that TINYML_DEBUG=1 in the environment prints",
    )
    return 1


def _report_os_error(problem: OSError) -> int:
    where = "" if problem.filename is None else f"{os.fspath(problem.filename)}: "
    _say(f"{where}{_lower_first(problem.strerror or str(problem))}", _OS_HINTS.get(problem.errno or 0))
    return 5 if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM) else 2


_OS_HINTS = {
    errno.EACCES: "choose a place you may write to, for example with --output",
    errno.EPERM: "choose a place you may write to, for example with --output",
    errno.EROFS: "choose a place that is not read-only, for example with --output",
    errno.ENOSPC: "free some space, or choose another place with --output",
    errno.EDQUOT: "free some space, or choose another place with --output",
}


def _usage_hint(problem: click.ClickException) -> str | None:
    context = getattr(problem, "ctx", None)
    return None if context is None else f"`{context.command_path} --help` shows how it is used"


def _lower_first(message: str) -> str:
    text = message.strip().rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _say(message: str, hint: str | None) -> None:
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"\nhint: {hint}", err=True)
