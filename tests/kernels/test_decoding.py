"""Boxes and keypoints decoded in C against :mod:`tinyml.detection`: the same integers, here and on cores."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.core_build import Machine, compile_core
from tests.support.host_build import WARNINGS, compile_c, host_compiler, sanitizer_flags
from tinyml.detection.boxes import Box, BoxDecoder, decode_boxes
from tinyml.detection.keypoints import Keypoint, decode_keypoints, render_shift
from tinyml.paths import templates_dir

FOLDER = templates_dir() / "decoding"
BOXES_MAIN = """
#include <stdio.h>
#include "config.h"
int main(void) {
    static int8_t raw[ROWS * COLUMNS * VALUES];
    static tml_box boxes[BOX_DECODER_LIMIT];
    while (fread(raw, 1, sizeof raw, stdin) == sizeof raw) {
        const uint32_t count = tml_decode_boxes(&box_decoder, raw, boxes, BOX_DECODER_LIMIT);
        fwrite(&count, sizeof count, 1, stdout);
        fwrite(boxes, sizeof boxes[0], count, stdout);
    }
    return 0;
}
"""
KEYPOINTS_MAIN = """
#include <stdio.h>
#include "config.h"
int main(void) {
    static int8_t heat[ROWS * COLUMNS * COUNT], offsets[2 * ROWS * COLUMNS * COUNT];
    static tml_keypoint points[COUNT];
    while (fread(heat, 1, sizeof heat, stdin) == sizeof heat) {
        if (fread(offsets, 1, sizeof offsets, stdin) != sizeof offsets) return 1;
        tml_decode_keypoints(heat, offsets, ROWS, COLUMNS, COUNT, keypoint_shift, points);
        for (int k = 0; k < COUNT; k++) printf("%d %d %d\\n", (int)points[k].x, (int)points[k].y, points[k].score);
    }
    return 0;
}
"""
ON_CORE = """
#include "config.h"
int8_t raw[ROWS * COLUMNS * VALUES];
tml_box boxes[BOX_DECODER_LIMIT];
uint32_t count;
void run(void);
void run(void) { count = tml_decode_boxes(&box_decoder, raw, boxes, BOX_DECODER_LIMIT); }
"""


def header(decoder: BoxDecoder, rows: int, columns: int) -> str:
    values = len(decoder.anchors) * (5 + decoder.classes)
    sizes = f"enum {{ ROWS = {rows}, COLUMNS = {columns}, VALUES = {values} }};\n"
    return decoder.render(rows, columns) + sizes


def host(main: str, config: str, folder: Path) -> Path:
    (folder / "config.h").write_text(config, "ascii")
    (folder / "main.c").write_text(main, "ascii")
    program = folder / "decode"
    flags = ["-std=c11", "-O2", *WARNINGS, *sanitizer_flags(), "-I", str(FOLDER)]
    compile_c(host_compiler(), [folder / "main.c"], program, flags)
    return program


def read_boxes(data: bytes) -> list[Box]:
    numbers = np.frombuffer(data, np.int32).reshape(-1, 6)
    return [Box(*(int(n) for n in row)) for row in numbers]


def random_decoder(rng: np.random.Generator) -> tuple[BoxDecoder, int, int]:
    anchors = tuple((float(w), float(h)) for w, h in rng.uniform(0.2, 12, (int(rng.integers(1, 6)), 2)))
    decoder = BoxDecoder(
        scale=float(np.exp(rng.uniform(-5, -1))),
        zero_point=int(rng.integers(-128, 128)),
        anchors=anchors,
        classes=int(rng.integers(1, 12)),
        least_score=float(rng.uniform(0.01, 0.6)),
        most_overlap=float(rng.uniform(0, 1)),
        limit=int(rng.integers(1, 40)),
    )
    return decoder, int(rng.integers(1, 14)), int(rng.integers(1, 14))


@pytest.mark.parametrize("seed", range(5))
def test_boxes_are_the_same_integers(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    decoder, rows, columns = random_decoder(rng)
    shape = (rows, columns, len(decoder.anchors) * (5 + decoder.classes))
    given = [rng.integers(-128, 128, shape, dtype=np.int8) for _ in range(20)]
    given += [np.full(shape, code, np.int8) for code in (-128, 0, 127)]
    program = host(BOXES_MAIN, header(decoder, rows, columns), tmp_path)
    out = subprocess.run([program], input=b"".join(g.tobytes() for g in given), capture_output=True, check=True).stdout
    for raw in given:
        count = int(np.frombuffer(out[:4], np.uint32)[0])
        found, out = read_boxes(out[4 : 4 + 24 * count]), out[4 + 24 * count :]
        assert found == decode_boxes(raw, decoder)
    assert out == b""


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4"])
def test_boxes_on_a_core(core: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    decoder = BoxDecoder(0.06, 4, ((1.0, 2.0), (2.5, 2.0), (4.0, 5.0)), classes=1)
    headers = {path.name: path.read_text() for path in FOLDER.glob("*.h")} | {"config.h": header(decoder, 6, 6)}
    entries = ("run", "raw", "boxes", "count")
    elf = compile_core(ON_CORE, core, tmp_path, entries=entries, optimise="-O2", headers=headers)
    machine = Machine(elf, core)
    raw = rng.integers(-128, 128, (6, 6, 18), dtype=np.int8)
    machine.write("raw", raw.tobytes())
    instructions = machine.count("run")
    count = int(np.frombuffer(machine.read("count", 4), np.uint32)[0])
    wanted = decode_boxes(raw, decoder)
    assert count == len(wanted) > 1
    assert read_boxes(machine.read("boxes", 24 * count)) == wanted
    assert instructions < 60_000


@pytest.mark.parametrize("seed", range(3))
def test_keypoints_are_the_same_integers(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    rows, columns, count = (int(n) for n in rng.integers(1, 18, 3))
    scale, zero_point = float(rng.uniform(0.05, 0.5)), int(rng.integers(-128, 128))
    config = render_shift(scale, zero_point, 16) + f"enum {{ ROWS = {rows}, COLUMNS = {columns}, COUNT = {count} }};\n"
    program = host(KEYPOINTS_MAIN, config, tmp_path)
    heats = [rng.integers(-3, 4, (rows, columns, count), dtype=np.int8) for _ in range(10)]
    offsets = [rng.integers(-128, 128, (rows, columns, 2 * count), dtype=np.int8) for _ in range(10)]
    data = b"".join(h.tobytes() + o.tobytes() for h, o in zip(heats, offsets, strict=True))
    lines = subprocess.run([program], input=data, capture_output=True, check=True).stdout.decode().split()
    found = [Keypoint(*(int(n) for n in lines[i : i + 3])) for i in range(0, len(lines), 3)]
    wanted = [p for h, o in zip(heats, offsets, strict=True) for p in decode_keypoints(h, o, scale, zero_point, 16)]
    assert found == wanted
