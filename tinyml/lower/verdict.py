"""What a kernel's condition says of an op: that it may run it, or why not, with the numbers that decided.

A cause is either the op's form, which another kernel is for, or a bound that could not be proven from the weights and
scales: then a slower kernel does what the faster one was made for, and ``tinyml profile`` always says so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """True where a kernel may run an op; otherwise ``cause`` says why not, in words with numbers."""

    cause: str = ""
    unproven: bool = False

    def __bool__(self) -> bool:
        """Whether the kernel may run the op."""
        return not self.cause


APPLIES = Verdict()


def unfit(cause: str) -> Verdict:
    """The op has another form than the kernel is made for."""
    return Verdict(cause)


def unproven(cause: str) -> Verdict:
    """The kernel's arithmetic could not be proven to be exact for this op."""
    return Verdict(cause, unproven=True)


def proven(cause: str | None) -> Verdict:
    """The verdict of a proof that gives a cause where it fails."""
    return unproven(cause) if cause else APPLIES
