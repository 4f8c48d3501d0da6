"""Runs firmware on Unicorn: the core, its memory and a semihosting host, with no system package.

Unicorn models the core alone. The image finds a semihosting host and so never touches a peripheral; the system control
space is plain memory. Unicorn 2.1 has no Cortex-M55 and refuses the Cortex-M7's double-precision instructions.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tinyml.board import FlashCache
from tinyml.boards import Board
from tinyml.emulate.counting import BlockCounter, CountPoints, code_bytes, count_points, mixes
from tinyml.emulate.native_code import shared_object
from tinyml.emulate.native_counter import NativeCounter
from tinyml.emulate.result import (
    INPUT_FILE,
    OUTPUT_FILE,
    TRACE_FILE,
    ApplicationRun,
    Emulation,
    check_exit,
    parse_trace,
    split_outputs,
    stack_used_bytes,
)
from tinyml.emulate.semihosting import SYS_WRITE, SemihostingHost
from tinyml.errors import BuildError, MismatchError
from tinyml.firmware.image import Image
from tinyml.firmware.memory_map import LinkRegion, memory_map
from tinyml.plan.instruction_mix import InstructionMix

PAGE = 0x1000
_SYSTEM = ((0xE0001000, PAGE), (0xE000E000, PAGE))
_EXCP_BKPT = 7
_BKPT_SEMIHOSTING = 0xBEAB


def run_unicorn(
    image: Image,
    board: Board,
    cpu: str,
    inputs: Sequence[bytes],
    *,
    count: bool,
    timeout_s: float,
    native: bool = True,
    caches: bool = False,
    calls: int = 1,
) -> Emulation:
    """Runs ``image`` on the inputs; ``calls`` of ``network_invoke`` are one inference.

    ``cpu`` is Unicorn's name of the core, such as ``CORTEX_M4``.

    ``count`` counts the instructions of the first inference; ``native`` allows the compiled hook for it; ``caches``
    simulates the board's flash caches besides, which makes the run slower. Raises
    BuildError where Unicorn is missing or the run takes too long, MismatchError where the firmware faults.
    """
    machine = Machine(image, board, cpu, {INPUT_FILE: b"".join(inputs)})
    if count:
        machine.start_counting(native, board.flash_cache if caches else None, calls)
    machine.run(timeout_s)
    host = machine.host
    console = host.console.decode("utf-8", "replace")
    check_exit(host.exit_code, console, image, "Unicorn")
    return Emulation(
        emulator="unicorn",
        outputs=split_outputs(bytes(host.written.get(OUTPUT_FILE, b"")), len(inputs)),
        console=console,
        step_mixes=machine.step_mixes(),
        traces=parse_trace(bytes(host.written.get(TRACE_FILE, b""))),
        stack_used_bytes=stack_used_bytes(console),
    )


def run_unicorn_application(
    image: Image, board: Board, cpu: str, files: Mapping[str, bytes], *, timeout_s: float
) -> ApplicationRun:
    """Runs an application with ``files`` on its semihosting host until it ends. Raises as :func:`run_unicorn` does."""
    machine = Machine(image, board, cpu, dict(files))
    machine.run(timeout_s)
    console = machine.host.console.decode("utf-8", "replace")
    check_exit(machine.host.exit_code, console, image, "Unicorn")
    return ApplicationRun("unicorn", console, {name: bytes(data) for name, data in machine.host.written.items()})


class Machine:
    """A core of Unicorn's with ``image`` in its memory and a semihosting host that has ``files``."""

    def __init__(self, image: Image, board: Board, cpu: str, files: dict[str, bytes]) -> None:
        import unicorn
        from unicorn import arm_const

        self.unicorn, self.const, self.image = unicorn, arm_const, image
        model = getattr(arm_const, f"UC_CPU_ARM_{cpu}", None)
        if model is None:
            raise BuildError(f"Unicorn has no core {cpu}", hint=f"correct the emulator's cpu in {board.path.name}")
        self.uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(model)
        self._map(board)
        for segment in image.segments:
            if segment.data:
                self.uc.mem_write(segment.load_address, segment.data)
        self.host = SemihostingHost(self._read, self._write, files)
        self.failure: str | None = None
        self._counter: BlockCounter | NativeCounter | None = None
        self._points: CountPoints | None = None
        self._code: tuple[int, bytes] = (0, b"")
        self._hooks: list[int] = []
        self._simulated = False
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)

    def run(self, timeout_s: float) -> None:
        """From reset until the firmware ends. Raises MismatchError for a fault, BuildError where it takes too long."""
        stack, entry = self.reset_values()
        self.uc.reg_write(self.const.UC_ARM_REG_SP, stack)
        address, deadline = entry, time.monotonic() + timeout_s
        while self.host.exit_code is None and self.failure is None:
            left_us = int((deadline - time.monotonic()) * 1e6)
            before = bool(self._hooks)
            try:
                if left_us > 0:
                    self.uc.emu_start(address | 1, 0xFFFFFFFE, timeout=left_us)
            except self.unicorn.UcError as error:
                raise self._fault(str(error)) from error
            address = self.uc.reg_read(self.const.UC_ARM_REG_PC)
            if self.failure is not None:
                raise self._fault(self.failure)
            if self._hooks and self._counted():
                self._stop_counting()
            stopped_to_unhook = before and not self._hooks
            if self.host.exit_code is None and not stopped_to_unhook:
                if time.monotonic() >= deadline:
                    raise BuildError(
                        f"the firmware ran for {timeout_s:.0f} s in Unicorn without ending; it was at"
                        f" {self.image.where(address)}",
                        hint="allow more time, or run fewer inputs",
                    )
                raise self._fault("the core stopped")

    def reset_values(self) -> tuple[int, int]:
        """The stack pointer and the entry point of the image's vector table."""
        vectors = self.image.address("tml_vectors")
        stack, entry = (int.from_bytes(self._read(vectors + offset, 4), "little") for offset in (0, 4))
        return stack, entry

    def start_counting(self, native: bool, cache: FlashCache | None, calls: int = 1) -> None:
        """Counts the first inference, by the compiled hooks if they can be had."""
        self._points, self._code = count_points(self.image, calls), code_bytes(self.image)
        self._simulated = cache is not None
        base, code = self._code
        counter = BlockCounter(len(code), base, self._points, cache)
        library = shared_object("block_counter") if native else None
        if library is not None:
            compiled = NativeCounter(ctypes.CDLL(str(library)), counter, cache)
            if self._add_native(compiled, cache is not None):
                self._counter = compiled
                return
        self._counter = counter
        blocks = self.unicorn.UC_HOOK_BLOCK
        self._hooks.append(self.uc.hook_add(blocks, lambda _uc, address, size, _data: counter.enter(address, size)))
        if cache is not None:
            reads, (first, last) = self.unicorn.UC_HOOK_MEM_READ, self._flash
            self._hooks.append(
                self.uc.hook_add(
                    reads,
                    lambda _uc, _type, address, size, _value, _data: counter.read(address, size),
                    begin=first,
                    end=last,
                )
            )

    def step_mixes(self) -> dict[str, InstructionMix]:
        """What ``network_invoke`` itself and each step executed; empty where nothing was counted.

        Raises BuildError where the network never returned, or ran outside of its image.
        """
        if self._points is None or self._counter is None:
            return {}
        if not self._counted():
            raise BuildError("network_invoke never returned, so its instructions were not counted")
        if self._counter.outside:
            raise BuildError(f"{self._counter.outside} blocks of the network ran outside the image's code")
        base, code = self._code
        misses = self._counter.step_misses() if self._simulated else None
        blocks = self._counter.blocks()
        return mixes(self._points, blocks, lambda at, size: code[at - base : at - base + size], misses)

    def _stop_counting(self) -> None:
        for hook in self._hooks:
            if isinstance(self._counter, NativeCounter):
                self._library_call("uc_hook_del", ctypes.c_size_t(hook))
            else:
                self.uc.hook_del(hook)
        self._hooks = []

    def _library_call(self, name: str, *arguments: Any) -> bool:
        """Calls a function of Unicorn's library; False where its Python package does not give access to it."""
        try:
            from unicorn.unicorn_py3.unicorn import uclib

            status = getattr(uclib, name)(self.uc._uch, *arguments)
        except (ImportError, AttributeError):
            return False
        return bool(status == self.unicorn.UC_ERR_OK)

    def _counted(self) -> bool:
        return self._counter is not None and self._counter.finished

    def _add_native(self, counter: NativeCounter, reads: bool) -> bool:
        """Gives Unicorn the addresses of the compiled hooks; False where its library can't be reached that way."""
        wanted = [(self.unicorn.UC_HOOK_BLOCK, counter.on_block, (1, 0))]
        if reads:
            wanted.append((self.unicorn.UC_HOOK_MEM_READ, counter.on_read, self._flash))
        for kind, function, (first, last) in wanted:
            hook = ctypes.c_size_t()
            added = self._library_call(
                "uc_hook_add", ctypes.byref(hook), kind, function, ctypes.byref(counter.state),
                ctypes.c_uint64(first), ctypes.c_uint64(last),
            )  # fmt: skip
            if not added:
                return False
            self._hooks.append(hook.value)
        return True

    def _map(self, board: Board) -> None:
        layout = memory_map(board)
        vectors = self.image.address("tml_vectors")
        if not _inside(layout.flash, vectors):
            relocated = [memory_map(board, emulator) for emulator in board.emulators if emulator.relocated]
            layout = next((other for other in relocated if _inside(other.flash, vectors)), layout)
        self._flash = (layout.flash.origin, layout.flash.origin + layout.flash.size_bytes - 1)
        pages: set[int] = set()
        for region in (*layout.regions, *(LinkRegion("", "ram", start, size, "") for start, size in _SYSTEM)):
            pages.update(range(region.origin // PAGE, -(-(region.origin + region.size_bytes) // PAGE)))
        for start, length in _runs(sorted(pages)):
            self.uc.mem_map(start * PAGE, length * PAGE)

    def _on_interrupt(self, uc: Any, number: int, _data: object) -> None:
        pc = uc.reg_read(self.const.UC_ARM_REG_PC) & ~1
        if number != _EXCP_BKPT or int.from_bytes(self._read(pc, 2), "little") != _BKPT_SEMIHOSTING:
            self.failure = f"exception {number}"
            uc.emu_stop()
            return
        operation = uc.reg_read(self.const.UC_ARM_REG_R0)
        result = self.host.call(operation, uc.reg_read(self.const.UC_ARM_REG_R1))
        uc.reg_write(self.const.UC_ARM_REG_R0, result)
        uc.reg_write(self.const.UC_ARM_REG_PC, (pc + 2) | 1)
        # After the first inference the block hook goes, and the others run at full speed.
        if self.host.exit_code is not None or (operation == SYS_WRITE and self._hooks and self._counted()):
            uc.emu_stop()

    def _fault(self, what: str) -> MismatchError:
        pc = self.uc.reg_read(self.const.UC_ARM_REG_PC)
        lr = self.uc.reg_read(self.const.UC_ARM_REG_LR)
        return MismatchError(
            f"the firmware stopped in Unicorn at {self.image.where(pc)}, called from {self.image.where(lr)}: {what}",
            hint="this is a bug in the generated code or in an application of your own",
        )

    def _read(self, address: int, size: int) -> bytes:
        return bytes(self.uc.mem_read(address, size))

    def _write(self, address: int, data: bytes) -> None:
        self.uc.mem_write(address, data)


def _inside(region: LinkRegion, address: int) -> bool:
    return region.origin <= address < region.origin + region.size_bytes


def _runs(pages: Sequence[int]) -> list[tuple[int, int]]:
    """Consecutive numbers as (first, how many)."""
    runs: list[tuple[int, int]] = []
    for page in pages:
        if runs and runs[-1][0] + runs[-1][1] == page:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((page, 1))
    return runs
