"""Runs firmware on Unicorn: the core, its memory and a semihosting host, with no system package.

Unicorn models the core alone. The image finds a semihosting host and so never touches a peripheral; the system control
space is plain memory. Unicorn 2.1 has no Cortex-M55 and refuses the Cortex-M7's double-precision instructions.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from typing import Any

from tinyml.boards import Board
from tinyml.emulate.counting import BlockCounter, CountPoints, by_step, count_points, slot_counts
from tinyml.emulate.native_code import shared_object
from tinyml.emulate.result import (
    INPUT_FILE,
    OUTPUT_FILE,
    TRACE_FILE,
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

PAGE = 0x1000
_SYSTEM = ((0xE0001000, PAGE), (0xE000E000, PAGE))
_EXCP_BKPT = 7
_BKPT_SEMIHOSTING = 0xBEAB


class _NativeState(ctypes.Structure):
    """``struct counter`` of ``native/block_counter.c``."""

    _fields_ = (
        ("base", ctypes.c_uint64),
        ("code_bytes", ctypes.c_uint64),
        ("code", ctypes.c_void_p),
        ("slot", ctypes.c_void_p),
        ("block_bytes", ctypes.c_void_p),
        ("block_count", ctypes.c_void_p),
        ("counts", ctypes.c_void_p),
        ("current", ctypes.c_uint32),
        ("windows", ctypes.c_uint32),
        ("outside", ctypes.c_uint64),
    )


def run_unicorn(
    image: Image,
    board: Board,
    cpu: str,
    inputs: Sequence[bytes],
    *,
    count: bool,
    timeout_s: float,
    native: bool = True,
) -> Emulation:
    """Runs ``image`` on the inputs. ``cpu`` is Unicorn's name of the core, such as ``CORTEX_M4``.

    ``count`` counts the instructions of the first inference; ``native`` allows the compiled hook for it. Raises
    BuildError where Unicorn is missing or the run takes too long, MismatchError where the firmware faults.
    """
    machine = _Machine(image, board, cpu, {INPUT_FILE: b"".join(inputs)})
    if count:
        machine.start_counting(native)
    machine.run(timeout_s)
    host = machine.host
    console = host.console.decode("utf-8", "replace")
    check_exit(host.exit_code, console, image, "Unicorn")
    steps = machine.step_counts()
    return Emulation(
        emulator="unicorn",
        outputs=split_outputs(bytes(host.written.get(OUTPUT_FILE, b"")), len(inputs)),
        console=console,
        instructions=sum(steps.values()) if steps else None,
        step_instructions=steps,
        traces=parse_trace(bytes(host.written.get(TRACE_FILE, b""))),
        stack_used_bytes=stack_used_bytes(console),
    )


class _Machine:
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
        self._counter: BlockCounter | None = None
        self._points: CountPoints | None = None
        self._native: _NativeState | None = None
        self._native_counts: Any = None
        self._keep_alive: list[Any] = []
        self._hook: int | None = None
        self.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)

    def run(self, timeout_s: float) -> None:
        """From reset until the firmware ends."""
        vectors = self.image.address("tml_vectors")
        stack, entry = (int.from_bytes(self._read(vectors + offset, 4), "little") for offset in (0, 4))
        self.uc.reg_write(self.const.UC_ARM_REG_SP, stack)
        address, deadline = entry, time.monotonic() + timeout_s
        while self.host.exit_code is None and self.failure is None:
            left_us = int((deadline - time.monotonic()) * 1e6)
            before = self._hook
            try:
                if left_us > 0:
                    self.uc.emu_start(address | 1, 0xFFFFFFFE, timeout=left_us)
            except self.unicorn.UcError as error:
                raise self._fault(str(error)) from error
            address = self.uc.reg_read(self.const.UC_ARM_REG_PC)
            if self.failure is not None:
                raise self._fault(self.failure)
            if self._hook is not None and self._counted():
                self._stop_counting()
            stopped_to_unhook = before is not None and self._hook is None
            if self.host.exit_code is None and not stopped_to_unhook:
                if time.monotonic() >= deadline:
                    raise BuildError(
                        f"the firmware ran for {timeout_s:.0f} s in Unicorn without ending; it was at"
                        f" {self.image.where(address)}",
                        hint="allow more time, or run fewer inputs",
                    )
                raise self._fault("the core stopped")

    def start_counting(self, native: bool) -> None:
        """Counts the first inference, by the compiled hook if it can be had."""
        points = count_points(self.image)
        code = [section for section in self.image.sections if section.executable and section.has_data]
        base = min(section.address for section in code)
        content = bytearray(max(section.address + section.size_bytes for section in code) - base)
        for section in code:
            content[section.address - base : section.address - base + section.size_bytes] = section.data
        self._points = points
        self._counter = BlockCounter(bytes(content), base, points)
        library = shared_object("block_counter") if native else None
        if library is None or not self._start_native(ctypes.CDLL(str(library))):
            counter = self._counter
            self._hook = self.uc.hook_add(
                self.unicorn.UC_HOOK_BLOCK, lambda _uc, address, size, _data: counter.enter(address, size)
            )

    def step_counts(self) -> dict[str, int]:
        """Instructions of ``network_invoke`` itself and of each step; empty where nothing was counted."""
        if self._points is None or self._counter is None:
            return {}
        counts = self._counter.counts if self._native is None else list(self._native_counts)
        outside = self._counter.outside if self._native is None else self._native.outside
        if not self._counted():
            raise BuildError("network_invoke never returned, so its instructions were not counted")
        if outside:
            raise BuildError(f"{outside} blocks of the network ran outside the image's code")
        return by_step(self._points, slot_counts(counts))

    def _stop_counting(self) -> None:
        assert self._hook is not None
        if self._native is None:
            self.uc.hook_del(self._hook)
        else:
            self._library_call("uc_hook_del", ctypes.c_size_t(self._hook))
        self._hook = None

    def _library_call(self, name: str, *arguments: Any) -> bool:
        """Calls a function of Unicorn's library; False where its Python package does not give access to it."""
        try:
            from unicorn.unicorn_py3.unicorn import uclib

            status = getattr(uclib, name)(self.uc._uch, *arguments)
        except (ImportError, AttributeError):
            return False
        return bool(status == self.unicorn.UC_ERR_OK)

    def _counted(self) -> bool:
        if self._native is not None:
            return bool(self._native.windows)
        return self._counter is not None and bool(self._counter.windows)

    def _start_native(self, library: ctypes.CDLL) -> bool:
        """Gives Unicorn the address of the compiled hook; False where its library can't be reached that way."""
        counter = self._counter
        assert counter is not None
        halfwords = len(counter.slots)
        code = ctypes.create_string_buffer(counter.code, len(counter.code))
        slots = (ctypes.c_uint16 * halfwords)(*counter.slots)
        block_bytes, block_count = (ctypes.c_uint32 * halfwords)(), (ctypes.c_uint32 * halfwords)()
        counts = (ctypes.c_uint64 * len(counter.counts))()
        arrays = [ctypes.cast(array, ctypes.c_void_p) for array in (code, slots, block_bytes, block_count, counts)]
        state = _NativeState(counter.base, len(counter.code), *arrays)
        hook = ctypes.c_size_t()
        function = ctypes.cast(library.tinyml_count_block, ctypes.c_void_p)
        added = self._library_call(
            "uc_hook_add", ctypes.byref(hook), self.unicorn.UC_HOOK_BLOCK, function, ctypes.byref(state),
            ctypes.c_uint64(1), ctypes.c_uint64(0),
        )  # fmt: skip
        if not added:
            return False
        self._keep_alive = [library, code, slots, block_bytes, block_count, counts]
        self._native, self._native_counts, self._hook = state, counts, hook.value
        return True

    def _map(self, board: Board) -> None:
        layout = memory_map(board)
        vectors = self.image.address("tml_vectors")
        if not _inside(layout.flash, vectors):
            relocated = [memory_map(board, emulator) for emulator in board.emulators if emulator.relocated]
            layout = next((other for other in relocated if _inside(other.flash, vectors)), layout)
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
        if self.host.exit_code is not None or (operation == SYS_WRITE and self._hook is not None and self._counted()):
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
