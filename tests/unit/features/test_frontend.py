"""The integer front-end: close to its float definition, never beyond its bit widths, streaming equal to batch."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.conftest import Golden
from tests.unit.features.float_reference import float_features
from tests.unit.features.sounds import extremes, reproducible, speech_like
from tinyml.errors import UsageError
from tinyml.features import FrontendConfig, arithmetic, default_config, frontend
from tinyml.features.calibrate import calibrate
from tinyml.features.frontend import band_energies
from tinyml.features.tables import column, tables

CONFIGS = {
    "mfcc": FrontendConfig(),
    "log_mel": FrontendConfig(coefficients=0),
    "small": FrontendConfig(window_samples=256, hop_samples=160, fft_size=256, bands=10, coefficients=10, low_hz=100),
    "wide": FrontendConfig(
        window_samples=1024, hop_samples=512, fft_size=1024, bands=32, high_hz=8000, coefficients=13
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_close_to_the_float_definition(name: str) -> None:
    config = CONFIGS[name]
    clips = np.stack([speech_like(seed) for seed in range(12)])
    got = frontend(config).process_unscaled(clips) / 32768.0
    wanted = float_features(clips, config)
    assert got.shape == wanted.shape == (12, *config.shape(16_000))
    error = got - wanted
    signal = wanted - wanted.mean(axis=(0, 1))
    assert 10 * np.log10((signal**2).mean() / (error**2).mean()) > 60.0
    assert np.abs(error).max() < 0.25


@pytest.mark.parametrize("shift", [0, 4, 8, 12])
def test_quiet_clips_are_as_close(shift: int) -> None:
    config = FrontendConfig(coefficients=0)
    clips = np.stack([speech_like(seed) >> shift for seed in range(4)])
    error = frontend(config).process_unscaled(clips) / 32768.0 - float_features(clips, config)
    assert np.abs(error).max() < 0.25
    assert np.sqrt((error**2).mean()) < 0.01


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
@pytest.mark.parametrize("name", extremes())
def test_every_stage_stays_within_its_bit_width(name: str, config: FrontendConfig) -> None:
    made = tables(config)
    clip = extremes()[name]
    windows = np.lib.stride_tricks.sliding_window_view(clip, config.window_samples)[:: config.hop_samples]
    windowed = arithmetic.apply_window(windows.T.astype(np.int64), made)
    assert np.abs(windowed).max() <= 1 << 30
    for real, imaginary in arithmetic.fft_stages(windowed, made):
        assert max(np.abs(real).max(), np.abs(imaginary).max()) < 1 << 31
        assert (
            max(np.abs(arithmetic.multiply_high(part, column([32768]))).max() for part in (real, imaginary)) < 1 << 30
        )
    half = config.fft_size // 2
    folded = [part[np.arange(half)] + part[-np.arange(half)] for part in (real, imaginary)]
    assert max(np.abs(part).max() for part in folded) < 1 << 31
    spectrum = arithmetic.real_spectrum(real, imaginary, made)
    assert max(np.abs(part).max() for part in spectrum) < 1 << 31
    powers = arithmetic.power(*spectrum, config.floor_power)
    assert config.floor_power <= powers.min() and powers.max() < 1 << 62
    shifts = arithmetic.block_shift(powers)
    assert shifts.min() >= 0 and shifts.max() <= 29
    assert (powers >> shifts).max() < 1 << 32
    energies = arithmetic.mel_energies(powers, shifts, made)
    assert energies.min() >= 0 and energies.max() < 1 << 60
    logs = arithmetic.log2_q9(energies, shifts, made)
    assert logs.min() >= -(1 << 15) and logs.max() < 1 << 15
    values = arithmetic.cosine_transform(logs, made)
    assert np.abs(values).max() < 1 << 25


@pytest.mark.parametrize("bands", range(10, 41))
def test_cosine_transform_cannot_overflow_int32_whatever_the_logs(bands: int) -> None:
    rows = np.abs(np.asarray(tables(FrontendConfig(bands=bands, coefficients=bands)).dct, dtype=np.int64)).sum(axis=1)
    assert rows.max() * 32768 < 1 << 31


@pytest.mark.parametrize("seed", range(6))
def test_streaming_gives_the_frames_of_the_batch(seed: int) -> None:
    random = np.random.default_rng(seed)
    made = frontend(default_config())
    clip = speech_like(seed, 16_000 + int(random.integers(4_000)))
    stream = made.stream()
    parts, place = [], 0
    while place < len(clip):
        size = int(random.choice([1, 100, 319, 320, 321, 480, 700, 2_000]))
        parts.append(stream.push(clip[place : place + size]))
        place += size
    assert np.array_equal(np.concatenate(parts), made.process(clip))


def test_one_clip_equals_that_clip_among_others_and_any_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    made = frontend(default_config())
    clips = np.stack([speech_like(seed) for seed in range(5)])
    together = made.process(clips)
    assert together.shape == (5, 49, 10) and together.dtype == np.int8
    monkeypatch.setattr(sys.modules["tinyml.features.frontend"], "_FRAMES_AT_ONCE", 7)
    assert np.array_equal(together[3], made.process(clips[3]))


NORMALISED = FrontendConfig(gain_strength=200, noise_smoothing=800)


def test_normalisation_takes_what_is_steady_out_of_the_features() -> None:
    """A voice over a steady hum: loudness changes the features less than without normalisation."""
    hum = (3_000 * np.sin(2 * np.pi * 400 * np.arange(32_000) / 16_000)).astype(np.int16)
    plain, normalised = (frontend(replace(NORMALISED, gain_strength=strength)) for strength in (0, 200))
    quiet, loud = (hum // 8).astype(np.int16), hum
    difference = [
        float(np.abs(made.process_unscaled(loud)[50:] - made.process_unscaled(quiet)[50:]).mean())
        for made in (plain, normalised)
    ]
    assert difference[1] < 0.4 * difference[0]


@pytest.mark.parametrize("seed", range(3))
def test_normalisation_streams_as_it_runs_over_a_whole_clip(seed: int) -> None:
    random = np.random.default_rng(seed)
    made = frontend(calibrate(NORMALISED, np.stack([speech_like(s) for s in range(4)])))
    clip = speech_like(seed, 40_000)
    stream = made.stream()
    cuts = np.sort(random.integers(0, len(clip), 12))
    parts = [stream.push(part) for part in np.split(clip, cuts)]
    assert np.array_equal(np.concatenate(parts), made.process(clip))
    assert np.array_equal(made.process(np.stack([clip, clip]))[1], made.process(clip))


@pytest.mark.parametrize("floor_power", [1 << 16, 1 << 23, 1 << 40])
@pytest.mark.parametrize("name", extremes())
def test_normalisation_stays_within_its_bit_widths(name: str, floor_power: int) -> None:
    config = replace(NORMALISED, floor_power=floor_power, gain_strength=256)
    made = tables(config)
    windows = np.lib.stride_tricks.sliding_window_view(extremes()[name], config.window_samples)[:: config.hop_samples]
    energies, shifts = band_energies(windows, config, made)
    plain = arithmetic.plain_energies(energies, shifts, made)
    assert plain.min() >= 0 and plain.max() < 1 << 47
    logs = arithmetic.normalise(arithmetic.log2_q9(energies, shifts, made), plain, 256, made)
    assert logs.min() >= -(1 << 15) and logs.max() < 1 << 15


def test_silence_is_constant_and_louder_raises_the_first_coefficient() -> None:
    made = frontend(default_config())
    silence = made.process(np.zeros(16_000, np.int16))
    assert (silence == silence[0]).all()
    quiet, loud = (made.process_unscaled((speech_like(3) // divisor).astype(np.int16)) for divisor in (16, 1))
    assert loud[:, 0].mean() > quiet[:, 0].mean() + 32768


def test_multiply_high_is_two_16_bit_products() -> None:
    random = np.random.default_rng(0)
    values = random.integers(-(1 << 31), 1 << 31, 10_000)
    factors = random.integers(-(1 << 15), 1 << 15, 10_000)
    split = (values >> 16) * factors + (((values & 0xFFFF) * factors) >> 16)
    assert np.array_equal(arithmetic.multiply_high(values, factors), split)


def test_bit_length_is_pythons() -> None:
    values = [0, 1, 2, 3, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 62) + 5, (1 << 63) - 1]
    assert arithmetic.bit_length(np.asarray(values, dtype=np.int64)).tolist() == [
        value.bit_length() for value in values
    ]


def test_log2_is_within_two_thousandths() -> None:
    made = tables(FrontendConfig())
    random = np.random.default_rng(0)
    energies = np.concatenate(
        ([1, 2, 3, 65_535, 65_536, (1 << 59) - 1], (2 ** random.uniform(0, 59, 5_000)).astype(np.int64))
    )
    shifts = random.integers(0, 30, len(energies))
    got = (arithmetic.log2_q9(energies, shifts, made) + made.log_offset) / 512.0
    assert np.abs(got - (np.log2(energies.astype(np.float64)) + shifts)).max() < 0.002


def test_calibration_centres_and_spreads_the_features() -> None:
    clips = np.stack([speech_like(seed) for seed in range(20)])
    config = calibrate(FrontendConfig(), clips)
    features = frontend(config).process(clips).astype(np.float64)
    assert np.abs(features.mean(axis=(0, 1))).max() < 3
    assert np.abs(features.std(axis=(0, 1)) - 32).max() < 4


def test_five_thousand_clips_take_less_than_a_minute() -> None:
    clips = np.stack([speech_like(seed) for seed in range(50)])
    made = frontend(default_config())
    start = time.process_time()
    made.process(clips)
    assert (time.process_time() - start) * 100 < 60.0


def test_refuses_what_it_cannot_take() -> None:
    made = frontend(default_config())
    wrong: Any = np.zeros(16_000, np.float32)
    with pytest.raises(UsageError, match="takes int16"):
        made.process(wrong)
    with pytest.raises(UsageError, match="479 samples is shorter"):
        made.process(np.zeros(479, np.int16))
    with pytest.raises(UsageError, match="no offsets and gains"):
        frontend(FrontendConfig()).process(np.zeros(16_000, np.int16))
    with pytest.raises(UsageError, match="a stream takes int16"):
        made.stream().push(wrong)
    with pytest.raises(UsageError, match="covers no bin"):
        frontend(FrontendConfig(fft_size=128, window_samples=128, hop_samples=64))


def test_tables_and_features_are_the_reviewed_ones(golden: Golden) -> None:
    config = default_config()
    made = tables(config)
    lines = [f"digest {config.digest()}", f"first_bin {made.first_bin} end_bin {made.end_bin} bytes {made.table_bytes}"]
    for name in ("window", "fft_cos", "fft_sin", "split_cos", "split_sin", "log2"):
        values = getattr(made, name)
        weighted = sum((index + 1) * value for index, value in enumerate(values))
        lines.append(f"{name} {len(values)} first {values[1]} sum {sum(values)} weighted {weighted}")
    lines += [f"band {index} from {band.first_bin}: {band.weights}" for index, band in enumerate(made.bands)]
    lines += [f"dct {index}: {row}" for index, row in enumerate(made.dct)]
    golden("features/frontend_tables.txt", "\n".join(lines) + "\n")
    vectors = []
    sounds = {"reproducible": reproducible(), **extremes(1_500)}
    del sounds["random"], sounds["sine"]
    for name, clip in sounds.items():
        frames = frontend(config).process(clip)
        vectors += [f"{name} {index}: {' '.join(map(str, row))}" for index, row in enumerate(frames)]
    golden("features/frontend_vectors.txt", "\n".join(vectors) + "\n")
