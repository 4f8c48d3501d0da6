"""Bounded access to a ``.tflite`` flatbuffer that may be damaged or hostile.

The schema is LiteRT's own (:mod:`ai_edge_litert.schema_py_generated`). Python's flatbuffers package has no verifier:
it checks no length, but every read outside the file raises. So each vector's length is compared with the file's size
before anything is allocated or looped over, and what a whole file may make us read is bounded too, because vectors of
a hostile file may overlap.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinyml.errors import UnsupportedError

MAX_FILE_BYTES = 64 << 20
"""Larger than the flash of any microcontroller; a file beyond it is refused unread."""

MAX_OPERATORS = 2048
MAX_TENSORS = 16_384
MAX_RANK = 6
MAX_NAME_BYTES = 4096
MAX_CONSTANT_BYTES = 4 * MAX_FILE_BYTES
"""Constants of one model in total, tensors that share a buffer each counted."""

DAMAGE = (struct.error, IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, MemoryError)
"""What flatbuffers and NumPy raise on offsets and lengths that point outside the file."""

_HINT = "convert the model again, or check that the file was copied whole"


def damaged(what: str) -> UnsupportedError:
    """The error for a file that contradicts itself."""
    return UnsupportedError(f"the model file is damaged: {what}", hint=_HINT)


class Budget:
    """How many vector entries may still be read from one file; vectors of a sound file do not overlap."""

    def __init__(self, file_bytes: int) -> None:
        self._left = 4 * file_bytes
        self._file_bytes = file_bytes

    def take(self, entries: int, entry_bytes: int, what: str, limit: int | None = None) -> int:
        """Account for a vector of ``entries`` entries and return that number; raises UnsupportedError if absurd."""
        self._left -= entries
        if entries < 0 or entries * entry_bytes > self._file_bytes or self._left < 0:
            raise damaged(f"{what} claims {entries} entries in a file of {self._file_bytes} bytes")
        if limit is not None and entries > limit:
            raise UnsupportedError(
                f"the model has {entries} {what}, the limit is {limit}",
                hint="networks for microcontrollers are far smaller: check that this is the right file",
            )
        return entries


def numbers(table: Any, field: str, budget: Budget, dtype: Any, what: str) -> npt.NDArray[Any]:
    """The vector of numbers ``field`` of a flatbuffer table, empty where absent, as an array of ``dtype``."""
    length = int(getattr(table, f"{field}Length")())
    if length == 0:
        return np.zeros(0, dtype)
    budget.take(length, np.dtype(dtype).itemsize, what)
    return np.asarray(getattr(table, f"{field}AsNumpy")(), dtype)


def tables(table: Any, field: str, budget: Budget, what: str, limit: int | None = None) -> list[Any]:
    """The vector of tables ``field`` of a flatbuffer table; raises UnsupportedError past ``limit`` entries."""
    length = budget.take(int(getattr(table, f"{field}Length")()), 4, what, limit)
    get: Callable[[int], Any] = getattr(table, field)
    return [get(i) for i in range(length)]


def text(raw: bytes | None) -> str:
    """A string field, cut at :data:`MAX_NAME_BYTES`, bytes that are not UTF-8 replaced."""
    return (raw or b"")[:MAX_NAME_BYTES].decode("utf-8", errors="replace")
