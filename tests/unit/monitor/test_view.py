"""The live view: what it learns and what it draws."""

from __future__ import annotations

import io

from rich.console import Console

from tinyml.monitor.events import decode
from tinyml.monitor.lines import Line
from tinyml.monitor.view import KEPT_DETECTIONS, MOST_BARS, LiveSink, State, draw


def learned(*lines: str) -> State:
    state = State("/dev/ttyACM0")
    for line in lines:
        event = decode(line)
        assert event is not None, line
        state.take(event)
    return state


def drawn(state: State) -> str:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    console.print(draw(state))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_keyword_spotting() -> None:
    state = learned(
        '{"event":"start","model":"kws_ds_cnn_s","sample_rate_hz":16000,"core_hz":64000000}',
        '{"event":"status","time_ms":1000,"duty":0.250,"frames":50,"inferences":2,"detections":0,"dropped_frames":0}',
        '{"event":"detection","word":"yes","score":0.914,"frame":147,"time_ms":2960}',
        '{"event":"detection","word":"no","score":0.750,"frame":247,"time_ms":4960}',
        '{"event":"status","time_ms":3000,"duty":0.300,"frames":150,"inferences":6,"detections":2,"dropped_frames":1}',
    )
    assert state.scores == {"yes": 0.914, "no": 0.75}
    assert (state.current, state.frame_rate, state.load) == ("no", 50.0, 0.3)
    assert list(state.detections) == ["    4.96 s  no  0.750", "    2.96 s  yes  0.914"]
    text = drawn(state)
    for part in ("/dev/ttyACM0: connected", "kws_ds_cnn_s", "yes", "0.914", "━", "frame rate 50.0/s, load 30.0 %"):
        assert part in text
    assert "dropped frames 1" in text


def test_visual_wake_words_learns_the_classes_by_and_by() -> None:
    state = learned('{"event":"frame","frame":0,"class":"person","score":0.9,"scores":[0.1,0.9],"us":90000,"fps":4.25}')
    assert state.scores == {"class 0": 0.1, "person": 0.9}
    event = decode(
        '{"event":"frame","frame":1,"class":"no_person","score":0.7,"scores":[0.7,0.3],"us":90000,"fps":4.5}'
    )
    assert event is not None
    state.take(event)
    assert state.scores == {"person": 0.3, "no_person": 0.7}
    assert (state.frame_rate, state.current, state.counts["frames"]) == (4.5, "no_person", "1")


def test_a_score_without_scores() -> None:
    assert learned('{"event":"frame","class":"cat","score":1.5}').scores == {"cat": 1.0}


def test_the_benchmark_and_what_is_not_known() -> None:
    state = learned(
        '{"event":"start","model":"ic","core_hz":64000000,"arena_bytes":50448}',
        '{"event":"result","input":0,"cycles":171000,"us":2671,"output":[1,2]}',
        '{"event":"fault","pc":"0001f2a4"}',
        '{"event":"done","inputs":3,"stack_used_bytes":336}',
    )
    assert list(state.lines) == ["result: input 0, cycles 171000, us 2671, output [1,2]", "fault: pc 0001f2a4"]
    assert state.counts == {"stack_used_bytes": "336"}
    assert "arena_bytes 50448" in drawn(state)


def test_a_restart_begins_anew() -> None:
    status = '{{"event":"status","time_ms":{},"frames":{}}}'
    start = '{"event":"start","model":"b"}'
    state = learned(status.format(1000, 50), status.format(2000, 100), start, status.format(1000, 20))
    assert (state.frame_rate, state.facts) == (50.0, {"model": "b"})


def test_memory_stays_bounded() -> None:
    state = State("x")
    for i in range(1000):
        event = decode(f'{{"event":"detection","word":"w{i}","score":0.5,"time_ms":{i}}}')
        assert event is not None
        state.take(event)
    assert (len(state.scores), len(state.detections)) == (MOST_BARS, KEPT_DETECTIONS)


def test_numbers_that_no_float_holds_are_drawn() -> None:
    state = learned(
        '{"event":"status","time_ms":1e999,"frames":1e999,"duty":1e999}',
        '{"event":"status","time_ms":1e999,"frames":1e999}',
        '{"event":"frame","frame":1e999,"class":"x","score":-1e999,"scores":[1e999,"a",null]}',
    )
    assert drawn(state)


def test_markup_of_others_is_text() -> None:
    state = learned('{"event":"detection","word":"[red]x[/nope]","score":0.5}', '{"event":"[bold]"}')
    text = drawn(state)
    assert "[red]x[/nope]" in text
    assert "[bold]" in text


def test_drawing_is_held_back() -> None:
    now = 0.0
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    assert isinstance(console.file, io.StringIO)
    with LiveSink("x", console, lambda: now) as sink:
        sink.tick()
        size = len(console.file.getvalue())
        sink.other(Line("a line\x1b[2J"))
        sink.tick()
        assert len(console.file.getvalue()) == size
        now = 1.0
        sink.tick()
        assert "a line\\x1b[2J" in console.file.getvalue()
        sink.connection("x is gone; waiting for it to come back", connected=False)
    assert "waiting for it to come back" in console.file.getvalue()
