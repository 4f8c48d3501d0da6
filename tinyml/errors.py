"""The one family of errors a user of tinyml meets, each with its exit code and a hint.

An error says what went wrong, where, with the numbers, and then what to do about it. The command line prints
``error: <message>`` followed by ``hint: <hint>`` on its own line and leaves with :attr:`TinymlError.exit_code`.
"""

from __future__ import annotations


class TinymlError(Exception):
    """Base of every error that is the user's to act on; anything else that escapes is a bug of ours."""

    exit_code = 1
    kind = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UsageError(TinymlError):
    """The command line, a settings file, a board file or a path is wrong (exit code 2)."""

    exit_code = 2
    kind = "usage"


class DoesNotFitError(TinymlError):
    """The model does not fit the board's memory or the user's budget (exit code 3)."""

    exit_code = 3
    kind = "does-not-fit"


class UnsupportedError(TinymlError):
    """The model is damaged, not full-integer int8, or holds an op or variant that is not supported (exit code 4)."""

    exit_code = 4
    kind = "unsupported"


class BuildError(TinymlError):
    """A toolchain is missing or a build failed (exit code 5)."""

    exit_code = 5
    kind = "build"


class BoardError(TinymlError):
    """A board, a port or the flashing of it failed (exit code 6)."""

    exit_code = 6
    kind = "board"


class WrongBoardError(BoardError):
    """Another board than the one that was asked for is connected: nothing is written to it (exit code 6)."""

    kind = "wrong-board"


class MismatchError(TinymlError):
    """The firmware's outputs differ from the reference's (exit code 7)."""

    exit_code = 7
    kind = "mismatch"
