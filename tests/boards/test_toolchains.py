"""The flags of every board, held against what the compilers themselves say they mean."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.shared import require_module, require_tool
from tinyml.boards import Board, list_boards

BOARDS = list_boards()
ARCHITECTURES = {
    "cortex-m0": ("__ARM_ARCH_6M__",),
    "cortex-m0plus": ("__ARM_ARCH_6M__",),
    "cortex-m3": ("__ARM_ARCH_7M__",),
    "cortex-m4": ("__ARM_ARCH_7EM__",),
    "cortex-m7": ("__ARM_ARCH_7EM__",),
    "cortex-m33": ("__ARM_ARCH_8M_MAIN__",),
    "cortex-m55": ("__ARM_ARCH_8_1M_MAIN__", "__ARM_ARCH_8M_MAIN__"),
}


def macros(command: list[str]) -> dict[str, str]:
    result = subprocess.run(
        [*command, "-x", "c", "-E", "-dM", "-"], input="", capture_output=True, text=True, check=True, timeout=120
    )
    pairs = (line.removeprefix("#define ").partition(" ") for line in result.stdout.splitlines())
    return {name: value for name, _, value in pairs}


def check(board: Board, defined: dict[str, str]) -> None:
    assert any(name in defined for name in ARCHITECTURES[board.core])
    assert ("__ARM_FEATURE_DSP" in defined) == ("dsp" in board.features)
    assert ("__ARM_FEATURE_MVE" in defined) == ("mve" in board.features)
    precisions = int(defined.get("__ARM_FP", "0"), 0)
    assert bool(precisions & 4) == ("fpu" in board.features), "single precision"
    assert bool(precisions & 8) == ("dpfpu" in board.features), "double precision"
    assert ("__ARM_PCS_VFP" in defined) == ("fpu" in board.features), "hard-float calling convention"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_gcc_sees_the_boards_features(board: Board) -> None:
    check(board, macros([str(require_tool("arm-none-eabi-gcc")), *board.gcc_flags]))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)
def test_zig_sees_the_boards_features(board: Board) -> None:
    require_module("ziglang")
    check(board, macros([sys.executable, "-m", "ziglang", "cc", *board.zig_flags]))
