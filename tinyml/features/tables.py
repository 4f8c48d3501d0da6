"""The integer tables of a front-end, computed once in float64 and rounded to integers.

``round`` below is ``floor(x + 0.5)``. Every table entry lies so far from a rounding tie, or is exact, that any IEEE 754
double mathematics library gives the same integers; a golden test holds the default tables.

* window, Q15, int16: ``min(32767, round(32768 * (0.5 - 0.5 * cos(2 pi n / window))))``, the periodic Hann window.
* twiddles, Q15: ``round(32768 * cos(2 pi k / N))`` and ``round(-32768 * sin(2 pi k / N))``. Index 0 is +32768, not an
  int16: a product with it is ``b >> 1`` and C leaves the multiplication out.
* mel weights, Q15, uint16: triangles with their corners equally spaced on the scale ``2595 * log10(1 + f / 700)``
  (O'Shaughnessy 1987, as in HTK), linear in mel as in ``tf.signal.linear_to_mel_weight_matrix``, peak 1.0.
* log2, Q15, uint16: ``round(32768 * log2(1 + i / 64))`` for i = 0 … 64.
* cosine transform, Q13, int16: the orthonormal type II, ``round(8192 * s_k * cos(pi * k * (j + 0.5) / bands))`` with
  ``s_0 = sqrt(1 / bands)`` and ``s_k = sqrt(2 / bands)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tinyml.errors import UsageError
from tinyml.features.config import FrontendConfig

LOG_SEGMENT_BITS = 6
ENERGY_UNIT_BITS = 16


@dataclass(frozen=True)
class MelBand:
    """One band: the first bin that it weighs and the Q15 weights from there on."""

    first_bin: int
    weights: tuple[int, ...]


@dataclass(frozen=True)
class FrontendTables:
    """The tables of one definition, all integers, as C holds them.

    ``window`` (window_samples), ``fft_cos``/``fft_sin`` (fft_size / 4 twiddles of the half-length complex transform),
    ``split_cos``/``split_sin`` (fft_size / 2 twiddles of the real transform's last step), ``reversal`` (order in which
    the complex transform reads its input), ``bands``, ``log2`` (65), ``dct`` (coefficients rows of bands columns),
    ``first_bin`` and ``end_bin`` (the bins that any band weighs), ``log_offset`` (log2 units, Q9), ``energy_shift``
    (the right shift that brings a band's energy at the floor, with a weight of 1, to 2**16).
    """

    window: tuple[int, ...]
    reversal: tuple[int, ...]
    fft_cos: tuple[int, ...]
    fft_sin: tuple[int, ...]
    split_cos: tuple[int, ...]
    split_sin: tuple[int, ...]
    bands: tuple[MelBand, ...]
    log2: tuple[int, ...]
    dct: tuple[tuple[int, ...], ...]
    first_bin: int
    end_bin: int
    log_offset: int
    energy_shift: int

    @property
    def table_bytes(self) -> int:
        """Flash that the tables take in C: 16-bit entries, and 4 bytes a band for its first bin and its length."""
        entries = len(self.window) + len(self.log2) + sum(len(row) for row in self.dct)
        entries += len(self.fft_cos) + len(self.fft_sin) + len(self.split_cos) + len(self.split_sin)
        entries += sum(len(band.weights) + 2 for band in self.bands)
        return 2 * entries


def _round(value: float) -> int:
    return math.floor(value + 0.5)


def _mel(hz: float) -> float:
    return 2595.0 * math.log10(1.0 + hz / 700.0)


def _twiddles(count: int, period: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    angles = [2.0 * math.pi * index / period for index in range(count)]
    return (
        tuple(_round(32768.0 * math.cos(angle)) for angle in angles),
        tuple(_round(-32768.0 * math.sin(angle)) for angle in angles),
    )


def _mel_bands(config: FrontendConfig) -> tuple[MelBand, ...]:
    low, high = _mel(config.low_hz), _mel(config.high_hz)
    corners = [low + (high - low) * index / (config.bands + 1) for index in range(config.bands + 2)]
    bin_mels = [_mel(index * config.sample_rate_hz / config.fft_size) for index in range(config.fft_size // 2 + 1)]
    bands = []
    for index in range(config.bands):
        left, centre, right = corners[index : index + 3]
        weights = [
            _round(32768.0 * max(0.0, min((mel - left) / (centre - left), (right - mel) / (right - centre))))
            for mel in bin_mels
        ]
        used = [position for position, weight in enumerate(weights) if weight]
        if not used:
            raise UsageError(
                f"front-end definition: mel band {index} of {config.bands} covers no bin of the {config.fft_size}-point"
                " transform",
                hint="use fewer bands, a longer transform or a wider range of frequencies",
            )
        bands.append(MelBand(used[0], tuple(weights[used[0] : used[-1] + 1])))
    return tuple(bands)


def _dct(coefficients: int, bands: int) -> tuple[tuple[int, ...], ...]:
    rows = []
    for k in range(coefficients):
        scale = 8192.0 * math.sqrt((1.0 if k == 0 else 2.0) / bands)
        rows.append(tuple(_round(scale * math.cos(math.pi * k * (j + 0.5) / bands)) for j in range(bands)))
    return tuple(rows)


@lru_cache(maxsize=16)
def tables(config: FrontendConfig) -> FrontendTables:
    """The tables of a definition; UsageError where a mel band would be empty."""
    window, half = config.window_samples, config.fft_size // 2
    bits = half.bit_length() - 1
    bands = _mel_bands(config)
    fft_cos, fft_sin = _twiddles(half // 2, half)
    split_cos, split_sin = _twiddles(half, config.fft_size)
    return FrontendTables(
        window=tuple(
            min(32767, _round(32768.0 * (0.5 - 0.5 * math.cos(2.0 * math.pi * n / window)))) for n in range(window)
        ),
        reversal=tuple(int(format(index, f"0{bits}b")[::-1], 2) for index in range(half)),
        fft_cos=fft_cos,
        fft_sin=fft_sin,
        split_cos=split_cos,
        split_sin=split_sin,
        bands=bands,
        log2=tuple(_round(32768.0 * math.log2(1.0 + index / 64.0)) for index in range(65)),
        dct=_dct(config.coefficients, config.bands),
        first_bin=min(band.first_bin for band in bands),
        end_bin=max(band.first_bin + len(band.weights) for band in bands),
        log_offset=(config.floor_power.bit_length() - 1 + 15) << 9,
        energy_shift=config.floor_power.bit_length() - 1 + 15 - ENERGY_UNIT_BITS,
    )


def column(values: Sequence[int]) -> NDArray[np.int64]:
    """A table as an int64 column, to go with arrays of one frame a column."""
    return np.asarray(values, dtype=np.int64)[:, np.newaxis]
