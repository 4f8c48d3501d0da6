"""Properties of made rooms and noises: energy, decay, spectrum, the distance between speech and noise."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.data.makers import tone
from tinyml.data.rooms import COLOURS, coloured_noise, mix_at_snr, reverberate, room_response

RATE_HZ = 16_000


@pytest.mark.parametrize("reverberation_s", [0.1, 0.4])
def test_a_room_has_unit_energy_and_falls_by_60_db_in_its_reverberation_time(reverberation_s: float) -> None:
    response = room_response(reverberation_s, 6.0, RATE_HZ, np.random.default_rng(1))
    assert response.dtype == np.float32 and np.sum(response**2) == pytest.approx(1.0, rel=1e-4)
    assert response[0] ** 2 / np.sum(response[1:] ** 2) == pytest.approx(10**0.6, rel=1e-3)
    tail = response[1:].astype(np.float64) ** 2
    left_db = 10 * np.log10(np.cumsum(tail[::-1])[::-1] / tail.sum())
    third = len(tail) // 3
    assert left_db[third] - left_db[2 * third] == pytest.approx(20.0, abs=3.0), "a third of the time, a third of 60 dB"


def test_the_same_seed_gives_the_same_room() -> None:
    first, second, other = (room_response(0.2, 3.0, RATE_HZ, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_reverberation_is_a_convolution() -> None:
    wave = tone(1, 300).astype(np.float32)
    assert np.allclose(reverberate(wave, np.array([1.0], np.float32)), wave, rtol=1e-5, atol=1e-2)
    response = np.array([0.5, 0.0, 0.25], np.float32)
    assert np.allclose(reverberate(wave, response), np.convolve(wave, response)[:300], rtol=1e-4, atol=0.1)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_power_of_noise_falls_as_its_colour_says(colour: str) -> None:
    noise = coloured_noise(1 << 16, colour, np.random.default_rng(2))
    assert np.sqrt(np.mean(noise.astype(np.float64) ** 2)) == pytest.approx(1.0, rel=1e-3)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [np.mean(power[1 << k : 2 << k]) for k in range(8, 15)]
    slope = np.polyfit(np.arange(7), np.log2(octaves), 1)[0]
    assert slope == pytest.approx(-COLOURS[colour], abs=0.1)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 25.0])
def test_noise_is_as_far_below_as_asked(snr_db: float) -> None:
    rng = np.random.default_rng(3)
    wave, noise = rng.normal(0, 500, 4_000).astype(np.float32), coloured_noise(4_000, "pink", rng)
    added = mix_at_snr(wave, noise, snr_db) - wave
    assert 10 * np.log10(np.mean(wave**2) / np.mean(added**2)) == pytest.approx(snr_db, abs=0.05)


def test_silence_stays_silence() -> None:
    silence, noise = np.zeros(100, np.float32), np.ones(100, np.float32)
    assert np.array_equal(mix_at_snr(silence, noise, 10.0), silence)
    assert np.array_equal(mix_at_snr(noise, silence, 10.0), noise)
