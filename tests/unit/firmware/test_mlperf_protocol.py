"""MLPerf Tiny's protocol, on this machine with the sanitizers: every command, every error, and any other bytes."""

from __future__ import annotations

import itertools
import random
import re
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.mlperf_host import (
    INPUT_SCALE,
    INPUT_ZERO_POINT,
    OUTPUT_SCALE,
    OUTPUT_ZERO_POINT,
    build_device,
    values,
)
from tests.support.trivial_network import outputs
from tinyml.paths import templates_dir

RAW, CODES, IMAGE, FLOAT = 0, 1, 2, 3
START = ["m-timestamp-mode-performance", "m-init-done", "m-ready"]
HELLO = b"00112233445566778899aabbccddeeff"


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_device(tmp_path_factory.mktemp("mlperf"), values(RAW))


def talk(device: Path, sent: bytes) -> bytes:
    done = subprocess.run([str(device)], input=sent, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[:4000]
    return done.stdout


def replies(device: Path, *commands: str) -> list[list[str]]:
    """The lines of the reply to each command, m-ready left out."""
    text = talk(device, "".join(f"{command}%" for command in commands).encode()).decode("ascii")
    assert text.endswith("m-ready\r\n") and "\n" not in text.replace("\r\n", "")
    lines = text.split("\r\n")[:-1]
    assert lines[:3] == START
    found: list[list[str]] = [[]]
    for line in lines[3:]:
        found[-1].append(line) if line != "m-ready" else found.append([])
    assert found.pop() == [] and len(found) == len(commands)
    return found


def results(line: str) -> list[float]:
    match = re.fullmatch(r"m-results-\[([^]]+)\]", line)
    assert match is not None, line
    return [float(number) for number in match[1].split(",")]


def real(codes: bytes) -> list[float]:
    return [float(OUTPUT_SCALE * (code - OUTPUT_ZERO_POINT)) for code in np.frombuffer(codes, np.int8).astype(int)]


def test_names(device: Path) -> None:
    name, profile = replies(device, "name", "profile")
    assert name == ["m-name-dut-[tinyml]"]
    assert profile == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[trivial]"]


def test_an_inference(device: Path) -> None:
    halves = "db " + HELLO[:20].decode(), "db " + HELLO[20:].decode() + "77"
    expecting, first, done, inference, again, dump = replies(
        device, "db load 16", *halves, "infer 2 1", "results", "db print"
    )
    assert (expecting, first, done) == (["m-[Expecting 16 bytes]"], [], ["m-load-done"])
    assert inference[:3] == ["m-warmup-start-1", "m-warmup-done", "m-infer-start-2"]
    laps = [int(line.removeprefix("m-lap-us-")) for line in inference[3:5]]
    assert laps[0] < laps[1] and inference[5] == "m-infer-done"
    assert results(inference[6]) == real(outputs(bytes.fromhex(HELLO.decode()))) and inference[7:] == []
    assert again == inference[6:7]
    assert dump == ["m-buffer-00-11-22-33-44-55-66-77", "m-buffer-88-99-aa-bb-cc-dd-ee-ff"]


def test_what_earlier_versions_of_the_runner_send(device: Path) -> None:
    """32 bytes a command, more than the input has left; ``infer`` without warm-ups; the results once more."""
    _, done, inference, again = replies(device, "db load 16", "db " + (HELLO + HELLO).decode(), "infer 1", "results")
    assert done == ["m-load-done"]
    assert inference[:3] == ["m-warmup-start-10", "m-warmup-done", "m-infer-start-1"]
    assert again == inference[-1:] and len(results(again[0])) > 0


@pytest.mark.parametrize("command", ["start", "stop", "print_detections"])
def test_commands_of_the_streaming_test_alone_end_with_m_ready(device: Path, command: str) -> None:
    assert replies(device, command) == [[f"e-[Unknown command: {command}]"]]


def test_microseconds_count_on_when_the_counter_wraps(device: Path) -> None:
    """The counter moves by 1,000,000,007 a reading, so that four readings are nearly one turn of 32 bits."""
    found = replies(device, *["timestamp"] * 50)
    laps = [int(lines[0].removeprefix("m-lap-us-")) for lines in found]
    steps = {after - before for before, after in itertools.pairwise(laps)}
    assert all(step > 40_000_000 for step in steps), "one reading is 40 s at 25 MHz"
    assert laps[-1] > 2**32


def test_time_follows_the_clock_that_the_core_runs_at(tmp_path: Path) -> None:
    """The console's reading of cycles goes on by 1,000,000,007 a call; the board's full speed is 25 MHz."""

    def between(slower_hz: int) -> int:
        slow = build_device(tmp_path / str(slower_hz), values(RAW), slower_hz=slower_hz)
        laps = [int(lines[0].removeprefix("m-lap-us-")) for lines in replies(slow, "timestamp", "timestamp")]
        return laps[1] - laps[0]

    assert between(5_000_000) == pytest.approx(5 * between(0), rel=1e-6)


def test_only_the_clock_knows_its_full_speed() -> None:
    knowing = {"tml_clock.h", "tml_delay.h", "uart_cmsdk_uart.c"}
    found = {p.name for p in templates_dir().rglob("*.[ch]") if "TML_CORE_HZ" in p.read_text("utf-8")}
    assert found <= knowing


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("db", "e-[Command 'db' requires a subcommand]"),
        ("db load", "e-[Command 'db load' requires the # of bytes]"),
        ("db load 0", "e-[Command 'db load' must be >0 bytes]"),
        ("db load -5", "e-[Command 'db load' must be >0 bytes]"),
        ("db load many", "e-[Command 'db load' must be >0 bytes]"),
        ("db load 17", "e-[Supplied buffer size 17 exceeds maximum of 16]"),
        ("db load 99999999999999999999", "e-[Supplied buffer size 2147483647 exceeds maximum of 16]"),
        ("db 123", "e-[Insufficent number of hex digits]"),
        ("db 1234", "e-[Command 'db' got more bytes than 'db load' announced]"),
        ("infer 0", "e-[Inference iterations must be >0]"),
        ("infer -1", "e-[Inference iterations must be >0]"),
        ("infer ten", "e-[Inference iterations must be >0]"),
        ("infer 1 -1", "e-[Inference warmup must be >=0]"),
        ("results", "e-[Command 'results' needs an inference before it]"),
        ("", "e-[Unknown command: ]"),
        ("   ", "e-[Unknown command: ]"),
        ("names", "e-[Unknown command: names]"),
        ("nam", "e-[Unknown command: nam]"),
        ("x" * 80, f"e-[Unknown command: {'x' * 80}]"),
        ("x" * 81, "e-[Command longer than 80 characters]"),
        ("infer 1 0" + " " * 100, "e-[Command longer than 80 characters]"),
    ],
)
def test_errors(device: Path, command: str, reply: str) -> None:
    assert replies(device, command) == [[reply]]


def test_a_wrong_digit_is_named_and_what_came_before_it_stays(device: Path) -> None:
    _, wrong, dump, more = replies(device, "db load 4", "db 0102g4", "db print", "db 0304")
    assert wrong == ["e-[Invalid hex digit 'g4']"]
    assert dump == ["m-buffer-01-02-00-00"] and more == ["m-load-done"]


def test_bytes_after_the_last_are_refused(device: Path) -> None:
    assert replies(device, "db load 1", "db 01", "db 02", "db print")[2:] == [
        ["e-[Command 'db' got more bytes than 'db load' announced]"],
        ["m-buffer-01"],
    ]


def test_infer_alone_is_one_inference_after_ten(device: Path) -> None:
    (lines,) = replies(device, "infer")
    assert lines[:3] == ["m-warmup-start-10", "m-warmup-done", "m-infer-start-1"]


def test_line_ends_and_further_spaces_are_nothing(device: Path) -> None:
    assert replies(device, "\r\nname", " \n db   load  3 \r\n", "help")[:2] == [
        ["m-name-dut-[tinyml]"],
        ["m-[Expecting 3 bytes]"],
    ]


def test_a_name_that_is_no_text_is_shown_as_text(device: Path) -> None:
    answer = talk(device, b"\xff\x00\x1b[2J]%")
    assert b"e-[Unknown command: ??" in answer and answer.isascii() and b"\x1b" not in answer


def test_a_million_bytes_without_an_end(device: Path) -> None:
    answer = talk(device, b"a" * 1_000_000 + b"%name%").decode("ascii").split("\r\n")
    assert answer == [*START, "e-[Command longer than 80 characters]", "m-ready", "m-name-dut-[tinyml]", "m-ready", ""]


def fuzz(seed: int) -> bytes:
    """Commands, broken commands and noise, with few inferences at a time."""
    rng = random.Random(seed)
    words = ["db", "load", "print", "results", "name", "profile", "help", "timestamp", "1", "0", "-1", "16", "17", "00"]
    words += ["9" * 60, "zz", "0102030405060708", "f" * 62, "", " ", "\r\n", "inferior", "infe"]
    inferences = ["infer", "infer 2 3", "infer 0", "infer -7 4", "infer 1 -2147483648", "infer one", "infer 1 0 junk"]
    parts: list[bytes] = []
    for _ in range(3000):
        kind = rng.random()
        if kind < 0.6:
            parts.append(" ".join(rng.choice(words) for _ in range(rng.randrange(1, 5))).encode())
        elif kind < 0.7:
            parts.append(rng.choice(inferences).encode())
        elif kind < 0.9:
            parts.append(rng.randbytes(rng.randrange(200)).replace(b"%", b""))
        else:
            parts.append(b"db " + rng.randbytes(rng.randrange(45)).hex().encode())
        parts.append(b"%")
    return b"".join(parts)


@pytest.mark.parametrize("seed", range(6))
def test_noise_neither_crashes_it_nor_writes_out_of_bounds(device: Path, seed: int) -> None:
    sent = fuzz(seed)
    answer = talk(device, sent + b"%db load 16%db " + HELLO + b"%infer 1 0%").decode("ascii")
    assert answer.count("m-ready\r\n") == sent.count(b"%") + 5
    assert results(answer.split("\r\n")[-3]) == real(outputs(bytes.fromhex(HELLO.decode())))


def infer(device: Path, sent: bytes) -> str:
    parts = [sent[i : i + 31].hex() for i in range(0, len(sent), 31)]
    return replies(device, f"db load {len(sent)}", *(f"db {part}" for part in parts), "infer 1 0")[-1][-1]


def test_pictures_are_taken_less_128(tmp_path: Path) -> None:
    picture = bytes(range(7, 256, 16))
    line = infer(build_device(tmp_path, values(IMAGE)), picture)
    assert results(line) == real(outputs(bytes(value ^ 0x80 for value in picture)))


def test_codes_of_another_quantisation_go_through_a_table(tmp_path: Path) -> None:
    table = [((value ^ 0x80) - 128) // 2 for value in range(256)]
    app_values = values(CODES, APP_MLPERF_CODES="{" + ", ".join(map(str, table)) + "}")
    sent = bytes(range(250, 10, -15))
    line = infer(build_device(tmp_path, app_values), sent)
    assert results(line) == real(outputs(bytes(table[value] & 255 for value in sent)))


def test_floats_are_quantised_on_the_device(tmp_path: Path) -> None:
    given = [
        0.0,
        0.1,
        0.125,
        -0.125,
        0.375,
        -0.374999,
        1e30,
        -1e30,
        31.5,
        32.5,
        -31.25,
        3.0,
        float("nan"),
        float("inf"),
        5,
        6,
    ]
    sent = struct.pack("<16f", *given)
    floats = np.frombuffer(sent, "<f4")
    with np.errstate(invalid="ignore"):
        steps = np.nan_to_num(floats / np.float32(INPUT_SCALE), nan=0.0, posinf=1e9, neginf=-1e9)
    codes = np.clip(np.trunc(steps + np.copysign(0.5, steps)) + INPUT_ZERO_POINT, -128, 127).astype(np.int8)
    line = infer(build_device(tmp_path, values(FLOAT)), sent)
    assert results(line) == real(outputs(codes.tobytes()))


def test_the_mean_square_of_the_error(tmp_path: Path) -> None:
    app_values = values(FLOAT, APP_MLPERF_ERROR="1", APP_MLPERF_OUTPUTS="{{0, 4u, 0.5f, 7}}")
    sent = struct.pack("<16f", *(0.5 * i - 3 for i in range(16)))
    floats = np.frombuffer(sent, "<f4")
    codes = np.clip(np.trunc(floats / 0.25 + np.copysign(0.5, floats)) + INPUT_ZERO_POINT, -128, 127).astype(np.int8)
    wanted = np.mean((np.array(real(outputs(codes.tobytes()))) - floats[:4]) ** 2)
    assert results(infer(build_device(tmp_path, app_values), sent)) == pytest.approx([wanted], rel=1e-6)


@pytest.mark.parametrize("scale", [1 / 256, 1.0, 3.4e-9, 123456.789, 1.5e10, 9.99e-4, 2e36])
def test_numbers_of_every_size_are_read_back(tmp_path: Path, scale: float) -> None:
    app_values = values(RAW, APP_MLPERF_OUTPUTS=f"{{{{0, 4u, {float(scale)!r}f, 7}}}}")
    line = infer(build_device(tmp_path, app_values), bytes.fromhex(HELLO.decode()))
    wanted = [value / OUTPUT_SCALE * scale for value in real(outputs(bytes.fromhex(HELLO.decode())))]
    assert results(line) == pytest.approx(wanted, rel=3e-6, abs=5.1e-7 if scale > 1e-4 else 0)
