"""A thousand damaged files: each is read or refused in bounded time, never anything else."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tinyml.errors import UnsupportedError
from tinyml.graph.ir import Graph
from tinyml.graph.passes import run_passes
from tinyml.tflite.read import read_graph

LIMIT_S = 5.0
SEEDS = 1000


class TookTooLongError(BaseException):
    """Raised by the timer; no handler of ordinary exceptions catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TookTooLongError in the body after ``seconds``."""

    def expired(signum: int, frame: object) -> None:
        raise TookTooLongError

    previous = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def mutated(data: bytes, seed: int) -> bytes:
    """``data`` damaged in one of seven ways, the same for the same seed."""
    generator = np.random.default_rng(seed)
    array = np.frombuffer(data, np.uint8).copy()

    def position(size: int = 1) -> int:
        return int(generator.integers(0, len(array) - size))

    match seed % 7:
        case 0:
            return data[: position()]
        case 1:
            for _ in range(int(generator.integers(1, 9))):
                array[position()] ^= np.uint8(1 << generator.integers(0, 8))
        case 2:
            for _ in range(int(generator.integers(1, 33))):
                array[position()] = generator.integers(0, 256)
        case 3:
            size = int(generator.integers(4, 64))
            a, b = position(size), position(size)
            first, second = array[a : a + size].copy(), array[b : b + size].copy()
            array[a : a + size], array[b : b + size] = second, first
        case 4:
            word = generator.choice(np.array([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF], np.uint32))
            start = position(4) & ~3
            array[start : start + 4] = np.frombuffer(word.tobytes(), np.uint8)
        case 5:
            size = int(generator.integers(1, 200))
            start = position(size)
            array[start : start + size] = 0
        case _:
            size = int(generator.integers(1, 100))
            start = position(size)
            return data[:start] + data[start + size :]
    return array.tobytes()


@pytest.mark.parametrize("sample", [sample_conv_model, sample_of_every_op], ids=["conv", "every-op"])
def test_damaged_files_are_read_or_refused(sample: object) -> None:
    assert callable(sample)
    data = sample()
    answers = {"graph": 0, "refused": 0}
    for seed in range(SEEDS // 2):
        damaged = mutated(data, seed)
        with time_limit(LIMIT_S):
            try:
                graph = read_graph(damaged)
                assert isinstance(run_passes(graph), Graph)
                answers["graph"] += 1
            except UnsupportedError as error:
                assert error.hint and "\n" not in error.message, (seed, error.message)
                answers["refused"] += 1
    assert answers["graph"] > 20, answers
    assert answers["refused"] > 100, answers


_RUN = """
import sys
import numpy as np
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from test_mutations import mutated
from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tinyml.errors import UnsupportedError
from tinyml.tflite.reference import Reference
for data in (sample_conv_model(), sample_of_every_op()):
    for seed in range(500):
        try:
            reference = Reference(mutated(data, seed))
            tensors = [reference.graph.tensors[i] for i in reference.graph.inputs]
            reference.trace([np.zeros(t.shape, t.dtype.numpy) for t in tensors])
            print("ran")
        except UnsupportedError:
            print("refused")
"""


def test_damaged_files_that_are_read_do_not_crash_the_reference() -> None:
    here = Path(__file__).resolve()
    command = [sys.executable, "-c", _RUN, str(here.parents[3]), str(here.parent)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.count("ran\n") > 50
    assert run.stdout.count("ran\n") + run.stdout.count("refused\n") == 1000


def test_the_same_seed_damages_the_same_way() -> None:
    data = sample_conv_model()
    assert mutated(data, 11) == mutated(data, 11) != data


def test_mostly_random_bytes_with_the_right_magic() -> None:
    for seed in range(100):
        noise = np.random.default_rng(seed).integers(0, 256, 2000, dtype=np.uint8).tobytes()
        with time_limit(LIMIT_S), pytest.raises(UnsupportedError):
            read_graph(noise[:4] + b"TFL3" + noise[8:])
        with time_limit(LIMIT_S), pytest.raises(UnsupportedError):
            read_graph(b"\x10\0\0\0TFL3" + noise[8:])
