"""Counts what one call of a single function of a firmware executes, on Unicorn: no start-up, host or peripherals."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from tinyml.boards import Board
from tinyml.emulate.counting import INVOKE, BlockHits, CountPoints, code_bytes, mixes
from tinyml.emulate.unicorn import Machine
from tinyml.errors import MismatchError
from tinyml.firmware.image import Image
from tinyml.plan.instruction_mix import InstructionMix

_REGISTERS = 4


def count_call(image: Image, board: Board, function: str, arguments: Sequence[int]) -> InstructionMix | None:
    """What ``function`` of ``image`` executes when it is called with up to four 32-bit ``arguments``.

    Memory is as after reset, all variables zero. None where Unicorn is not installed, does not know ``board``'s core or
    the image has no such function. Raises MismatchError where the call does not come back.
    """
    emulator = board.emulator("unicorn")
    symbol = image.by_name.get(function)
    if emulator is None or importlib.util.find_spec("unicorn") is None or symbol is None:
        return None
    machine = Machine(image, board, emulator.cpu or "", {})
    hits: dict[tuple[int, int], list[int]] = {}
    previous: list[tuple[int, list[int]]] = []

    def on_block(_uc: object, address: int, size: int, _data: object) -> None:
        if previous and previous[0][0] == address:
            previous[0][1][1] += 1
        entry = hits.setdefault((address, size), [0, 0])
        entry[0] += 1
        previous[:] = [(address + size, entry)]

    hook = machine.uc.hook_add(machine.unicorn.UC_HOOK_BLOCK, on_block)
    stack, stop = machine.reset_values()
    for index, value in enumerate(arguments[:_REGISTERS]):
        machine.uc.reg_write(machine.const.UC_ARM_REG_R0 + index, value)
    machine.uc.reg_write(machine.const.UC_ARM_REG_SP, stack)
    machine.uc.reg_write(machine.const.UC_ARM_REG_LR, stop | 1)
    try:
        machine.uc.emu_start(symbol.address | 1, stop & ~1, timeout=10_000_000)
    except machine.unicorn.UcError as error:
        raise MismatchError(f"{function} stopped in Unicorn: {error}") from error
    machine.uc.hook_del(hook)
    base, code = code_bytes(image)
    blocks = [BlockHits(0, address, size, *counts) for (address, size), counts in hits.items()]
    return mixes(CountPoints(symbol, (), ()), blocks, lambda at, size: code[at - base : at - base + size])[INVOKE]
