"""DEPTHWISE_CONV_2D computed row by row on the DSP extension, on every core that has it, and real ops of one row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cases import Rng
from tests.kernels.on_core import Expected, assert_equal, prove_on_core
from tests.kernels.rows import RowLayer, RowProgram, row_layer
from tests.kernels.test_dsp_depthwise import depthwise
from tests.support.host_build import random_inputs
from tinyml.lower.program import Isa, Optimize, Target

KERNELS = {3: "tml_depthwise_row3_dsp", 5: "tml_depthwise_row_dsp", 7: "tml_depthwise_row_dsp"}
INSIDE = "tml_depthwise_clipped_dsp"

# Height, width, channels, kernel, stride, padding, activation.
SHAPES = [
    *((3, w, 3, 3, (1, 1), "SAME", "RELU") for w in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 26)),
    *((3, w, 2, 3, (1, 1), "VALID", "NONE") for w in (3, 4, 5, 6, 7, 8, 9, 10, 20)),
    *((4, w, 3, 3, (2, 2), "SAME", "RELU") for w in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 26)),
    *((5, w, 2, 3, (2, 2), "VALID", "NONE") for w in (3, 4, 5, 6, 7, 8, 9, 10, 20)),
    *((5, w, 256, 3, (1, 1), "SAME", "RELU6") for w in (1, 2, 5, 8)),
    *((5, w, 257, 3, (2, 2), "SAME", "RELU") for w in (1, 2, 5, 8)),
    (1, 6, 3, 3, (1, 1), "SAME", "RELU"),
    (2, 6, 3, 3, (1, 1), "SAME", "NONE"),
    (1, 7, 3, 3, (2, 2), "SAME", "NONE"),
    (2, 7, 3, 3, (2, 2), "SAME", "RELU"),
    (6, 14, 4, 3, (1, 2), "SAME", "RELU6"),
    (6, 7, 5, 3, (2, 1), "SAME", "RELU_N1_TO_1"),
    (5, 9, 2, 3, (1, 1), "SAME", "RELU_N1_TO_1"),
    (4, 2050, 2, 3, (1, 1), "SAME", "RELU"),
    *((6, w, 2, 5, (1, 1), "SAME", "RELU") for w in (1, 2, 3, 4, 5, 6, 7, 8, 15, 24)),
    *((6, w, 2, 5, (2, 2), "SAME", "RELU") for w in (1, 2, 3, 4, 7, 8, 15, 25)),
    *((9, w, 3, 7, (1, 1), "SAME", "NONE") for w in (1, 2, 3, 4, 5, 6, 7, 8, 15, 24)),
    *((9, w, 2, 7, (2, 2), "SAME", "RELU") for w in (1, 2, 3, 4, 7, 8, 15, 25)),
    *((8, w, 2, k, (1, 1), "VALID", "NONE") for w in (7, 8, 9, 10, 13) for k in (5, 7)),
    *((k - 3, 9, 260, k, stride, "SAME", "RELU6") for k in (5, 7) for stride in ((1, 1), (2, 2))),
    *((2, 11, 2, k, (1, 1), "SAME", "RELU_N1_TO_1") for k in (5, 7)),
    *((6, 9, 900, k, (3, 1), "VALID", "NONE") for k in (5,)),
    (8, 900, 1, 7, (1, 1), "SAME", "RELU"),
]


def layers(
    seed: int, optimize: Optimize = Optimize.BALANCED, scale: float = 0.1, *, first: int = 0, step: int = 1
) -> list[RowLayer]:
    """Shapes lowered as windows of one row, every ``step``-th from ``first`` on."""
    rng, made = Rng(seed), []
    for height, width, channels, kernel, stride, padding, activation in SHAPES[first::step]:
        model = depthwise(rng, height, width, channels, 1, (kernel, kernel), stride, padding, activation, scale=scale)
        made.append(row_layer(model, Target(Isa.DSP, optimize)))
        assert made[-1].step.kernel == KERNELS[kernel]
    return made


def prove(made: list[RowLayer], program: RowProgram, *, watch_reads: bool = False) -> None:
    """Every layer row by row on extreme and random inputs against the reference."""
    for index, layer in enumerate(made):
        for inputs in random_inputs([layer.graph.tensors[t] for t in layer.graph.inputs], 1):
            got = program.run(index, inputs[0], watch_reads=watch_reads)
            where = f"{layer.kernel_h}x{layer.kernel_h}, {layer.attrs}, {layer.shapes}"
            assert_equal([got], layer.reference.run(inputs), where)


@pytest.mark.parametrize(
    ("core", "compiler", "optimise", "optimize"),
    [
        ("cortex-m4", "gcc", "-O2", Optimize.BALANCED),
        ("cortex-m4", "gcc", "-O3", Optimize.SPEED),
        ("cortex-m4", "gcc", "-Os", Optimize.SIZE),
        ("cortex-m7", "gcc", "-O2", Optimize.BALANCED),
        ("cortex-m33", "gcc", "-O3", Optimize.BALANCED),
        ("cortex-m4", "zig", "-O2", Optimize.BALANCED),
        ("cortex-m7", "zig", "-O2", Optimize.SIZE),
    ],
)
def test_layers_row_by_row(core: str, compiler: str, optimise: str, optimize: Optimize, tmp_path: Path) -> None:
    everything = (core, compiler, optimise) == ("cortex-m4", "gcc", "-O2")
    made = layers(1, optimize, first=0 if everything else len(core + optimise) % 3, step=1 if everything else 3)
    program = RowProgram(made, core, tmp_path, compiler=compiler, optimise=optimise)
    prove(made, program, watch_reads=everything)


@pytest.mark.parametrize("exponent", [-20, -4, -3, -2, -1, 0, 1])
def test_every_shift(exponent: int, tmp_path: Path) -> None:
    made = layers(2, scale=0.05 * 0.01 * 2.0**-exponent, step=7)
    program = RowProgram(made, "cortex-m4", tmp_path)
    for index, layer in enumerate(made):
        for inputs in random_inputs([layer.graph.tensors[t] for t in layer.graph.inputs], 1):
            assert_equal([program.run(index, inputs[0])], layer.reference.run(inputs), f"2^{exponent}, {index}")


def one_row_kernel(kernel: int, height: int, channels: int) -> str:
    """Where most of the kernel's rows lie outside the input, the kernel of the taps inside, from four channels on."""
    return INSIDE if kernel > 2 * height + 1 and channels >= 4 else KERNELS[kernel]


def test_ops_of_one_row(tmp_path: Path) -> None:
    """Real layers whose output is one row, in place too."""
    rng = Rng(3)
    cases = [
        Expected(
            depthwise(rng, h, w, c, 1, (k, k), stride, padding, activation), one_row_kernel(k, h, c), f"{h}x{w}x{c} {k}"
        )
        for k in KERNELS
        for h, w, c, stride, padding, activation in (
            (1, 1, 7, (1, 1), "SAME", "RELU"), (1, 8, 3, (1, 1), "SAME", "RELU"), (1, 9, 4, (1, 1), "SAME", "NONE"),
            (1, 9, 4, (1, 1), "SAME", "RELU_N1_TO_1"), (1, 9, 4, (2, 2), "SAME", "RELU_N1_TO_1"),
            (2, 9, 4, (2, 2), "SAME", "NONE"), (1, 24, 260, (1, 2), "SAME", "RELU"),
            (k, k, 6, (1, 1), "VALID", "RELU"), (k + 1, 20, 4, (2, 1), "VALID", "RELU"),
        )
    ]  # fmt: skip
    prove_on_core(cases, tmp_path)


@pytest.mark.parametrize(("kernel", "words", "packed_words"), [(5, 17, 10), (7, 30, 17)])
def test_taps_stay_bytes_for_size_and_where_expanding_is_cheap(kernel: int, words: int, packed_words: int) -> None:
    def stream_words(width: int, optimize: Optimize) -> int:
        model = depthwise(Rng(5), 9, width, 4, 1, (kernel, kernel), (1, 1), "SAME", "RELU")
        return row_layer(model, Target(Isa.DSP, optimize)).step.consts[0].data.size // 4

    assert stream_words(20, Optimize.SIZE) == stream_words(60, Optimize.BALANCED) == packed_words
    assert stream_words(60, Optimize.SPEED) == stream_words(20, Optimize.BALANCED) == words


def test_instructions_stay_near_the_whole_layers(tmp_path: Path) -> None:
    """What a row at a time costs for an output of a wide layer, the loop over its rows included."""
    limits = {
        (3, (1, 1)): 15.8, (3, (2, 2)): 22.4, (5, (1, 1)): 35, (5, (2, 2)): 49, (7, (1, 1)): 55, (7, (2, 2)): 75,
    }  # fmt: skip
    rng = Rng(4)
    for (kernel, stride), limit in limits.items():
        layer = row_layer(depthwise(rng, 24, 24, 32, 1, (kernel, kernel), stride, "SAME", "RELU"), Target(Isa.DSP))
        program = RowProgram([layer], "cortex-m4", tmp_path, optimise="-O2")
        outputs = int(np.prod(layer.shapes[1]))
        count = program.count(0, np.zeros(layer.shapes[0], np.int8))
        assert count / outputs <= limit, f"{kernel}x{kernel}, stride {stride}"
