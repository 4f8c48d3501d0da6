"""Image preprocessing in C against :mod:`tinyml.features.image`: the same bytes, on this machine and on cores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.core_build import Machine, compile_core
from tests.support.vision_build import Geometry, host_vision, run_vision, write_vision
from tinyml.features.frames import unpack_frame
from tinyml.features.image import process

GEOMETRIES = (
    Geometry(160, 120, "rgb565", 96, 3),
    Geometry(160, 120, "rgb565", 96, 1),
    Geometry(160, 120, "grey", 96, 3),
    Geometry(160, 120, "grey", 120, 1),
    Geometry(320, 240, "rgb565", 144, 3),
    Geometry(33, 20, "grey", 7, 1),
    Geometry(20, 33, "rgb565", 19, 3),
    Geometry(17, 17, "rgb565", 1, 1),
    Geometry(160, 120, "rgb565", 50, 3, tuple((7 * i) % 256 - 128 for i in range(256))),
)


def frames(geometry: Geometry, count: int) -> list[bytes]:
    """Random frames after black and white."""
    size = int(geometry.defines()["TML_CAMERA_LINE_BYTES"][:-1]) * geometry.height
    rng = np.random.default_rng(geometry.size)
    return [b"\x00" * size, b"\xff" * size, *(rng.bytes(size) for _ in range(count))]


def wanted(geometry: Geometry, frame: bytes) -> np.ndarray:
    """What Python makes of a frame."""
    codes = process(
        unpack_frame(frame, geometry.width, geometry.height, geometry.pixels), geometry.size, channels=geometry.channels
    )
    if not geometry.codes:
        return codes
    return np.asarray(geometry.codes, np.int8)[codes.astype(int) + 128]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda g: f"{g.width}x{g.height}-{g.pixels}-{g.size}x{g.channels}")
def test_the_same_bytes_on_this_machine(geometry: Geometry, tmp_path: Path) -> None:
    given = frames(geometry, 4)
    got = run_vision(host_vision(geometry, tmp_path), geometry, given)
    assert len(got) == len(given)
    for frame, codes in zip(given, got, strict=True):
        assert np.array_equal(codes, wanted(geometry, frame))


@pytest.mark.parametrize("seed", range(12))
def test_the_same_bytes_for_any_sizes(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    width, height = (int(n) for n in rng.integers(1, 90, 2))
    size = int(rng.integers(1, min(width, height) + 1))
    geometry = Geometry(width, height, ("grey", "rgb565")[seed % 2], size, (1, 3)[seed // 2 % 2])
    given = frames(geometry, 2)
    got = run_vision(host_vision(geometry, tmp_path), geometry, given)
    assert all(np.array_equal(codes, wanted(geometry, frame)) for frame, codes in zip(given, got, strict=True))


CALLER = """
#include "%s"
uint8_t frame[TML_CAMERA_LINE_BYTES * TML_CAMERA_HEIGHT];
int8_t image[TML_VISION_ROW_BYTES * APP_IMAGE_SIZE];
void run(void);
void run(void) {
    int8_t *row = image;
    tml_vision_begin();
    for (uint32_t y = 0; y < TML_CAMERA_HEIGHT; ++y) {
        if (tml_vision_line(frame + y * TML_CAMERA_LINE_BYTES, row)) row += TML_VISION_ROW_BYTES;
    }
}
"""


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_the_same_bytes_on_a_core(core: str, compiler: str, tmp_path: Path) -> None:
    geometry = GEOMETRIES[0]
    source, include = write_vision(geometry, tmp_path)
    folders = [Path(flag) for flag in include if flag != "-I"]
    headers = {p.name: p.read_text() for folder in folders for p in folder.glob("*.h") if p.parent != tmp_path}
    text = CALLER % source.name
    (tmp_path / source.name).write_text(source.read_text())
    elf = compile_core(
        text, core, tmp_path, entries=("run", "frame", "image"), compiler=compiler, optimise="-O2", headers=headers
    )
    machine = Machine(elf, core)
    for frame in frames(geometry, 1):
        machine.write("frame", frame)
        instructions = machine.count("run")
        got = np.frombuffer(machine.read("image", 96 * 96 * 3), np.int8).reshape(96, 96, 3)
        assert np.array_equal(got, wanted(geometry, frame))
        assert instructions < (2_000_000 if core == "cortex-m4" else 8_000_000)
