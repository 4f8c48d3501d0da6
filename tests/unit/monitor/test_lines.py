"""Bytes cut into lines, whatever the bytes are and however they come."""

from __future__ import annotations

import random

import pytest

from tinyml.monitor.lines import MAX_LINE_BYTES, Line, LineSplitter, printable


def texts(splitter: LineSplitter, *chunks: bytes) -> list[str]:
    return [line.text for chunk in chunks for line in splitter.feed(chunk)]


def test_lines_of_every_ending() -> None:
    assert texts(LineSplitter(), b"one\ntwo\r\nthree\rfour\n\n") == ["one", "two", "three", "four"]


def test_a_line_in_pieces() -> None:
    splitter = LineSplitter()
    assert texts(splitter, b'{"ev', b'ent":"x"', b"}\r", b"\nrest") == ['{"event":"x"}']
    assert splitter.end() == [Line("rest")]
    assert splitter.end() == []


def test_a_character_in_two_pieces() -> None:
    assert texts(LineSplitter(), "µ".encode()[:1], "µ".encode()[1:] + b"\n") == ["µ"]


def test_what_is_no_utf_8() -> None:
    assert texts(LineSplitter(), b"\xff\xfeab\n") == ["\ufffd\ufffdab"]


def test_an_endless_line_is_cut() -> None:
    splitter = LineSplitter(max_line_bytes=10)
    assert splitter.feed(b"x" * 7) == []
    assert splitter.feed(b"y" * 7) == []
    assert splitter.feed(b"z\nnext\n") == [Line("xxxxxxxyyy", cut=True), Line("next")]


def test_a_million_bytes_without_a_newline_stay_bounded() -> None:
    splitter = LineSplitter()
    for _ in range(1000):
        assert splitter.feed(b"\xa5" * 1000) == []
    assert len(splitter._pending) == MAX_LINE_BYTES
    (line,) = splitter.end()
    assert line.cut


@pytest.mark.parametrize("seed", range(20))
def test_how_it_is_cut_into_pieces_does_not_matter(seed: int) -> None:
    draw = random.Random(seed)
    data = bytes(draw.choice(b"ab\n\r\xc2\xb5{}\x00\xff") for _ in range(400))
    whole = LineSplitter(max_line_bytes=16)
    expected = whole.feed(data) + whole.end()
    pieces = LineSplitter(max_line_bytes=16)
    found, start = [], 0
    while start < len(data):
        count = draw.randint(1, 9)
        found += pieces.feed(data[start : start + count])
        start += count
    assert found + pieces.end() == expected


def test_a_terminal_is_not_moved() -> None:
    assert printable("a\x1b[2Jb\tc\x07\u202ed\ud800") == "a\\x1b[2Jb\tc\\x07\ufffdd\ufffd"
