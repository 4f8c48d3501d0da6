"""What ``tinyml build --engine tflm`` tells: the project, the arena's estimate, and the built firmware's sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from tinyml.firmware.elf import RegionSize
from tinyml.firmware.tflm import Arena

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TflmResult:
    """A firmware over TensorFlow Lite Micro; ``ops`` are the calls that register the model's ops."""

    model: str
    board: str
    app: str
    library: str
    ops: tuple[str, ...]
    arena: Arena
    project: str
    elf: str
    toolchain: str
    seconds: float
    regions: tuple[RegionSize, ...]

    def to_json(self) -> Json:
        """The object that ``tinyml build --engine tflm --json`` prints."""
        arena = self.arena
        return {
            "engine": "tflm",
            "model": self.model,
            "board": self.board,
            "app": self.app,
            "library": self.library,
            "ops": list(self.ops),
            "arena": {
                "size_bytes": arena.size_bytes,
                "tensors_bytes": arena.tensors_bytes,
                "scratch_bytes": arena.scratch_bytes,
                "persistent_bytes": arena.persistent_bytes,
                "basis": arena.basis,
            },
            "project": self.project,
            "elf": self.elf,
            "toolchain": self.toolchain,
            "seconds": round(self.seconds, 3),
            "regions": [
                {
                    "name": region.name,
                    "kind": region.kind,
                    "available_bytes": region.available_bytes,
                    "used_bytes": region.used_bytes,
                }
                for region in self.regions
            ],
        }


def tflm_report(result: TflmResult) -> list[RenderableType]:
    """The lines of the build."""
    arena = result.arena
    lines: list[RenderableType] = [
        Text(f"{result.model} on {result.board} over TensorFlow Lite Micro ({result.library}), {len(result.ops)} ops"),
        Text(
            f"arena {arena.size_bytes:,} bytes, estimated: {arena.tensors_bytes:,} of tensors, {arena.scratch_bytes:,}"
            f" of scratch, {arena.persistent_bytes:,} of records ({arena.basis}), and a reserve"
        ),
    ]
    lines += [
        Text(f"{region.name}: {region.used_bytes:,} of {region.available_bytes:,} bytes") for region in result.regions
    ]
    return [
        *lines,
        Text("not proven: its kernels are not tinyml's"),
        Text(f"project {result.project}, built with {result.toolchain} in {result.seconds:.1f} s"),
        Text(f"firmware {result.elf}"),
    ]
