"""DEPTHWISE_CONV_2D on the DSP kernel, on every core that has it, and its fallbacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernels.cases import Rng, model
from tests.kernels.on_core import Expected, lowered, prove_on_core
from tests.support.tflite_builder import Builder
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Optimize, Target
from tinyml.tflite.read import read_graph

FAST, PORTABLE = "tml_depthwise_conv2d_dsp", "tml_depthwise_conv2d"
WINDOW = "tml_grouped_conv2d_dsp"
ONE_ROW = {
    (3, 3): "tml_depthwise_row3_dsp", (5, 5): "tml_depthwise_row_dsp", (7, 7): "tml_depthwise_row_dsp",
}  # fmt: skip

# Height, width, channels, multiplier, kernel, stride, padding, activation.
SHAPES = [
    *((h, w, 3, 1, (3, 3), (1, 1), "SAME", "RELU") for h, w in ((2, 2), (2, 3), (3, 2), (5, 5), (4, 9), (25, 5))),
    (1, 1, 7, 1, (3, 3), (1, 1), "SAME", "RELU"),
    (1, 6, 2, 1, (3, 3), (1, 1), "SAME", "NONE"),
    (6, 1, 2, 1, (3, 3), (1, 1), "SAME", "NONE"),
    (9, 9, 2, 1, (3, 3), (1, 1), "VALID", "NONE"),
    (30, 30, 2, 1, (3, 3), (1, 1), "SAME", "RELU6"),
    (41, 25, 2, 1, (3, 3), (1, 1), "SAME", "NONE"),
    (40, 50, 1, 1, (3, 3), (1, 1), "VALID", "NONE"),
    (5, 5, 8, 1, (3, 3), (2, 2), "SAME", "RELU"),
    (6, 5, 5, 1, (3, 3), (2, 2), "VALID", "NONE"),
    (8, 8, 3, 1, (3, 3), (2, 2), "SAME", "RELU"),
    (48, 48, 2, 1, (3, 3), (2, 2), "SAME", "RELU"),
    (31, 29, 2, 1, (3, 3), (2, 2), "SAME", "NONE"),
    *((h, w, 2, 1, (5, 5), (1, 1), "SAME", "RELU") for h, w in ((1, 1), (3, 4), (6, 5), (7, 6), (10, 7), (22, 30))),
    *((h, w, 2, 1, (5, 5), (2, 2), "SAME", "RELU") for h, w in ((1, 1), (3, 4), (10, 10), (9, 11), (40, 38))),
    *((h, w, 2, 1, (7, 7), (1, 1), "SAME", "NONE") for h, w in ((1, 1), (3, 4), (6, 5), (7, 6), (10, 7), (22, 30))),
    *((h, w, 2, 1, (7, 7), (2, 2), "SAME", "NONE") for h, w in ((1, 1), (3, 4), (10, 10), (9, 11), (40, 38))),
    (9, 9, 2, 1, (5, 5), (2, 2), "VALID", "NONE"),
    (9, 9, 2, 1, (7, 7), (1, 1), "VALID", "NONE"),
    (9, 8, 3, 2, (3, 3), (1, 1), "SAME", "NONE"),
    (9, 8, 3, 3, (5, 5), (2, 2), "SAME", "RELU"),
    (7, 7, 4, 1, (1, 3), (1, 1), "SAME", "NONE"),
    (1, 12, 5, 3, (1, 7), (1, 2), "SAME", "NONE"),
    (12, 7, 2, 1, (7, 3), (3, 1), "SAME", "NONE"),
    (7, 7, 4, 2, (11, 1), (2, 1), "SAME", "NONE"),
    (8, 8, 2, 1, (2, 2), (4, 2), "SAME", "NONE"),
    (9, 7, 2, 1, (4, 4), (1, 1), "SAME", "NONE"),
    (9, 9, 2, 1, (6, 6), (2, 2), "SAME", "NONE"),
    (60, 20, 2, 1, (2, 3), (4, 1), "SAME", "NONE"),
    (3, 168, 2, 1, (3, 3), (1, 1), "SAME", "RELU"),
    (3, 169, 2, 1, (3, 3), (1, 1), "SAME", "RELU"),
    (2, 300, 1, 1, (3, 3), (1, 1), "SAME", "RELU"),
]


def depthwise(
    rng: Rng, h: int, w: int, c: int, multiplier: int, kernel: tuple[int, int], stride: tuple[int, int], padding: str,
    activation: str, dilation: tuple[int, int] = (1, 1), scale: float = 0.1,
) -> bytes:  # fmt: skip
    def build(b: Builder) -> int:
        x = b.input((1, h, w, c), scale=0.05, zero_point=rng.zero_point())
        o = c * multiplier
        zero_point = -128 if activation == "RELU" else rng.zero_point()
        return b.depthwise_conv_2d(
            x, rng.weights(1, *kernel, o), rng.scales(o), rng.bias(o, 500), scale=scale, zero_point=zero_point,
            stride=stride, dilation=dilation, padding=padding, activation=activation,
        )  # fmt: skip

    return model(build)


@pytest.mark.parametrize(
    ("core", "compiler", "optimise", "optimize"),
    [
        ("cortex-m4", "gcc", "-O3", Optimize.BALANCED),
        ("cortex-m4", "gcc", "-O2", Optimize.SPEED),
        ("cortex-m4", "gcc", "-O3", Optimize.SIZE),
        ("cortex-m7", "gcc", "-O2", Optimize.BALANCED),
        ("cortex-m33", "gcc", "-O3", Optimize.BALANCED),
        ("cortex-m4", "zig", "-O3", Optimize.BALANCED),
        ("cortex-m7", "zig", "-O2", Optimize.SIZE),
    ],
)
def test_every_shape(core: str, compiler: str, optimise: str, optimize: Optimize, tmp_path: Path) -> None:
    rng = Rng(1)
    cases = [Expected(depthwise(rng, *s), ONE_ROW.get(s[4], FAST) if s[0] == 1 else FAST, str(s)) for s in SHAPES]
    prove_on_core(cases, tmp_path, core=core, compiler=compiler, optimise=optimise, optimize=optimize)


def test_every_shift(tmp_path: Path) -> None:
    rng = Rng(2)
    cases = [
        Expected(
            depthwise(rng, 4, 4, 6, 1, (3, 3), (1, 1), "SAME", "NONE", scale=0.05 * 0.01 * 2.0**-exponent), FAST,
            f"about 2^{exponent}",
        )
        for exponent in (-40, -31, -20, -9, -4, -3, -2, -1, 0, 1, 3)
    ]  # fmt: skip
    prove_on_core(cases, tmp_path)


# Height, width, channels, multiplier, kernel, stride, dilation.
WINDOWS = [
    (12, 12, 2, 1, (3, 3), (1, 1), (2, 2)),
    (8, 9, 3, 2, (3, 3), (1, 1), (4, 3)),
    (12, 12, 2, 1, (9, 9), (1, 1), (1, 1)),
    (7, 6, 5, 3, (2, 11), (2, 2), (1, 1)),
    (12, 12, 2, 1, (3, 3), (3, 3), (1, 1)),
    (2, 2, 3, 1, (3, 3), (1, 1), (4, 4)),
]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_windows_that_planes_do_not_do(padding: str, tmp_path: Path) -> None:
    """Dilation, wide kernels and long strides go channel by channel."""
    rng, cases = Rng(3), []
    for h, w, c, multiplier, kernel, stride, dilation in WINDOWS:
        enlarged = (h + 20, w + 20) if padding == "VALID" else (h, w)
        made = depthwise(rng, *enlarged, c, multiplier, kernel, stride, padding, "NONE", dilation)
        cases.append(Expected(made, WINDOW, f"{kernel} {stride} {dilation}"))
    prove_on_core(cases, tmp_path)


def test_a_single_channel_stays_portable() -> None:
    made = depthwise(Rng(3), 12, 12, 1, 1, (3, 3), (1, 1), "SAME", "NONE", (2, 2))
    assert lowered(made)[2].kernel == PORTABLE


def test_very_long_rows_stay_portable() -> None:
    made = [depthwise(Rng(4), 1, width, 1, 1, (1, 3), (1, 1), "VALID", "NONE") for width in (2000, 2001)]
    assert [lowered(m)[2].kernel for m in made] == [FAST, PORTABLE]


def test_taps_stay_bytes_for_size_and_where_expanding_is_cheap() -> None:
    def packed(size: int, kernel: int, optimize: Optimize) -> bool:
        made = depthwise(Rng(5), size, size, 8, 1, (kernel, kernel), (1, 1), "SAME", "NONE")
        graph = read_graph(made)
        step = lower(graph, Target(Isa.DSP, optimize)).steps[0]
        words = step.consts[0].data.size // 8
        assert words in (3 + kernel * (kernel - 1), 3 + (kernel * kernel + 3) // 4)
        assert ("expanded" in step.reason) == (words < 3 + kernel * (kernel - 1))
        return "expanded" in step.reason

    for kernel in (3, 5, 7):
        assert packed(6, kernel, Optimize.SIZE) and not packed(20, kernel, Optimize.SPEED)
        assert packed(20, kernel, Optimize.BALANCED) and not packed(6, kernel, Optimize.BALANCED)
