"""What an emulated run gives, and how the files and console of the firmware become it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tinyml.errors import BuildError, MismatchError
from tinyml.firmware.image import Image
from tinyml.plan.instruction_mix import InstructionMix

INPUT_FILE, OUTPUT_FILE, TRACE_FILE = "tml_inputs.bin", "tml_outputs.bin", "tml_trace.bin"
FAULT_EXIT_CODE = 112
_TRACE_MARK = 0xFFFFFFFF
_EXITS = {
    4: "got inputs whose size is not a multiple of the network's",
    5: "could not write its outputs",
    6: "found no camera",
    7: "got a damaged picture from its camera",
}


@dataclass(frozen=True, slots=True, eq=False)
class Emulation:
    """One run of a firmware on some inputs.

    ``outputs`` has the bytes of all outputs for each input. ``step_mixes`` has what the first inference executed in
    each step function, and in ``network_invoke`` itself; it is empty where nothing was counted.
    ``traces`` has for each input the bytes of every traced tensor by its index in the model's file.
    ``stack_used_bytes`` is what painting showed for the first inference, from the top of the stack.
    """

    emulator: str
    outputs: list[bytes]
    console: str
    step_mixes: dict[str, InstructionMix] = field(default_factory=dict)
    traces: list[dict[int, bytes]] = field(default_factory=list)
    stack_used_bytes: int | None = None

    @property
    def step_instructions(self) -> dict[str, int]:
        """The instructions of each step."""
        return {name: mix.instructions for name, mix in self.step_mixes.items()}

    @property
    def instructions(self) -> int | None:
        """The instructions of the first inference, None where nothing was counted."""
        return sum(self.step_instructions.values()) if self.step_mixes else None


@dataclass(frozen=True, slots=True, eq=False)
class ApplicationRun:
    """One run of an application: what it printed, and the files that it wrote to its host."""

    emulator: str
    console: str
    written: dict[str, bytes]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON objects that it printed."""
        return console_events(self.console)


def split_outputs(content: bytes, inputs: int) -> list[bytes]:
    """The output file's bytes for each input. Raises BuildError where they do not divide."""
    if inputs == 0 or not content or len(content) % inputs:
        raise BuildError(f"the firmware wrote {len(content)} output bytes for {inputs} inputs")
    size = len(content) // inputs
    return [content[i * size : (i + 1) * size] for i in range(inputs)]


def parse_trace(content: bytes) -> list[dict[int, bytes]]:
    """The trace file: records of (tensor, bytes, data), after a mark for each input; a tensor may come row by row.

    Raises BuildError where it is cut off.
    """
    traces: list[dict[int, bytes]] = []
    position = 0
    while position + 8 <= len(content):
        tensor = int.from_bytes(content[position : position + 4], "little")
        size = int.from_bytes(content[position + 4 : position + 8], "little")
        position += 8
        if tensor == _TRACE_MARK:
            traces.append({})
            continue
        data = content[position : position + size]
        if len(data) != size or not traces:
            raise BuildError("the firmware's trace file is damaged")
        traces[-1][tensor] = traces[-1].get(tensor, b"") + data
        position += size
    return traces


def console_events(console: str) -> list[dict[str, Any]]:
    """The JSON objects among the console's lines."""
    events = []
    for line in console.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def stack_used_bytes(console: str) -> int | None:
    """What the firmware's own painting of the stack showed."""
    found = [e["stack_used_bytes"] for e in console_events(console) if isinstance(e.get("stack_used_bytes"), int)]
    return found[-1] if found else None


def check_exit(code: int | None, console: str, image: Image, emulator: str) -> None:
    """Raises BuildError or MismatchError where the firmware did not end well, saying where it was."""
    if code == 0:
        return
    fault = next((event for event in console_events(console) if event.get("event") == "fault"), None)
    if code == FAULT_EXIT_CODE and fault is not None:
        details = ", ".join(f"{name} {fault[name]}" for name in ("lr", "cfsr") if name in fault)
        raise MismatchError(
            f"the firmware stopped with a fault at {image.where(int(str(fault['pc']), 16))} ({details}) in {emulator}",
            hint="this is a bug in the generated code or in an application of your own",
        )
    if code in _EXITS:
        raise BuildError(f"the firmware {_EXITS[code]} (exit code {code})")
    raise BuildError(f"the firmware ended with exit code {code} in {emulator}")
