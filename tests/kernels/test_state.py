"""Variables: what a network keeps from run to run is what LiteRT keeps, over many runs and after a reset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.host_build import Network, compile_network, host_program, input_bytes, random_inputs, run_program
from tests.support.native_programs import in_turn as runs_in_turn
from tests.support.state_builder import StatefulBuilder
from tinyml.errors import UnsupportedError
from tinyml.tflite.read import read_graph
from tinyml.tflite.reference import Reference

RUNS = 6


def rolling(seed: int = 1, uniform: bool = False) -> bytes:
    """A convolution over the last five rows, of which each run brings one; a running sum beside it."""
    rng = np.random.default_rng(seed)
    b = StatefulBuilder()
    x = b.input((1, 1, 3, 4), scale=0.05, zero_point=-3)
    rows = np.full((1, 4, 3, 4), -3) if uniform else rng.integers(-128, 128, (1, 4, 3, 4))
    b.variable("rows", rows, scale=0.05, zero_point=-3)
    b.variable("sum", np.full((1, 4), 7), scale=0.1, zero_point=7)
    window = b.concatenation([b.read("rows"), x], 1)
    last = b.tensor((1, 4, 3, 4), scale=0.05, zero_point=-3)
    b.op("SLICE", [window, *(b.constant(np.array(v, np.int32)) for v in ([0, 1, 0, 0], [1, 4, 3, 4]))], [last],
         "SliceOptions")  # fmt: skip
    b.assign("rows", last)
    y = b.conv_2d(
        window, rng.integers(-127, 128, (4, 5, 3, 4)), 0.002, rng.integers(-99, 99, 4), padding="VALID", scale=0.1
    )
    total = b.binary("ADD", b.reshape(y, (1, 4)), b.read("sum"), scale=0.1, zero_point=7)
    b.assign("sum", total)
    return b.build([b.softmax(total)])


def in_turn(model: bytes, inputs: list[list[np.ndarray]]) -> list[bytes]:
    """The outputs' bytes of LiteRT's reference kernels over runs one after the other."""
    return [b"".join(array.tobytes() for array in arrays) for arrays in runs_in_turn(model, inputs)]


def got(network: Network, inputs: list[list[np.ndarray]], folder: Path) -> list[bytes]:
    program = host_program([network], folder, len(inputs))
    (results,) = run_program(program, [network], [[input_bytes(arrays) for arrays in inputs]])
    return [result.outputs for result in results]


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("passes", [False, True])
def test_runs_one_after_the_other(uniform: bool, passes: bool, tmp_path: Path) -> None:
    model = rolling(uniform=uniform)
    network = compile_network(model, "net", passes=passes)
    inputs = random_inputs(network.input_tensors, RUNS)
    wanted = in_turn(model, inputs)
    assert got(network, inputs, tmp_path) == wanted
    assert len(set(wanted)) > 3 and "#define NET_STATE_BYTES 52" in network.sources["net.h"]


def test_the_reference_is_a_first_run_each_time() -> None:
    reference = Reference(rolling())
    ones = [np.ones((1, 1, 3, 4), np.int8)]
    assert np.array_equal(reference.run(ones)[0], reference.run(ones)[0])


def test_reset_brings_back_the_first_run(tmp_path: Path) -> None:
    network = compile_network(rolling(), "net")
    (inputs,) = random_inputs(network.input_tensors, 1)[3:]
    head = "int net_run(const int8_t *in, int8_t *out) {\n"
    changed = network.sources["net.c"].replace(head, f"{head}    net_reset();\n")
    assert changed != network.sources["net.c"]
    network.sources["net.c"] = changed
    assert len(set(got(network, [inputs] * 3, tmp_path))) == 1


def _without_first_value() -> bytes:
    b = StatefulBuilder()
    b.variable("v", np.zeros((1, 4)), scale=0.1, zero_point=0)
    y = b.binary("ADD", b.input((1, 4)), b.read("v"))
    b._initial.clear()
    return b.build([y])


def _read_after_assigning() -> bytes:
    b = StatefulBuilder()
    b.variable("v", np.zeros((1, 4)), scale=0.05, zero_point=0)
    b.assign("v", b.input((1, 4)))
    return b.build([b.binary("ADD", b.read("v"), b.read("v"))])


def _as_output() -> bytes:
    b = StatefulBuilder()
    b.variable("v", np.zeros((1, 4)), scale=0.05, zero_point=0)
    v = b.read("v")
    b.assign("v", b.input((1, 4)))
    return b.build([b.reshape(v, (4, 1))])


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (_without_first_value, "no value before the first run"),
        (_read_after_assigning, "read after it was assigned"),
        (_as_output, "may lie in it"),
    ],
)
def test_what_is_not_supported_says_so(model: Any, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        read_graph(model())
