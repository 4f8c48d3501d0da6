"""The monitor over pseudo-terminals, sockets, pipes and files, from the command line where it can be."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.shared import REPOSITORY
from tinyml.cli import main, output
from tinyml.errors import BoardError
from tinyml.flash.ports import UsbDevice
from tinyml.monitor import sources
from tinyml.monitor.events import Event
from tinyml.monitor.lines import Line
from tinyml.monitor.session import Options, follow
from tinyml.monitor.sources import Gone, Returning, Source

START = b'{"event":"start","model":"kws"}\r\n'
YES = b'{"event":"detection","word":"yes","score":0.914,"frame":147,"time_ms":2960}\r\n'
NO = b'{"event":"detection","word":"no","score":0.750,"frame":247,"time_ms":4960}\r\n'


@pytest.fixture(autouse=True)
def normal_verbosity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_state", {"verbosity": output.NORMAL})


@contextmanager
def board(*steps: bytes, pause_s: float = 0.03) -> Iterator[str]:
    """A serial port at whose far end a board writes ``steps`` once somebody listens; its name."""
    far, near = pty.openpty()
    tty.setraw(near)
    stop = threading.Event()

    def write() -> None:
        # pyserial sets the speed when it opens the port, and throws away what came before
        while termios.tcgetattr(near)[4] != termios.B115200:
            if stop.wait(0.01):
                return
        for step in steps:
            if stop.wait(pause_s):
                return
            os.write(far, step)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield os.ttyname(near)
    finally:
        stop.set()
        thread.join()
        os.close(near)
        os.close(far)


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listening socket; ``serve`` is called with every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def accept() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                with connection:
                    serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_serial_port_until_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    with board(START, NO[:30], NO[30:] + b"\x00\xffnoise\n" + YES[:10], YES[10:], NO) as port:
        assert main(["monitor", port, "--until", "yes", "--for", "10s"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["start: model kws", "    4.96 s  no  0.750", "\\x00\ufffdnoise", "    2.96 s  yes  0.914"]


def test_the_word_does_not_come(capsys: pytest.CaptureFixture[str]) -> None:
    with board(START) as port:
        assert main(["monitor", port, "--until", "yes", "--for", "300ms"]) == 6
    said = capsys.readouterr()
    assert said.out == "start: model kws\n"
    assert "error: 'yes' did not come within 0.3 s\n\nhint: " in said.err


def test_a_time_alone_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    with board(START, b"half a line") as port:
        assert main(["monitor", port, "--for", "0.3"]) == 0
    assert capsys.readouterr().out == "start: model kws\nhalf a line\n"


def test_a_port_that_is_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    import serial

    with board() as port, serial.Serial(port, exclusive=True):
        assert main(["monitor", port]) == 6
    assert f"error: {port} is in use by another program" in capsys.readouterr().err


def test_a_socket_as_emulators_have_it(capsys: pytest.CaptureFixture[str]) -> None:
    with server(lambda connection: connection.sendall(START + YES)) as address:
        assert main(["monitor", address, "--json", "--until", "yes", "--for", "10s"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [value["event"] for value in objects] == ["start", "detection"]


def test_a_socket_that_closes_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    steps = iter([START, NO, YES])
    with server(lambda connection: connection.sendall(next(steps))) as address:
        assert main(["monitor", address, "--until", "yes", "--for", "20s"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["start: model kws", "    4.96 s  no  0.750", "    2.96 s  yes  0.914"]
    assert said.err.count("is gone; waiting for it to come back") == 2
    assert said.err.count("is back") == 2


def test_a_socket_that_closes_for_good(capsys: pytest.CaptureFixture[str]) -> None:
    with server(lambda connection: connection.sendall(START)) as address:
        assert main(["monitor", address, "--no-reconnect"]) == 6
    said = capsys.readouterr()
    assert said.out == "start: model kws\n"
    assert f"error: {address} is gone: the connection was closed" in said.err


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("socket://127.0.0.1:1", 6, "does not answer"),
        ("socket://127.0.0.1", 2, "is no address"),
        ("socket://:x", 2, "is no address"),
        ("tcp://127.0.0.1:1", 2, "tcp://127.0.0.1:1"),
        ("/dev/ttyACM77", 6, "there is no port /dev/ttyACM77"),
        ("nothing.txt", 2, "there is no port or file nothing.txt"),
        (".", 2, ". is a folder"),
    ],
)
def test_sources_that_are_none(source: str, code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", source, "--for", "1s"]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "\nhint: " in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--raw", "--json"], "two ways to print"),
        (["--for", "soon"], "'soon' is not a time"),
        (["--board", "nano"], "unknown board 'nano'"),
        (["--baud", "9"], "invalid value for '--baud'"),
    ],
)
def test_options_that_are_wrong(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "-", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_bytes(START + b"a note\n" + YES)
    assert main(["monitor", str(tmp_path / "log")]) == 0
    assert capsys.readouterr().out == "start: model kws\na note\n    2.96 s  yes  0.914\n"
    assert main(["monitor", str(tmp_path / "log"), "--until", "no"]) == 6
    assert "'no' did not come before the input ended" in capsys.readouterr().err


def test_json_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = b"x" * 70_000
    (tmp_path / "log").write_bytes(START + b'a "note"\x00\n{"event":"x","n":1e999}\n' + long + b"\n")
    assert main(["monitor", str(tmp_path / "log"), "--json"]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert objects[:3] == [
        {"event": "start", "model": "kws"},
        {"event": "line", "text": 'a "note"\x00'},
        {"event": "line", "text": "x: n Infinity"},
    ]
    assert objects[3]["cut"] is True
    assert len(objects[3]["text"]) == 65536


def run_monitor(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tinyml", "monitor", *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_raw_bytes_through_a_pipe() -> None:
    data = bytes(range(256)) * 300 + YES
    with run_monitor("-", "--raw") as process:
        out, err = process.communicate(data, timeout=30)
    assert (process.returncode, out, err) == (0, data, b"")


def test_control_c_ends_well() -> None:
    with board(START) as port, run_monitor(port) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"start: model kws\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_a_live_view_on_a_terminal() -> None:
    far, near = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tinyml", "monitor", "-", "--until", "yes"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=near,
        stderr=near,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    )
    os.close(near)
    with process:
        assert process.stdin is not None
        process.stdin.write(START + NO + YES)
        process.stdin.flush()
        shown = b""
        while True:
            try:
                shown += os.read(far, 65536)
            except OSError:
                break
        process.stdin.close()
        assert process.wait(30) == 0
    os.close(far)
    text = shown.decode()
    for part in ("-: connected", "scores", "detections", "0.914", "0.750"):
        assert part in text
    assert "Traceback" not in text


class Collector:
    """A sink that keeps what comes."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.lines: list[str] = []
        self.connections: list[bool] = []

    def chunk(self, data: bytes) -> None:
        pass

    def event(self, event: Event) -> None:
        self.events.append(event.kind)

    def other(self, line: Line) -> None:
        self.lines.append(line.text)

    def connection(self, text: str, *, connected: bool) -> None:
        self.connections.append(connected)

    def tick(self) -> None:
        pass


class Script:
    """A source that plays what it is given: bytes to read, or an exception to raise."""

    can_return = True
    name = "/dev/ttyACM0"

    def __init__(self, *steps: bytes | Exception) -> None:
        self.steps, self.closed = list(steps), False

    def read(self) -> bytes:
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed = True


def test_a_board_that_is_pulled_out_and_comes_back_under_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Script(START, YES[:20], Gone("unplugged")), Script(YES)
    opened: list[str] = []
    devices = [UsbDevice("2341:805a", "/dev/ttyACM0", "AA", "Nano", "1-1")]

    def opener(name: str, baud: int) -> Source:
        opened.append(name)
        if len(opened) == 1:
            return first
        if len(opened) < 4:
            devices.clear()
            raise BoardError("there is no port")
        if name == "/dev/ttyACM0":
            devices[:] = [UsbDevice("2341:805a", "/dev/ttyACM1", "AA", "Nano", "1-1")]
            raise BoardError("there is no port")
        return second

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    sink = Collector()
    follow(Returning("/dev/ttyACM0", 115200, opener=opener, lister=lambda: devices), sink, Options(None, "yes"))
    assert opened[-1] == "/dev/ttyACM1"
    assert (sink.events, sink.lines, sink.connections) == (
        ["start", "detection"],
        [YES[:20].decode()],
        [False, True],
    )
    assert first.closed
    assert second.closed


def test_the_last_word_before_the_port_goes_counts() -> None:
    script = Script(YES[:-2], Gone("unplugged"))
    follow(Returning("x", 1, opener=lambda name, baud: script), Collector(), Options(until="yes", reconnect=False))


def test_nothing_comes_back_in_time() -> None:
    script = Script(START, Gone("unplugged"))
    opened: list[Script] = []

    def opener(name: str, baud: int) -> Source:
        if opened:
            raise BoardError("gone")
        opened.append(script)
        return script

    sink = Collector()
    follow(Returning("x", 1, opener=opener), sink, Options(seconds=0.2))
    assert sink.connections == [False]


def test_a_pseudo_terminal_whose_far_end_closes() -> None:
    far, near = pty.openpty()
    tty.setraw(near)
    source = sources.open_source(os.ttyname(near), 115200)
    os.close(near)
    os.write(far, START)
    assert source.read() == START
    os.close(far)
    with pytest.raises(Gone):
        while True:
            source.read()
    source.close()


def test_a_connection_that_meets_itself(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    own = socket.socket()
    own.bind(("127.0.0.1", 0))
    own.connect(own.getsockname())
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: own)
    assert main(["monitor", "socket://127.0.0.1:4321"]) == 6
    assert "does not answer" in capsys.readouterr().err


def test_the_last_builds_board_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tinyml.monitor import find

    other = UsbDevice("0403:6001", "/dev/ttyUSB0", "B")
    monkeypatch.chdir(tmp_path)
    with board(START) as port:
        monkeypatch.setattr(find, "connected_devices", lambda: [other, UsbDevice("0483:374b", port, "A")])
        assert main(["monitor", "--for", "300ms"]) == 6
        assert "there are 2 serial ports" in capsys.readouterr().err
        (tmp_path / "build" / "x").mkdir(parents=True)
        manifest = {"tinyml": {"board": "nucleo_l4r5zi"}, "board": "nucleo_l4r5zi"}
        (tmp_path / "build" / "x" / "manifest.json").write_text(json.dumps(manifest))
        assert main(["monitor", "--for", "500ms"]) == 0
    assert capsys.readouterr().out == "start: model kws\n"
