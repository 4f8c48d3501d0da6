"""Compiles the firmware's image preprocessing for this machine or a core and runs it over camera frames."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.host_build import WARNINGS, compile_c, host_compiler, sanitizer_flags
from tinyml.features.frames import PIXEL_BYTES
from tinyml.firmware.parts.camera import FORMATS
from tinyml.paths import templates_dir

MAIN = """
#include <stdio.h>
#include "tml_vision.h"

int main(void) {
    static uint8_t line[TML_CAMERA_LINE_BYTES];
    static int8_t row[TML_VISION_ROW_BYTES];
    uint32_t y = 0;
    while (fread(line, 1, sizeof line, stdin) == sizeof line) {
        if (y == 0) tml_vision_begin();
        if (tml_vision_line(line, row) && fwrite(row, 1, sizeof row, stdout) != sizeof row) return 1;
        y = y + 1u == TML_CAMERA_HEIGHT ? 0 : y + 1u;
    }
    return 0;
}
"""


@dataclass(frozen=True, slots=True)
class Geometry:
    """What the camera gives and the model wants; ``codes`` replaces brightness - 128 where it is given."""

    width: int
    height: int
    pixels: str
    size: int
    channels: int
    codes: tuple[int, ...] = ()

    def defines(self) -> dict[str, str]:
        """The macros of ``app_config.h`` and ``board_config.h``."""
        values = {
            "TML_CAMERA_WIDTH": f"{self.width}u",
            "TML_CAMERA_HEIGHT": f"{self.height}u",
            "TML_CAMERA_FORMAT": str(FORMATS[self.pixels][0]),
            "TML_CAMERA_LINE_BYTES": f"{self.width * PIXEL_BYTES[self.pixels]}u",
            "APP_IMAGE_SIZE": f"{self.size}u",
            "APP_IMAGE_CHANNELS": str(self.channels),
        }
        if self.codes:
            values["APP_IMAGE_CODES"] = "{" + ", ".join(map(str, self.codes)) + "}"
        return values


def write_vision(geometry: Geometry, folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The configuration in ``folder``; the source and the include flags to compile it with."""
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"#define {name} {value}\n" for name, value in geometry.defines().items())
    (folder / "app_config.h").write_text(text, "ascii")
    templates = templates_dir()
    include = ("-I", str(folder), "-I", str(templates / "vision"), "-I", str(templates / "drivers"))
    return templates / "vision" / "tml_vision.c", include


def host_vision(geometry: Geometry, folder: Path) -> Path:
    """An executable that takes frames on stdin and gives the network's inputs on stdout; warnings fail the test."""
    source, include = write_vision(geometry, folder)
    main, program = folder / "main.c", folder / "vision"
    main.write_text(MAIN, "ascii")
    flags = ["-std=c11", "-O2", *WARNINGS, *sanitizer_flags(), *include]
    compile_c(host_compiler(), [source, main], program, flags)
    return program


def run_vision(program: Path, geometry: Geometry, frames: Sequence[bytes]) -> list[NDArray[np.int8]]:
    """The inputs ``[size, size, channels]`` of the frames; a sanitizer's report fails the test."""
    done = subprocess.run([str(program)], input=b"".join(frames), capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[:4000]
    shape = (len(frames), geometry.size, geometry.size, geometry.channels)
    return list(np.frombuffer(done.stdout, np.int8).reshape(shape))
