"""What the applications print, decoded and told."""

from __future__ import annotations

import pytest

from tinyml.monitor.events import decode, describe, names


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            '{"event":"detection","word":"yes","score":0.914,"frame":147,"time_ms":2960}',
            "    2.96 s  yes  0.914",
        ),
        (
            '{"event":"frame","frame":12,"class":"person","score":0.8320,"scores":[0.168,0.832],"us":91234,"fps":4.31}',
            "frame 12: person  0.832  4.3 fps",
        ),
        (
            '{"event":"result","input":0,"cycles":171000,"us":2671,"hash":"0123abcd","output":[-128,127]}',
            "result: input 0, cycles 171000, us 2671, output [-128,127]",
        ),
        ('{"event":"status","time_ms":1000,"duty":0.125,"frames":50}', "status: time_ms 1000, duty 0.125, frames 50"),
        ('{"event":"fault","pc":"0001f2a4","lr":"00000000"}', "fault: pc 0001f2a4, lr 00000000"),
        ('{"event":"error","message":"no camera answers"}', "error: no camera answers"),
        ('{"event":"error","message":"","code":7}', "error: message , code 7"),
        ('{"event":"done"}', "done"),
        ('{"event":"detection"}', "a word"),
        ('{"event":"frame","score":"high"}', "frame null: a class"),
    ],
)
def test_events(line: str, sentence: str) -> None:
    event = decode(line)
    assert event is not None
    assert describe(event) == sentence


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "42",
        "[1]",
        '{"word":"yes"}',
        '{"event":7}',
        '{"event":"detection","score":NaN}',
        '{"event":"detection"',
        "[" * 100_000,
        '{"event":"x","n":' + "9" * 10_000 + "}",
    ],
)
def test_what_is_no_event(line: str) -> None:
    assert decode(line) is None


def test_noise_before_an_event_is_passed_over() -> None:
    event = decode('\ufffd\x00{"ev{"event":"start","model":"kws"}')
    assert event is not None
    assert event.kind == "start"


def test_what_can_be_waited_for() -> None:
    detection, frame = decode('{"event":"detection","word":"yes"}'), decode('{"event":"frame","class":"person"}')
    assert detection is not None
    assert frame is not None
    assert names(detection) == ("detection", "yes")
    assert names(frame) == ("frame", "person")


def test_a_long_field_is_shortened_and_escapes_are_spelled_out() -> None:
    event = decode('{"event":"note","text":"' + "x" * 5000 + '","more":"\\u001b[31m"}')
    assert event is not None
    sentence = describe(event)
    assert len(sentence) < 500
    assert sentence.endswith("more \\x1b[31m")
