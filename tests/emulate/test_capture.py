"""``tinyml capture``: pictures that the firmware's own code sends, over a terminal, a socket, and with damage."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.support.shared import require_module
from tests.support.tiny_vww import tiny_vww
from tests.support.trivial_network import any_toolchain
from tinyml.cli import main
from tinyml.data.pictures import decode_picture
from tinyml.emulate.pictures import CAMERA_FILE
from tinyml.emulate.run import run_application
from tinyml.errors import BoardError, UsageError
from tinyml.features.frames import pack_frame, unpack_frame
from tinyml.features.image import process
from tinyml.firmware.parts.camera import sensor_of
from tinyml.monitor.capture import Assembler, Capture, DamagedError, capture, write_png
from tinyml.monitor.events import Event, decode
from tinyml.pipeline import Options, application


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for pictures."""
    return tiny_vww(tmp_path_factory.mktemp("vww"))


def picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (150, 170, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=["mps2-an386", "pico"])
def answer(model: Path, request: pytest.FixtureRequest) -> tuple[bytes, np.ndarray]:
    """What a firmware sends that was asked for its second of three frames, and that frame's input in Python."""
    require_module("unicorn")
    options = Options(app="vww", toolchain=any_toolchain())
    with application(str(model), request.param, options=options) as (compiled, firmware):
        sensor = sensor_of(compiled.board)
        shape = (sensor.width, sensor.height, sensor.pixels)
        frames = [pack_frame(picture(seed), *shape) for seed in range(3)]
        files = {CAMERA_FILE: b"".join(frames), "tml_requests.bin": b"\ncx"}
        run = run_application(firmware.elf, compiled.board, files)
    return run.console.encode(), process(unpack_frame(frames[1], *shape), 24)


@contextmanager
def device(content: bytes) -> Iterator[str]:
    """A pseudo-terminal on which ``content`` is printed whenever the host sends the request."""
    import pty
    import tty

    host, board = pty.openpty()
    tty.setraw(board)

    def serve() -> None:
        while True:
            try:
                if b"c" in os.read(host, 16):
                    os.write(host, content)
            except OSError:
                return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(board)
    finally:
        os.close(board)
        os.close(host)


@pytest.mark.slow
def test_the_picture_gives_the_same_bytes_again(answer: tuple[bytes, np.ndarray], tmp_path: Path) -> None:
    sent, codes = answer
    with device(sent) as port:
        got = capture(port, 115200, timeout_s=20)
    write_png(got, tmp_path / "frame.png")
    again = process(decode_picture((tmp_path / "frame.png").read_bytes()), 24)
    assert np.array_equal(again, codes)
    frames = [event for line in sent.decode().splitlines() if (event := decode(line)) and event.kind == "frame"]
    assert (got.label, got.score) == (frames[1].text("class"), frames[1].number("score"))


@pytest.mark.slow
def test_over_a_socket_and_the_command_line(
    answer: tuple[bytes, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b"c"
            connection.sendall(answer[0])
            connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    port = f"socket://127.0.0.1:{listener.getsockname()[1]}"
    code = main(["capture", "--port", port, "--output", str(tmp_path / "a" / "frame.png"), "--json"])
    thread.join(10)
    listener.close()
    assert code == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["width"], result["height"], result["channels"]) == (24, 24, 3)
    assert Path(result["output"]).is_file() and result["label"] in ("person", "notperson")


@pytest.mark.slow
def test_a_damaged_picture_is_asked_for_again(answer: tuple[bytes, np.ndarray]) -> None:
    sent, codes = answer
    spoilt = re.sub(rb'("row":3,"data":")....', rb"\1AAAA", sent, count=1)
    assert spoilt != sent
    tries = iter([spoilt, sent])
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            for content in tries:
                assert connection.recv(1) == b"c"
                connection.sendall(content)
            connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    got = capture(f"socket://127.0.0.1:{listener.getsockname()[1]}", 115200, timeout_s=20)
    thread.join(10)
    listener.close()
    assert np.array_equal(got.pixels.astype(int) - 128, codes)


def test_a_board_that_sends_no_picture() -> None:
    with device(b'{"event":"result","input":0}\n') as port, pytest.raises(BoardError, match="sends no picture"):
        capture(port, 115200, timeout_s=1)
    with device(b"") as port, pytest.raises(BoardError, match="nothing came"):
        capture(port, 115200, timeout_s=1)
    with pytest.raises(BoardError, match="there is no port /dev/no-such-port"):
        capture("/dev/no-such-port", 115200, timeout_s=1)


def test_an_emulator_that_does_not_answer_or_goes_away() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = f"socket://127.0.0.1:{listener.getsockname()[1]}"

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1)
            connection.sendall(b'{"event":"capture","frame":0,"size":96,"channels":1}\n')
        listener.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(BoardError, match="went away"):
        capture(port, 115200, timeout_s=10)
    thread.join(10)
    with pytest.raises(BoardError, match="does not answer"):
        capture(port, 115200, timeout_s=10)
    with pytest.raises(UsageError, match="nosuch"):
        capture("nosuch://port", 115200, timeout_s=1)


def events(*fields: dict[str, object]) -> list[Event]:
    return [Event(str(f["event"]), f) for f in fields]


@pytest.mark.parametrize(
    "fields",
    [
        [{"event": "capture", "size": 10**9, "channels": 3}],
        [{"event": "capture", "size": 2, "channels": 2}],
        [{"event": "capture", "size": 2, "channels": 1}, {"event": "row", "row": 1, "data": "AAA="}],
        [{"event": "capture", "size": 2, "channels": 1}, {"event": "row", "row": 0, "data": "AAAA"}],
        [{"event": "capture", "size": 2, "channels": 1}, {"event": "row", "row": 0, "data": "%"}],
        [{"event": "capture", "size": 2, "channels": 1}, {"event": "captured", "rows": 2, "crc32": "0x0"}],
    ],
)
def test_what_is_no_picture_is_refused(fields: list[dict[str, object]]) -> None:
    assembler = Assembler()
    with pytest.raises(DamagedError):
        for event in events(*fields):
            assembler.take(event)


def test_other_lines_between_are_left_alone() -> None:
    assembler = Assembler()
    lines = [
        {"event": "frame", "class": "no", "score": 0.1},
        {"event": "row", "row": 0, "data": "AA=="},
        {"event": "capture", "size": 1, "channels": 1},
        {"event": "lost", "frames": 16},
        {"event": "row", "row": 0, "data": "/w=="},
        {"event": "captured", "rows": 1, "crc32": "0xff000000"},
        {"event": "frame", "class": "yes", "score": 0.9},
    ]
    found: list[Capture | None] = [assembler.take(event) for event in events(*lines)]
    assert found[:-1] == [None] * 6
    last = found[-1]
    assert last is not None and last.pixels.tolist() == [[[255]]] and (last.label, last.score) == ("yes", 0.9)
