"""A network of two steps written by hand: what the firmware's own tests run, without compiler or model."""

from __future__ import annotations

import os
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import missing
from tinyml.boards import load_board
from tinyml.firmware.build import BuiltFirmware, build_project, find_zig
from tinyml.firmware.project import Project, render_project

INPUT_BYTES, OUTPUT_BYTES = 16, 4
TRACED = (7, 9)
WEIGHTS = (1, 2, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, -5, -6, -7, -8)

HEADER = f"""#ifndef NETWORK_H
#define NETWORK_H
#include <stdint.h>
#define NETWORK_ARENA_BYTES 64
#define NETWORK_INPUT_0_BYTES {INPUT_BYTES}
#define NETWORK_OUTPUT_0_BYTES {OUTPUT_BYTES}
void *network_input(int i);
const void *network_output(int i);
void network_invoke(void);
#endif
"""

SOURCE = """#include "network.h"
#include <string.h>
static uint8_t network_arena[NETWORK_ARENA_BYTES] __attribute__((aligned(16)));
static const int8_t network_weights_000[16] = {@WEIGHTS@};
#if defined(TML_TRACE) && TML_TRACE
void tml_trace_tensor(uint32_t source_tensor, const void *data, uint32_t bytes);
#else
#define tml_trace_tensor(tensor, data, bytes) ((void)0)
#endif
void *network_input(int i) { (void)i; return network_arena; }
const void *network_output(int i) { (void)i; return network_arena + 32; }
static __attribute__((noinline)) void network_step_000(void) {
    const int8_t *x = (const int8_t *)network_arena;
    int8_t *y = (int8_t *)(network_arena + 16);
    for (int i = 0; i < 16; ++i) {
        const int v = (x[i] * network_weights_000[i]) >> 3;
        y[i] = (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v);
    }
}
static __attribute__((noinline)) void network_step_001(void) {
    int8_t *y = (int8_t *)(network_arena + 32);
    int8_t copy[16];
    memcpy(copy, network_arena + 16, 16);
    for (int i = 0; i < 4; ++i) {
        int v = 0;
        for (int k = 0; k < 4; ++k) v += copy[i * 4 + k];
        y[i] = (int8_t)(v >> 2);
    }
}
void network_invoke(void) {
    network_step_000();
    tml_trace_tensor(7, network_arena + 16, 16);
    network_step_001();
    tml_trace_tensor(9, network_arena + 32, 4);
}
""".replace("@WEIGHTS@", ", ".join(map(str, WEIGHTS)))

SOURCES = {"network.h": HEADER, "network.c": SOURCE}


def tensors(inputs: bytes) -> dict[int, bytes]:
    """What each traced tensor holds, as the C above computes it."""
    x = np.frombuffer(inputs, np.int8).astype(np.int32)
    first = np.clip((x * np.array(WEIGHTS)) >> 3, -128, 127)
    second = first.reshape(4, 4).sum(axis=1) >> 2
    return {7: first.astype(np.int8).tobytes(), 9: second.astype(np.int8).tobytes()}


def outputs(inputs: bytes) -> bytes:
    """The network's output."""
    return tensors(inputs)[9]


def some_inputs(count: int = 3) -> list[bytes]:
    """Inputs that are all different."""
    return [bytes((i * 31 + k * 7) % 256 for i in range(INPUT_BYTES)) for k in range(count)]


def require_toolchain(name: str) -> str:
    """``name``, or the test is skipped."""
    if name == "gcc" and shutil.which("arm-none-eabi-gcc") is None:
        missing("arm-none-eabi-gcc is not on PATH")
    if name == "zig" and find_zig() is None:
        missing("zig is not installed")
    return name


def any_toolchain() -> str:
    """GCC or zig, or the test is skipped."""
    return "gcc" if shutil.which("arm-none-eabi-gcc") else require_toolchain("zig")


def render(directory: Path, board: str = "nano33ble", **options: Any) -> Project:
    """The trivial network's project; ``sources`` replaces its C."""
    sources = options.pop("sources", SOURCES)
    return render_project(load_board(board), sources, output_dir=directory, **options)


@lru_cache(maxsize=64)
def _built(root: Path, board: str, toolchain: str, env: str) -> BuiltFirmware:
    project = render(root / f"{board}-{toolchain}", board, toolchain=toolchain)
    return build_project(project, env=env)


def built(factory: pytest.TempPathFactory, board: str, toolchain: str, env: str | None = None) -> BuiltFirmware:
    """The trivial network's firmware, built once in a test session."""
    return _built(factory.getbasetemp(), board, toolchain, env or board)


def hide_programs(monkeypatch: pytest.MonkeyPatch, directory: Path, *prefixes: str) -> None:
    """A PATH with everything that is on it now but the programs whose names begin with one of ``prefixes``."""
    directory.mkdir(parents=True)
    for folder in reversed(os.environ["PATH"].split(os.pathsep)):
        if not Path(folder).is_dir():
            continue
        for program in Path(folder).iterdir():
            link = directory / program.name
            if not program.name.startswith(prefixes):
                link.unlink(missing_ok=True)
                link.symlink_to(program)
    monkeypatch.setenv("PATH", str(directory))
