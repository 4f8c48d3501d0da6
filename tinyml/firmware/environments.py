"""The environments of a project: the board's own image, the tracing one, and those linked for an emulated machine."""

from __future__ import annotations

from dataclasses import dataclass

from tinyml.boards import Board, Emulator


@dataclass(frozen=True, slots=True)
class Environment:
    """One ``[env:…]`` of ``platformio.ini``; ``relocated_to`` is the emulator whose memory map it is linked for."""

    name: str
    board_id: str
    trace: bool
    relocated_to: Emulator | None
    qemu_machine: str | None


def environments(board: Board) -> tuple[Environment, ...]:
    """The environments of board ``B``: ``B``, ``B-trace``; where QEMU's map differs ``B-qemu``, ``B-qemu-trace``."""
    qemu = board.emulator("qemu")
    moved = qemu if qemu is not None and qemu.relocated else None
    machine = qemu.machine if qemu is not None and moved is None else None
    own = [Environment(board.name + suffix, board.name, trace, None, machine) for suffix, trace in _VARIANTS]
    if moved is None:
        return tuple(own)
    board_id = f"{board.name}-qemu"
    moved_ones = [Environment(board_id + suffix, board_id, trace, moved, moved.machine) for suffix, trace in _VARIANTS]
    return (*own, *moved_ones)


def environment_name(board: Board, emulator: Emulator | None = None, *, trace: bool = False) -> str:
    """The environment whose image runs in ``emulator`` (None: on the board), with or without tracing of tensors."""
    relocated = emulator is not None and emulator.relocated
    return board.name + ("-qemu" if relocated else "") + ("-trace" if trace else "")


_VARIANTS = (("", False), ("-trace", True))
