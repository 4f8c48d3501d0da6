from __future__ import annotations

from pathlib import Path

import pytest

from tinyml.errors import UsageError
from tinyml.toml_reader import did_you_mean, parse_bytes, read_toml


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("0", 0),
        ("65536", 65536),
        ("64K", 65536),
        ("64 kb", 65536),
        ("1MiB", 1 << 20),
        ("1.5M", 3 << 19),
        ("1_000", 1000),
    ],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert parse_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["", "K", "-1", "1e3", "0x10", "1.5", "64KK", "1G", "²K", "1.2.3K", "nan", "0.3K"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse_bytes(text)


def test_hints() -> None:
    assert did_you_mean("pico3", ["pico", "pico2", "microbit"]) == "did you mean pico or pico2?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", []) == "none are known"


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_toml(tmp_path)
