"""Augmentation of audio clips on the waveform, before the integer front-end: shift, speed, volume, background noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from tinyml.data.rooms import reverberate, room_response

Clips = npt.NDArray[np.int16]
Waves = npt.NDArray[np.float32]

SILENCE_RMS = (0.5, 10_000.0)
"""Loudness of silence in 16-bit units, root mean square: noise is no word, however loud."""

WHITE_SHARE = 0.125

_FULL_SCALE = 32768.0


@dataclass(frozen=True)
class AudioAugmentation:
    """How far clips are changed. Each change is drawn anew for each clip.

    ``speed`` is the largest relative change of speed, and with it of pitch; ``gain_db`` the range of volumes;
    ``noise_chance`` the share of clips with noise, ``snr_db`` the range of its distance below the clip.
    ``room_chance`` is the share of clips that sound in a made-up room of a reverberation time from ``room_s`` with
    ``direct_db`` more energy coming directly (:func:`tinyml.data.rooms.room_response`).
    """

    shift_ms: float = 100.0
    speed: float = 0.12
    gain_db: tuple[float, float] = (-12.0, 6.0)
    noise_chance: float = 0.7
    snr_db: tuple[float, float] = (3.0, 30.0)
    room_chance: float = 0.0
    room_s: tuple[float, float] = (0.08, 0.5)
    direct_db: tuple[float, float] = (0.0, 12.0)


def augment_clips(
    clips: Clips,
    noises: Sequence[npt.NDArray[np.int16]],
    rng: np.random.Generator,
    options: AudioAugmentation,
    sample_rate_hz: int,
) -> Clips:
    """Changed copies of int16 clips of shape (n, samples), saturated to 16 bits."""
    reach = round(options.shift_ms * sample_rate_hz / 1000)
    waves = np.empty(clips.shape, np.float32)
    for row, clip in enumerate(clips):
        waves[row] = warp(clip, float(rng.uniform(-options.speed, options.speed)), int(rng.integers(-reach, reach + 1)))
    if options.room_chance > 0:
        put_in_rooms(waves, rng, options, sample_rate_hz)
    gains = 10.0 ** (rng.uniform(*options.gain_db, len(clips)) / 20)
    waves *= gains[:, np.newaxis].astype(np.float32)
    mixed = rng.random(len(clips)) < options.noise_chance
    if noises and mixed.any():
        background = noise_windows(noises, int(mixed.sum()), clips.shape[1], rng)
        snr_db = rng.uniform(*options.snr_db, len(background))
        level = np.maximum(_rms(waves[mixed]), 1.0) / np.maximum(_rms(background), 1.0) / 10.0 ** (snr_db / 20)
        waves[mixed] += background * level[:, np.newaxis].astype(np.float32)
    return saturate(waves)


def warp(clip: npt.NDArray[np.int16], speed: float, shift: int) -> Waves:
    """One clip played ``1 + speed`` times as fast about its middle and moved by ``shift`` samples, zeros around it."""
    length = len(clip)
    middle = (length - 1) / 2
    places = (np.arange(length) - middle - shift) * (1.0 + speed) + middle
    moved: Waves = np.interp(places, np.arange(length), clip, left=0.0, right=0.0).astype(np.float32)
    return moved


def put_in_rooms(waves: Waves, rng: np.random.Generator, options: AudioAugmentation, sample_rate_hz: int) -> None:
    """Let some of the clips (n, samples) sound in rooms, each in its own, in place; their energy stays alike."""
    for row in np.flatnonzero(rng.random(len(waves)) < options.room_chance):
        time_s, direct_db = float(rng.uniform(*options.room_s)), float(rng.uniform(*options.direct_db))
        waves[row] = reverberate(waves[row], room_response(time_s, direct_db, sample_rate_hz, rng))


def noise_windows(noises: Sequence[npt.NDArray[np.int16]], count: int, samples: int, rng: np.random.Generator) -> Waves:
    """Random windows ``[count, samples]`` out of longer recordings; a recording that is too short is repeated."""
    out = np.empty((count, samples), np.float32)
    for row in range(count):
        noise = noises[int(rng.integers(len(noises)))]
        start = int(rng.integers(max(1, len(noise) - samples + 1)))
        window = noise[start : start + samples]
        out[row] = np.resize(window, samples) if len(window) < samples else window
    return out


def make_silence(noises: Sequence[npt.NDArray[np.int16]], count: int, samples: int, rng: np.random.Generator) -> Clips:
    """``[count, samples]`` without speech: noise of log-uniform loudness from nothing to a roar, an eighth white."""
    waves = rng.normal(0.0, 1.0, (count, samples)).astype(np.float32)
    recorded = rng.random(count) >= WHITE_SHARE
    if noises and recorded.any():
        waves[recorded] = noise_windows(noises, int(recorded.sum()), samples, rng)
    wanted = np.exp(rng.uniform(log(SILENCE_RMS[0]), log(SILENCE_RMS[1]), count))
    return saturate(waves * (wanted / np.maximum(_rms(waves), 1e-3))[:, np.newaxis].astype(np.float32))


def make_foreign(clips: Clips, count: int, rng: np.random.Generator) -> Clips:
    """Speech that holds no keyword, made out of keywords: clips played backwards, and halves of two joined crosswise.

    They teach the network that a keyword's sounds in another order are another word; real other words are scarce.
    """
    first, second = rng.integers(len(clips), size=(2, count))
    half = clips.shape[1] // 2
    fade = np.linspace(0.0, 1.0, 320, dtype=np.float32)
    step = np.concatenate([np.zeros(half - 160), fade, np.ones(clips.shape[1] - half - 160)]).astype(np.float32)
    joined = clips[first, ::-1] * (1 - step) + clips[second, ::-1] * step
    whole = rng.random(count) < 0.5
    joined[whole] = clips[first[whole], ::-1]
    return saturate(joined)


def cut_off(clips: Clips, rng: np.random.Generator, least: float, most: float) -> Clips:
    """Copies of int16 clips (n, samples) moved out of their window, either way, by ``least`` to ``most`` of its length.

    What a detector sees that looks at a stream of sound every few frames: the end of one word, the beginning of
    another. Zeros come in from the other side.
    """
    length = clips.shape[1]
    moved = np.zeros_like(clips)
    for row, clip in enumerate(clips):
        shift = round(float(rng.uniform(least, most)) * length)
        if rng.random() < 0.5:
            moved[row, shift:] = clip[: length - shift]
        else:
            moved[row, : length - shift] = clip[shift:]
    return moved


def saturate(waves: Waves) -> Clips:
    """Round to int16, saturating."""
    return np.clip(np.rint(waves), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def _rms(waves: Waves) -> npt.NDArray[np.float64]:
    return np.asarray(np.sqrt(np.mean(np.square(waves, dtype=np.float64), axis=1)))
