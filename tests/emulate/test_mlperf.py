"""MLPerf Tiny's protocol over the serial lines that QEMU models: accuracy, performance, energy, noise, the verb."""

from __future__ import annotations

import math
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial

from tests.support.mlperf_client import Client, DescriptorLine
from tests.support.shared import require_shared, require_tool
from tests.support.trivial_network import require_toolchain
from tinyml.boards import load_board
from tinyml.emulate.serial_line import open_line
from tinyml.pipeline import Options, application
from tinyml.plan.choose import Goal
from tinyml.tflite.reference import Reference

LEAST_US = 200_000
"""How long the measured inferences last at least; the benchmark's own runner asks for 10 s."""
LISTS = {"kws01": "kws_ref_model", "vww01": "vww_96_int8", "ic01": "pretrainedResnet_quant", "ad01": "ad01_int8"}


@contextmanager
def device(
    test: str, board: str, toolchain: str = "gcc", app: str = "mlperf_tiny", goal: Goal | None = None
) -> Iterator[Client]:
    """The firmware of a test's reference model, running in QEMU, after its first m-ready."""
    require_tool("qemu-system-arm")
    options = Options(app=app, toolchain=require_toolchain(toolchain), emulator="qemu", memory=goal or Goal())
    model = require_shared(f"models/{LISTS[test]}.tflite")
    with (
        application(model, board, None, options) as (_, built),
        open_line(built.elf, load_board(board), "tcp") as line,
        socket.create_connection((line.where.split(":")[0], int(line.where.split(":")[1]))) as connection,
    ):
        client = Client(DescriptorLine(connection.fileno(), connection.fileno()))
        mode = "energy" if app.endswith("energy") else "performance"
        assert client.lines() == [f"m-timestamp-mode-{mode}", "m-init-done"]
        yield client


def inputs(test: str, count: int) -> list[bytes]:
    """What the benchmark's host sends for ``count`` inputs."""
    rng = np.random.default_rng(3)
    if test == "ad01":
        return [rng.normal(-20, 12, 640).astype("<f4").tobytes() for _ in range(count)]
    size = {"kws01": 490, "vww01": 96 * 96 * 3, "ic01": 32 * 32 * 3}[test]
    return [rng.integers(0, 256, size).astype(np.uint8).tobytes() for _ in range(count)]


def expected(test: str, reference: Reference, sent: bytes) -> list[float]:
    """The numbers of the results line, from LiteRT's output for what the device makes of the bytes."""
    given = reference.graph.tensors[reference.graph.inputs[0]]
    output = reference.graph.tensors[reference.graph.outputs[0]]
    floats = np.frombuffer(sent, "<f4") if test == "ad01" else np.zeros(0, np.float32)
    if test == "ad01":
        steps = floats / np.float32(given.scale)
        codes = np.clip(np.trunc(steps + np.copysign(0.5, steps)) + given.zero_point, -128, 127)
    elif test == "kws01":
        codes = np.frombuffer(sent, np.int8)
    else:
        codes = np.frombuffer(sent, np.uint8).astype(np.int16) - 128
    result = reference.run([codes.astype(np.int8).reshape(given.shape)])[0].ravel().astype(np.float64)
    real = (result - output.zero_point) * output.scale
    return [float(np.mean((real - floats) ** 2))] if test == "ad01" else [float(value) for value in real]


@pytest.mark.parametrize(
    ("test", "board", "toolchain"),
    [
        ("kws01", "netduinoplus2", "gcc"),
        ("kws01", "microbit", "zig"),
        ("vww01", "mps3-an547", "gcc"),
        ("ic01", "mps2-an386", "zig"),
        ("ad01", "netduinoplus2", "gcc"),
    ],
)
def test_accuracy_and_performance(test: str, board: str, toolchain: str) -> None:
    reference = Reference(require_shared(f"models/{LISTS[test]}.tflite"))
    with device(test, board, toolchain) as client:
        assert (client.name(), client.model()) == ("tinyml", test)
        assert client.profile() == "ULPMark for tinyML Firmware V0.0.1"
        for sent in inputs(test, 3):
            client.load(sent)
            wanted = pytest.approx(expected(test, reference, sent), rel=1e-5 if test == "ad01" else 0, abs=6e-7)
            assert list(client.infer(1, 0).results) == wanted
        iterations, measured = 1, client.infer(1, 1)
        while measured.elapsed_us is not None and measured.elapsed_us < LEAST_US and iterations < 1000:
            iterations = math.ceil(iterations * max(2.0, LEAST_US / max(1, measured.elapsed_us)))
            measured = client.infer(iterations, 1)
            assert list(measured.results) == wanted, "the last of many inferences on one input differs from the first"
        assert measured.elapsed_us is not None and measured.elapsed_us >= LEAST_US
        first, second = (int(client.command("timestamp")[0].removeprefix("m-lap-us-")) for _ in range(2))
        assert 0 < second - first < 30_000_000


@pytest.mark.parametrize(
    ("board", "length"),
    [
        ("netduinoplus2", 30_000),
        ("microbit", 30_000),
        ("mps2-an386", 30_000),
        pytest.param("mps2-an386", 1_000_000, marks=pytest.mark.sweep),
    ],
)
def test_noise_and_many_bytes_without_an_end(board: str, length: int) -> None:
    """QEMU takes 30 us a byte; the fast tests send the same C a million bytes on the host, with the sanitizers."""
    noise = random.Random(7).randbytes(4000)
    (sent,) = inputs("kws01", 1)
    reference = Reference(require_shared("models/kws_ref_model.tflite"))
    with device("kws01", board) as client:
        client.send(noise + b"%")
        for _ in range(noise.count(b"%") + 1):
            client.lines()
        client.send(b"0" * length)
        assert client.command("", timeout_s=600) == ["e-[Command longer than 80 characters]"]
        assert client.command("db load 491") == ["e-[Supplied buffer size 491 exceeds maximum of 490]"]
        client.send(b"name%profile%")
        assert client.lines() == ["m-name-dut-[tinyml]"] and len(client.lines()) == 2
        client.load(sent)
        assert list(client.infer(1, 0).results) == pytest.approx(expected("kws01", reference, sent), abs=6e-7)


def test_a_network_that_takes_its_input_row_by_row() -> None:
    (sent,) = inputs("vww01", 1)
    reference = Reference(require_shared(f"models/{LISTS['vww01']}.tflite"))
    with device("vww01", "mps2-an386", goal=Goal(fed_by_rows=True)) as client:
        client.load(sent)
        assert list(client.infer(2, 1).results) == pytest.approx(expected("vww01", reference, sent), abs=6e-7)


def test_energy_mode_marks_time_on_a_pin_alone() -> None:
    with device("kws01", "microbit", app="mlperf_tiny_energy") as client:
        assert client.command("timestamp") == []
        client.load(inputs("kws01", 1)[0])
        assert client.infer(2, 1).elapsed_us is None


@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_the_verb_leaves_the_line_on_a_pseudo_terminal(ended_by: signal.Signals) -> None:
    """As the benchmark's runner opens it: a device's path and a speed, once to ask for names and again for the test."""
    require_tool("qemu-system-arm")
    model = require_shared("models/kws_ref_model.tflite")
    command = [sys.executable, "-m", "tinyml", "emulate", str(model), "--board", "mps2-an386", "--app", "mlperf_tiny"]
    with subprocess.Popen([*command, "--serial", "pty"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout is not None
            path = process.stdout.readline().decode().strip()
            assert Path(path).is_char_device()
            with serial.Serial(path, 115200, timeout=0.1) as port:
                client = Client(DescriptorLine(port.fileno(), port.fileno()))
                assert (client.name(), client.model()) == ("tinyml", "kws01")
            with serial.Serial(path, 115200, timeout=0.1) as port:
                client = Client(DescriptorLine(port.fileno(), port.fileno()))
                client.load(inputs("kws01", 1)[0])
                assert len(client.infer(1, 0).results) == 12
            (emulator,) = children(process.pid)
            process.send_signal(ended_by)
            assert process.wait(20) == 0
            assert not Path(f"/proc/{emulator}").exists(), "QEMU is left running"
        finally:
            process.kill()


def children(process: int) -> list[int]:
    """The processes that ``process`` has started and that run."""
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()]
