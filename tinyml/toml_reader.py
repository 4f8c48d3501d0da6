"""Reads a TOML file into checked values; every complaint names the file and the key and says what would be right."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tinyml.errors import UsageError

_UNITS = {"": 1, "B": 1, "K": 1024, "KB": 1024, "KIB": 1024, "M": 1024**2, "MB": 1024**2, "MIB": 1024**2}


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint that offers the nearest known names, or lists all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.55)
    if near:
        return "did you mean " + " or ".join(near) + "?"
    return "known: " + ", ".join(names) if names else "none are known"


def parse_bytes(text: str) -> int:
    """``"64K"``, ``"1.5 MB"`` or ``"4096"`` as a number of bytes (units are binary: 1K is 1024).

    Raises ValueError where the text is not a non-negative size in whole bytes.
    """
    stripped = text.strip().upper().replace("_", "").replace(" ", "")
    digits = stripped.rstrip("KMIB")
    unit = stripped[len(digits) :]
    if unit not in _UNITS or not digits.replace(".", "", 1).isdigit() or not digits.isascii():
        raise ValueError(f"{text!r} is not a size such as 65536, 64K or 1M")
    value = float(digits) * _UNITS[unit]
    if value != int(value):
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return int(value)


class Table:
    """One TOML table whose keys are taken one by one; :meth:`finish` complains of those nobody asked for."""

    def __init__(self, values: Mapping[str, Any], path: Path, prefix: str = "") -> None:
        self._values = values
        self._path = path
        self._prefix = prefix
        self._known: set[str] = set()

    def error(self, key: str, problem: str, hint: str | None = None) -> UsageError:
        """The error that says what is wrong with ``key`` of this file."""
        return UsageError(f"{self._path}: {self._prefix}{key}: {problem}", hint=hint)

    def _take(self, key: str, kind: type | tuple[type, ...], what: str, required: bool) -> Any:
        self._known.add(key)
        if key not in self._values:
            if required:
                raise self.error(key, "is missing", f"it must be {what}")
            return None
        value = self._values[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(key, f"must be {what}, not {value!r}")
        return value

    def has(self, key: str) -> bool:
        """Whether the key is there (and from now on known)."""
        self._known.add(key)
        return key in self._values

    def text(self, key: str, *, choices: Iterable[str] | None = None) -> str:
        """A non-empty string, one of ``choices`` where given."""
        value = str(self._take(key, str, "a string", required=True))
        if not value.strip():
            raise self.error(key, "must not be empty")
        if choices is not None and value not in (allowed := list(choices)):
            raise self.error(key, f"{value!r} is not a known value", did_you_mean(value, allowed))
        return value

    def optional_text(self, key: str, *, choices: Iterable[str] | None = None) -> str | None:
        """Like :meth:`text`, or None where the key is not there."""
        return self.text(key, choices=choices) if self.has(key) else None

    def texts(self, key: str, *, choices: Iterable[str] | None = None) -> tuple[str, ...]:
        """A list of strings; empty where the key is not there."""
        values = self._take(key, list, "a list of strings", required=False) or []
        allowed = None if choices is None else list(choices)
        for value in values:
            if not isinstance(value, str) or not value.strip():
                raise self.error(key, f"must be a list of strings, but holds {value!r}")
            if allowed is not None and value not in allowed:
                raise self.error(key, f"{value!r} is not a known value", did_you_mean(value, allowed))
        return tuple(values)

    def integer(self, key: str, *, minimum: int = 0, maximum: int = 2**32) -> int:
        """An integer between ``minimum`` and ``maximum`` inclusive."""
        value = int(self._take(key, int, "an integer", required=True))
        if not minimum <= value <= maximum:
            raise self.error(key, f"must lie between {minimum} and {maximum}, not {value}")
        return value

    def optional_integer(self, key: str, *, minimum: int = 0, maximum: int = 2**32) -> int | None:
        """Like :meth:`integer`, or None where the key is not there."""
        return self.integer(key, minimum=minimum, maximum=maximum) if self.has(key) else None

    def boolean(self, key: str) -> bool:
        """True or false; false where the key is not there."""
        self._known.add(key)
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def number(self, key: str) -> float:
        """A positive number."""
        value = float(self._take(key, (int, float), "a number", required=True))
        if not 0 < value < float("inf"):
            raise self.error(key, f"must be greater than zero, not {value}")
        return value

    def size_bytes(self, key: str) -> int:
        """A size in bytes: an integer, or a string with a binary unit such as ``"256K"``."""
        value = self._take(key, (int, str), "a size such as 65536 or '64K'", required=True)
        try:
            size = parse_bytes(str(value))
        except ValueError as problem:
            raise self.error(key, str(problem)) from None
        return size

    def optional_size_bytes(self, key: str) -> int | None:
        """Like :meth:`size_bytes`, or None where the key is not there."""
        return self.size_bytes(key) if self.has(key) else None

    def table(self, key: str) -> Table:
        """A nested table."""
        return Table(self._take(key, dict, "a table", required=True), self._path, f"{self._prefix}{key}.")

    def optional_table(self, key: str) -> Table | None:
        """Like :meth:`table`, or None where the key is not there."""
        return self.table(key) if self.has(key) else None

    def tables(self, key: str) -> list[Table]:
        """An array of tables; empty where the key is not there."""
        values = self._take(key, list, "an array of tables", required=False) or []
        found = []
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.error(key, f"must be an array of tables, but entry {index} is {value!r}")
            found.append(Table(value, self._path, f"{self._prefix}{key}[{index}]."))
        return found

    def names(self) -> list[str]:
        """The keys of this table, all of them known from now on."""
        self._known.update(self._values)
        return list(self._values)

    def finish(self) -> None:
        """Raise UsageError for the first key that was never asked for."""
        for key in self._values:
            if key not in self._known:
                raise self.error(key, "is not a known key", did_you_mean(key, self._known))


def read_toml(path: Path) -> Table:
    """The file as a :class:`Table`. Raises UsageError where it cannot be read or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else "it is not UTF-8 text"
        raise UsageError(f"cannot read {path}: {reason}") from None
    try:
        return Table(tomllib.loads(text), path)
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{path} is not valid TOML: {problem}", hint="see toml.io for the syntax") from None
