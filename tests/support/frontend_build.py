"""Compiles a front-end's C for this machine and runs it over sound: int16 in on stdin, int8 features out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.host_build import WARNINGS, compile_c, host_compiler, sanitizer_flags
from tinyml.features.audio import AudioConfig, audio_source
from tinyml.paths import templates_dir

RING_SAMPLES = 4096
_MAIN = f"""
#include <stdint.h>
#include <stdio.h>
#include "frontend.h"

static int16_t ring[{RING_SAMPLES}];

int main(void) {{
    uint32_t written = 0, first = 0;
    int16_t sample;
    int8_t features[FRONTEND_FEATURES];
    while (fread(&sample, sizeof sample, 1, stdin) == 1) {{
        ring[written++ % {RING_SAMPLES}u] = sample;
        if (written - first < FRONTEND_WINDOW_SAMPLES) continue;
        frontend_frame(ring, {RING_SAMPLES}u, first, features);
        first += FRONTEND_HOP_SAMPLES;
        if (fwrite(features, 1, sizeof features, stdout) != sizeof features) return 1;
    }}
    return 0;
}}
"""


def write_frontend(config: AudioConfig, folder: Path) -> Path:
    """The front-end's C files in ``folder``, beside the header of its stages; the path of ``frontend.c``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in audio_source(config).files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "frontend.c"


def host_frontend(config: AudioConfig, folder: Path, *, sanitize: bool = True) -> Path:
    """An executable of the front-end; a diagnostic of the compiler fails the test."""
    source = write_frontend(config, folder)
    main = folder / "main.c"
    main.write_text(_MAIN, encoding="utf-8")
    program = folder / "frontend"
    flags = ["-std=c11", "-O2", *WARNINGS, *(sanitizer_flags() if sanitize else ())]
    include = ["-I", str(templates_dir() / "frontend")]
    compile_c(host_compiler(), [source, main], program, [*flags, *include])
    return program


def run_frontend(program: Path, sound: NDArray[np.int16], features: int) -> NDArray[np.int8]:
    """The features ``[frames, features]`` of a sound; a sanitizer's report fails the test."""
    done = subprocess.run([str(program)], input=sound.tobytes(), capture_output=True, check=False, timeout=3600)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[:4000]
    return np.frombuffer(done.stdout, np.int8).reshape(-1, features)
