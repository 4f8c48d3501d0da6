"""Reads 16-bit mono clips: WAV through soundfile where it is installed, otherwise through the standard library."""

from __future__ import annotations

import io
import math
import wave

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import CorruptSampleError
from tinyml.errors import UsageError

_SMALLEST_RATE_HZ = 4_000
_LARGEST_RATE_HZ = 192_000


def decode_wav(data: bytes) -> tuple[int, NDArray[np.int16]]:
    """Sample rate in Hz and int16 samples ``[samples]`` of a WAV file's bytes; several channels are averaged.

    Raises CorruptSampleError for bytes that are no sound file, for one without samples or with an unlikely rate.
    """
    try:
        import soundfile
    except ImportError:
        rate_hz, samples = _decode_standard(data)
    else:
        try:
            decoded, rate_hz = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError, ValueError) as error:
            cause = str(getattr(error, "error_string", error)).rstrip(".")  # without the place of the bytes in memory
            raise CorruptSampleError(f"is not a readable sound file ({cause})") from None
        samples = _mix_down(np.asarray(decoded))
    if not len(samples):
        raise CorruptSampleError("has no samples")
    if not _SMALLEST_RATE_HZ <= rate_hz <= _LARGEST_RATE_HZ:
        raise CorruptSampleError(f"has a sample rate of {rate_hz} Hz")
    return rate_hz, samples


def _mix_down(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    if samples.shape[1] == 1:
        return samples[:, 0]
    return np.asarray(np.floor(samples.mean(axis=1) + 0.5), dtype=np.int16)


def _decode_standard(data: bytes) -> tuple[int, NDArray[np.int16]]:
    try:
        with wave.open(io.BytesIO(data), "rb") as reader:
            if reader.getsampwidth() != 2:
                raise CorruptSampleError(f"has {8 * reader.getsampwidth()}-bit samples; soundfile would read them")
            raw = reader.readframes(reader.getnframes())
            channels, rate_hz = reader.getnchannels(), reader.getframerate()
    except (wave.Error, EOFError, ValueError) as error:
        raise CorruptSampleError(f"is not a readable WAV file ({error})") from None
    whole = len(raw) - len(raw) % (2 * channels)
    samples = np.frombuffer(raw[:whole], dtype="<i2").astype(np.int16).reshape(-1, channels)
    return rate_hz, _mix_down(samples)


def resample(samples: NDArray[np.int16], rate_hz: int, wanted_hz: int) -> NDArray[np.int16]:
    """int16 samples at another rate, band-limited (SciPy's polyphase filter); UsageError where SciPy is missing."""
    if rate_hz == wanted_hz:
        return samples
    try:
        from scipy.signal import resample_poly
    except ImportError:
        raise UsageError(
            f"a clip at {rate_hz} Hz has to be resampled to {wanted_hz} Hz, which needs SciPy",
            hint="pip install 'tinyml[train]', or resample the clips",
        ) from None
    common = math.gcd(rate_hz, wanted_hz)
    wide = resample_poly(samples.astype(np.float64), wanted_hz // common, rate_hz // common)
    return np.asarray(np.clip(np.floor(wide + 0.5), -32768, 32767), dtype=np.int16)


def fit_length(samples: NDArray[np.int16], length: int) -> NDArray[np.int16]:
    """Exactly ``length`` samples: the middle of a longer clip, a shorter one between zeros, the odd zero last."""
    if len(samples) >= length:
        start = (len(samples) - length) // 2
        return samples[start : start + length]
    before = (length - len(samples)) // 2
    result = np.zeros(length, dtype=np.int16)
    result[before : before + len(samples)] = samples
    return result
