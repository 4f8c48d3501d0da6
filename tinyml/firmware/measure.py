"""The figures of a built firmware for the budget: they replace the estimates made before compiling."""

from __future__ import annotations

from tinyml.boards import Board
from tinyml.firmware.build import BuiltFirmware
from tinyml.firmware.elf import measure
from tinyml.firmware.image import read_image
from tinyml.firmware.stack import StackBound, worst_case_stack
from tinyml.lower.program import Program
from tinyml.plan.budget import Sizes
from tinyml.plan.planner import Plan


def measure_sizes(built: BuiltFirmware, board: Board, program: Program, plan: Plan) -> Sizes:
    """Code, stack, data and constants of ``built``, next to the plan's arena and the program's weights."""
    return measure_beside(built, board, program.weights_bytes, plan.arena_bytes)


def measure_beside(built: BuiltFirmware, board: Board, weights_bytes: int, arena_bytes: int) -> Sizes:
    """Code, stack, data and constants of ``built``, next to arenas and weights of known size.

    The parts add up to what the image takes: bytes that the compiler added or dropped beside arena and weights, such as
    alignment, count as ``.bss`` and constants. Raises BuildError where the ELF file can't be read.
    """
    image = read_image(built.elf)
    sizes = measure(image, board)
    bound = stack_bound(built, board)
    read_only = sizes.weights_bytes + sizes.constants_bytes
    zeroed = sizes.bss_bytes + sizes.arena_bytes
    return Sizes(
        code_bytes=sizes.code_bytes,
        stack_bytes=bound.size_bytes,
        data_bytes=sizes.data_bytes,
        bss_bytes=max(zeroed - arena_bytes, 0),
        exact=True,
        constants_bytes=max(read_only - weights_bytes, 0),
    )


def stack_bound(built: BuiltFirmware, board: Board) -> StackBound:
    """The worst case of the stack of ``built``. Raises BuildError where the ELF file can't be read."""
    return worst_case_stack(read_image(built.elf), build_dir=built.build_dir, fpu="fpu" in board.features)
