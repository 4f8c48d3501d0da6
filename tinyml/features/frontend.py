"""The audio front-end: int16 samples to int8 features, whole clips at once or streaming hop by hop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinyml.errors import UsageError
from tinyml.features import arithmetic
from tinyml.features.config import FrontendConfig
from tinyml.features.tables import FrontendTables, tables

_FRAMES_AT_ONCE = 96
"""Frames computed together: their int64 spectra (0.4 MB) stay in the second-level cache."""


@dataclass(frozen=True)
class Frontend:
    """A front-end ready to run; :func:`frontend` makes it from its definition."""

    config: FrontendConfig
    tables: FrontendTables

    def process(self, clips: NDArray[np.int16]) -> NDArray[np.int8]:
        """int8 features ``[frames, features]`` of int16 samples ``[samples]``; several clips add a first axis.

        Samples after the last whole frame are not used. UsageError for another dtype, more than two dimensions, a clip
        shorter than one frame, or a definition that has no offsets and gains yet.
        """
        if not self.config.is_calibrated:
            raise UsageError(
                "the front-end has no offsets and gains for its int8 features",
                hint="calibrate it on training clips (tinyml.features.calibrate) or start from default_config()",
            )
        values = self._values(clips)
        flat = values.reshape(-1, self.config.features).T
        return arithmetic.to_int8(flat, self.config).T.reshape(values.shape)

    def process_unscaled(self, clips: NDArray[np.int16]) -> NDArray[np.int32]:
        """The features before offset, gain and clamp: int32, log2 units with 15 fractional bits; shapes as above."""
        return self._values(clips).astype(np.int32)

    def clip_values(
        self, clip: NDArray[np.int16], noise: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Features before the affine of one clip under per-channel normalisation, and the smoothed energies after it.

        ``noise`` [bands, 1] are those before it, None at the beginning of a stream.
        """
        config = self.config
        windows = np.lib.stride_tricks.sliding_window_view(clip, config.window_samples)[:: config.hop_samples]
        values = np.empty((len(windows), config.features), np.int64)
        for start in range(0, len(windows), _FRAMES_AT_ONCE):
            energies, shifts = band_energies(windows[start : start + _FRAMES_AT_ONCE], config, self.tables)
            plain = arithmetic.plain_energies(energies, shifts, self.tables)
            smoothed = np.empty_like(plain)
            for frame in range(plain.shape[1]):
                now = plain[:, frame : frame + 1]
                noise = now if noise is None else arithmetic.smooth(noise, now, config.noise_smoothing)
                smoothed[:, frame : frame + 1] = noise
            logs = arithmetic.log2_q9(energies, shifts, self.tables)
            logs = arithmetic.normalise(logs, smoothed, config.gain_strength, self.tables)
            values[start : start + plain.shape[1]] = arithmetic.cosine_transform(logs, self.tables).T
        assert noise is not None
        return values, noise

    def stream(self) -> FrontendStream:
        """A new stream at its beginning; its frames are those that :meth:`process` gives for all samples pushed."""
        return FrontendStream(self)

    def _values(self, clips: NDArray[np.int16]) -> NDArray[np.int64]:
        if clips.dtype != np.int16 or clips.ndim not in (1, 2):
            raise UsageError(
                "the front-end takes int16 samples of one clip or of several,"
                f" got {clips.dtype} with {clips.ndim} dimensions"
            )
        batch = clips if clips.ndim == 2 else clips[np.newaxis]
        config = self.config
        frames = config.frames(batch.shape[1])
        if frames == 0:
            raise UsageError(
                f"a clip of {batch.shape[1]} samples is shorter than one frame of {config.window_samples}",
                hint="pad the clip with zeros",
            )
        if config.gain_strength:
            values = np.stack([self.clip_values(clip, None)[0] for clip in batch])
            return values[0] if clips.ndim == 1 else values
        windows = np.lib.stride_tricks.sliding_window_view(batch, config.window_samples, axis=1)
        windows = windows[:, :: config.hop_samples][:, :frames]
        out = np.empty((batch.shape[0] * frames, config.features), dtype=np.int64)
        clips_at_once = max(1, _FRAMES_AT_ONCE // frames)
        for first in range(0, batch.shape[0], clips_at_once):
            part = windows[first : first + clips_at_once].reshape(-1, config.window_samples)
            for start in range(0, len(part), _FRAMES_AT_ONCE):
                block = part[start : start + _FRAMES_AT_ONCE]
                at = first * frames + start
                out[at : at + len(block)] = frame_values(block, config, self.tables)
        shape = (frames, config.features) if clips.ndim == 1 else (batch.shape[0], frames, config.features)
        return out.reshape(shape)


def frame_values(frames: NDArray[np.int16], config: FrontendConfig, made: FrontendTables) -> NDArray[np.int64]:
    """Features before the affine, ``[frames, features]``, of windows of samples ``[frames, window_samples]``."""
    energies, shifts = band_energies(frames, config, made)
    return arithmetic.cosine_transform(arithmetic.log2_q9(energies, shifts, made), made).T


def band_energies(
    frames: NDArray[np.int16], config: FrontendConfig, made: FrontendTables
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The mel bands' energies ``[bands, frames]`` of windows of samples, and each frame's block shift."""
    windowed = arithmetic.apply_window(frames.T.astype(np.int64), made)
    *_, (real, imaginary) = arithmetic.fft_stages(windowed, made)
    spectrum = arithmetic.real_spectrum(real, imaginary, made)
    powers = arithmetic.power(*spectrum, config.floor_power)
    shifts = arithmetic.block_shift(powers)
    return arithmetic.mel_energies(powers, shifts, made), shifts


class FrontendStream:
    """The streaming form: keeps at most one window of samples, as C does, and gives each frame when it is complete."""

    def __init__(self, made: Frontend) -> None:
        self._frontend = made
        self._pending = np.empty(0, dtype=np.int16)
        self._noise: NDArray[np.int64] | None = None

    def push(self, samples: NDArray[np.int16]) -> NDArray[np.int8]:
        """Take any number of int16 samples; the int8 features ``[frames, features]`` of the frames they complete.

        Raises UsageError for samples of another type, or of more than one dimension.
        """
        config = self._frontend.config
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise UsageError(f"a stream takes int16 samples, got {samples.dtype} with {samples.ndim} dimensions")
        self._pending = np.concatenate((self._pending, samples))
        frames = config.frames(len(self._pending))
        if frames == 0:
            return np.empty((0, config.features), dtype=np.int8)
        if config.gain_strength:
            values, self._noise = self._frontend.clip_values(self._pending, self._noise)
            features = arithmetic.to_int8(values.T, config).T
        else:
            features = self._frontend.process(self._pending)
        self._pending = self._pending[frames * config.hop_samples :].copy()
        return features


def frontend(config: FrontendConfig) -> Frontend:
    """The front-end of a definition; UsageError where the definition has an empty mel band."""
    return Frontend(config, tables(config))
