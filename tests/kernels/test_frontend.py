"""The audio front-end in C against its Python definition: every byte, over long sound and whatever the definition."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.core_build import CORES, Machine, compile_core
from tests.support.frontend_build import host_frontend, run_frontend
from tests.support.host_build import clang
from tests.unit.features.sounds import extremes, speech_like
from tinyml.errors import UsageError
from tinyml.features import FrontendConfig, default_config, frontend
from tinyml.features.c_source import frontend_source
from tinyml.features.config import MAX_BANDS
from tinyml.paths import templates_dir

CI_SECONDS, SWEEP_SECONDS = 600, 3600
SAMPLES = 1024
_MAIN = f"""
int16_t ring[{SAMPLES}];
int8_t out[FRONTEND_FEATURES];
void one_frame(void);
void one_frame(void) {{ frontend_frame(ring, {SAMPLES}u, 3u, out); }}
"""


def random_definition(random: np.random.Generator) -> FrontendConfig:
    """A calibrated front-end drawn from all that the definition allows; drawn again where a mel band is empty."""
    while True:
        rate = int(random.choice([8_000, 16_000, 22_050, 44_100]))
        size = int(random.choice([128, 256, 512, 1024, 2048]))
        window = int(random.integers(size // 4, size + 1))
        bands = int(random.integers(10, MAX_BANDS + 1))
        low = int(random.integers(0, 300))
        config = FrontendConfig(
            sample_rate_hz=rate,
            window_samples=window,
            hop_samples=int(random.integers(max(1, window // 8), window + 1)),
            fft_size=size,
            bands=bands,
            low_hz=low,
            high_hz=int(random.integers(low + 1_000, rate // 2 + 1)),
            floor_power=int(2 ** random.uniform(16, 40)),
            coefficients=int(random.choice([0, int(random.integers(1, bands + 1))])),
            input_zero_point=int(random.integers(-128, 128)),
            **_normalisation(random),
        )
        offsets = random.integers(-(1 << 26), 1 << 26, config.features)
        offsets[: config.features // 2] //= 64
        gains = np.maximum(2 ** random.uniform(0, 20, config.features), 1).astype(np.int64)
        gains[: config.features // 2] = random.integers(10, 500, config.features // 2)
        config = config.with_affine(tuple(map(int, offsets)), tuple(map(int, gains)))
        try:
            frontend(config)
        except UsageError:
            continue
        return config


def _normalisation(random: np.random.Generator) -> dict[str, int]:
    if random.random() < 0.5:
        return {}
    return {"gain_strength": int(random.integers(1, 257)), "noise_smoothing": int(2 ** random.uniform(0, 15))}


def long_sound(seed: int, seconds: int) -> NDArray[np.int16]:
    """Speech-like seconds at many levels, the extremes of 16 bits, and white noise between them."""
    random = np.random.default_rng(seed)
    parts: list[NDArray[np.int16]] = []
    while sum(map(len, parts)) < 16_000 * seconds:
        kind = int(random.integers(8))
        if kind == 0:
            parts.append(random.choice(list(extremes(int(random.integers(200, 6_000))).values())))
        elif kind == 1:
            level = int(2 ** random.uniform(0, 15))
            parts.append(random.integers(-level, level, 8_000).astype(np.int16))
        else:
            parts.append(speech_like(int(random.integers(1 << 30))) >> int(random.integers(0, 12)))
    return np.concatenate(parts)


def assert_same(config: FrontendConfig, sound: NDArray[np.int16], folder: Path) -> None:
    got = run_frontend(host_frontend(config, folder), sound, config.features)
    wanted = frontend(config).process(sound)
    assert got.shape == wanted.shape
    wrong = np.argwhere(got != wanted)
    assert not len(wrong), f"{len(wrong)} features differ, the first at {wrong[0]}: {config}"


def test_ten_minutes_of_sound_give_the_same_bytes(tmp_path: Path) -> None:
    assert_same(default_config(), long_sound(0, CI_SECONDS), tmp_path)


@pytest.mark.parametrize("seed", range(12))
def test_any_definition_gives_the_same_bytes(tmp_path: Path, seed: int) -> None:
    assert_same(random_definition(np.random.default_rng(seed)), long_sound(seed, 5), tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(100, 106))
def test_hours_of_sound_give_the_same_bytes(tmp_path: Path, seed: int) -> None:
    assert_same(default_config(), long_sound(seed, SWEEP_SECONDS), tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(1_000, 1_200))
def test_hundreds_of_definitions_give_the_same_bytes(tmp_path: Path, seed: int) -> None:
    assert_same(random_definition(np.random.default_rng(seed)), long_sound(seed, 60), tmp_path)


def core_frontend(config: FrontendConfig, core: str, folder: Path, compiler: str) -> Machine:
    files = frontend_source(config).files
    stages = (templates_dir() / "frontend" / "tml_frontend.h").read_text(encoding="utf-8")
    elf = compile_core(
        files["frontend.c"] + _MAIN,
        core,
        folder,
        entries=("one_frame", "ring", "out"),
        compiler=compiler,
        optimise="-Os" if compiler == "gcc" else "-O3",
        headers={"frontend.h": files["frontend.h"], "tml_frontend.h": stages},
    )
    return Machine(elf, core)


BARS = {"cortex-m0plus": 125_000, "cortex-m3": 58_000, "cortex-m4": 47_000, "cortex-m7": 47_000, "cortex-m33": 47_000}
"""Instructions of one frame of 20 ms: what issue and documentation state, with a margin for other compilers."""


@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("core", BARS)
def test_a_frame_on_the_core_is_the_same_and_within_its_bar(tmp_path: Path, core: str, compiler: str) -> None:
    assert core in CORES
    config = default_config()
    machine = core_frontend(config, core, tmp_path, compiler)
    for clip in (*extremes(SAMPLES).values(), speech_like(7)[6_000 : 6_000 + SAMPLES]):
        machine.write("ring", clip.tobytes())
        count = machine.count("one_frame")
        wanted = frontend(config).process(clip[3 : 3 + config.window_samples])
        assert np.array_equal(np.frombuffer(machine.read("out", config.features), np.int8), wanted[0])
        assert count < BARS[core]


def test_memory_is_as_stated(tmp_path: Path) -> None:
    config = default_config()
    made = frontend_source(config)
    machine = core_frontend(config, "cortex-m4", tmp_path, "gcc")
    assert machine.size("bins") + machine.size("logs") == made.ram_bytes <= 6 * 1024
    tables = (
        "window",
        "twiddles",
        "split_twiddles",
        "mel_bands",
        "mel_weights",
        "log2_table",
        "dct",
        "offsets",
        "gains",
    )
    assert sum(machine.size(name) for name in tables) == made.table_bytes


@pytest.mark.parametrize("language", ["cc", "c++"])
def test_it_compiles_without_warnings_as_c_and_as_cpp(tmp_path: Path, language: str) -> None:
    files = frontend_source(default_config()).files
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    flags = ["-std=c11"] if language == "cc" else ["-x", "c++", "-std=c++17"]
    command = [*clang(language), *flags, "-Wall", "-Wextra", "-Werror", "-c", "-o", str(tmp_path / "frontend.o")]
    command += ["-I", str(templates_dir() / "frontend"), "-I", str(tmp_path), str(tmp_path / "frontend.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_calibration_there_is_no_c() -> None:
    with pytest.raises(UsageError, match="no offsets and gains"):
        frontend_source(replace(default_config(), offsets=(), gains=()))
