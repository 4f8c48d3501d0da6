"""The arithmetic of the audio front-end, stage by stage, in integers; ``>>`` is the arithmetic shift, which floors.

Arrays are int64 with one frame a column, ``[values, frames]``; the bit widths below are what C needs. Nothing wraps and
nothing saturates before the last clamp to int8: each bound is proven in its docstring and checked by tests.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tinyml.features.config import GAIN_SHIFT, FrontendConfig
from tinyml.features.tables import ENERGY_UNIT_BITS, LOG_SEGMENT_BITS, FrontendTables, column

Ints = NDArray[np.int64]
DCT_SHIFT = 7
ENERGY_BITS = 47


def multiply_high(values: Ints, factors: Ints) -> Ints:
    """``(value * factor) >> 16``: int32 times Q15 gives half the product, floored; Arm's SMULWB/SMULWT.

    Without that instruction: ``(value >> 16) * factor + (((value & 0xFFFF) * factor) >> 16)``, two 32-bit products.
    """
    return (values * factors) >> 16


def apply_window(frames: Ints, tables: FrontendTables) -> Ints:
    """int16 samples times the Q15 window, exact: int32, magnitude at most 2**30."""
    return frames * column(tables.window)


def fft_stages(windowed: Ints, tables: FrontendTables) -> Iterator[tuple[Ints, Ints]]:
    """The complex transform of half the length, radix 2, decimation in time: (real, imaginary) after each stage.

    Real inputs are packed as ``z[n] = x[2n] + j x[2n+1]`` (samples past the window are 0) in bit-reversed order. Each
    butterfly is ``t = b * w / 2`` with :func:`multiply_high` on the four products, then ``a / 2 + t`` and ``a / 2 - t``
    with ``a >> 1``; so each stage halves, and the result is the transform divided by its length.

    Width int32: with all moduli at most M, the outputs' moduli are at most M + 4 (floors), and M starts at 2**30.5;
    every component stays below 2**30.5 + 4 * 10 < 2**31. A product of an int32 and a Q15 twiddle takes 47 bits.
    """
    half = len(tables.reversal)
    padded = np.zeros((2 * half, windowed.shape[1]), dtype=np.int64)
    padded[: windowed.shape[0]] = windowed
    order = np.asarray(tables.reversal)
    real, imaginary = padded[0::2][order], padded[1::2][order]
    cosines, sines = column(tables.fft_cos), column(tables.fft_sin)
    span = 1
    while span < half:
        step = half // (2 * span)
        cos, sin = cosines[::step], sines[::step]
        shape = (step, 2, span, windowed.shape[1])
        a_real, b_real = real.reshape(shape)[:, 0], real.reshape(shape)[:, 1]
        a_imag, b_imag = imaginary.reshape(shape)[:, 0], imaginary.reshape(shape)[:, 1]
        t_real = multiply_high(b_real, cos) - multiply_high(b_imag, sin)
        t_imag = multiply_high(b_imag, cos) + multiply_high(b_real, sin)
        a_real, a_imag = a_real >> 1, a_imag >> 1
        real = np.stack((a_real + t_real, a_real - t_real), axis=1).reshape(half, -1)
        imaginary = np.stack((a_imag + t_imag, a_imag - t_imag), axis=1).reshape(half, -1)
        yield real, imaginary
        span *= 2


def real_spectrum(real: Ints, imaginary: Ints, tables: FrontendTables) -> tuple[Ints, Ints]:
    """Bins ``first_bin`` to ``end_bin`` of the real transform, divided by half its length.

    ``a = Z[k] + conj(Z[M-k])`` and ``b = -j (Z[k] - conj(Z[M-k]))`` with M the complex length and ``Z[M] = Z[0]``, then
    the butterfly's ``a / 2 + b * w / 2`` again (Sorensen et al. 1987, "Real-valued fast Fourier transform algorithms").
    The last bin, k = M, has twiddle -1, the negated index 0.

    Width int32: |Z| is at most 2**30.5 times the window's mean, below 2**29.6, so the sums stay below 2**30.6.
    """
    half = len(tables.reversal)
    bins = np.arange(tables.first_bin, tables.end_bin)
    mirror = (half - bins) % half
    forward_real, forward_imag = real[bins % half], imaginary[bins % half]
    mirror_real, mirror_imag = real[mirror], imaginary[mirror]
    a_real, a_imag = forward_real + mirror_real, forward_imag - mirror_imag
    b_real, b_imag = forward_imag + mirror_imag, mirror_real - forward_real
    sign = np.where(bins < half, 1, -1)[:, np.newaxis]
    cos = column(tables.split_cos)[bins % half] * sign
    sin = column(tables.split_sin)[bins % half] * sign
    return (
        (a_real >> 1) + multiply_high(b_real, cos) - multiply_high(b_imag, sin),
        (a_imag >> 1) + multiply_high(b_imag, cos) + multiply_high(b_real, sin),
    )


def power(real: Ints, imaginary: Ints, floor_power: int) -> Ints:
    """``real**2 + imaginary**2 + floor_power`` a bin: uint64, below 2**61 as the moduli stay below 2**30.1."""
    return real * real + imaginary * imaginary + floor_power


def block_shift(powers: Ints) -> Ints:
    """For each frame the right shift that brings its largest power into 32 bits: 0 … 29, int64 [frames].

    The bit length of the bitwise OR of all bins is that of the largest, so that C needs no comparison.
    """
    largest = np.bitwise_or.reduce(powers, axis=0)
    return np.maximum(bit_length(largest) - 32, 0)


def mel_energies(powers: Ints, shifts: Ints, tables: FrontendTables) -> Ints:
    """The bands' sums of ``(power >> shift) * weight``: uint32 times uint16 in uint64, below 2**60."""
    small = powers >> shifts
    energies = np.empty((len(tables.bands), powers.shape[1]), dtype=np.int64)
    for index, band in enumerate(tables.bands):
        first = band.first_bin - tables.first_bin
        weights = np.asarray(band.weights, dtype=np.int64)
        energies[index] = np.einsum("b,bf->f", weights, small[first : first + len(weights)])
    return energies


def bit_length(values: Ints) -> Ints:
    """The bit length of non-negative integers below 2**63, as ``int.bit_length`` gives it."""
    remaining = values.copy()
    length = np.zeros_like(values)
    for step in (32, 16, 8, 4, 2, 1):
        high = remaining >> step
        large = high > 0
        length += np.where(large, step, 0)
        remaining = np.where(large, high, remaining)
    return length + (remaining > 0)


def log2_q9(energies: Ints, shifts: Ints, tables: FrontendTables) -> Ints:
    """``512 * log2(energy * 2**shift)`` less the offset, int16; an energy of 0 counts as 1.

    With e the place of the leading one, the 16 bits below it are the fraction f (shifted left where there are fewer).
    The table gives 64 segments, linear between: ``y = t[i] + (((t[i+1] - t[i]) * r) >> 10)`` for ``i = f >> 10`` and
    ``r = f & 1023``; the result is ``((e + shift) << 9) + ((y + 32) >> 6) - log_offset``. Error: below 0.002 of a unit.

    Width: between -7,680 - 9 (one weight of 1/32768 at the floor) and 512 * 38 = 19,456.
    """
    logs: Ints = whole_log2_q9(energies, tables) + (shifts << 9) - tables.log_offset
    return logs


def whole_log2_q9(values: Ints, tables: FrontendTables) -> Ints:
    """``512 * log2(value)`` by the table; a value of 0 counts as 1."""
    safe = np.maximum(values, 1)
    exponent = bit_length(safe) - 1
    fraction = np.where(exponent >= 16, safe >> np.maximum(exponent - 16, 0), safe << np.maximum(16 - exponent, 0))
    fraction &= 0xFFFF
    table = np.asarray(tables.log2, dtype=np.int64)
    segment = fraction >> (16 - LOG_SEGMENT_BITS)
    rest = fraction & ((1 << (16 - LOG_SEGMENT_BITS)) - 1)
    low, high = table[segment], table[segment + 1]
    mantissa = low + (((high - low) * rest) >> (16 - LOG_SEGMENT_BITS))
    logs: Ints = (exponent << 9) + ((mantissa + 32) >> 6)
    return logs


def plain_energies(energies: Ints, shifts: Ints, tables: FrontendTables) -> Ints:
    """The bands' energies in one unit for all frames: the floor is 2**16, and they saturate at 2**47 - 1.

    ``(energy << shift) >> energy_shift``; the limit lies 93 dB above the floor.
    """
    shift = shifts - tables.energy_shift
    wide = bit_length(energies) + shift > ENERGY_BITS
    # energies of so many bits that a shift would leave int64 saturate, so they are shifted by nothing
    left = np.where(wide, 0, np.maximum(shift, 0))
    moved = (energies << left) >> np.maximum(-shift, 0)
    return np.where(wide, (1 << ENERGY_BITS) - 1, moved)


def smooth(noise: Ints, energies: Ints, smoothing: int) -> Ints:
    """The smoothed energies after one more frame, ``noise + (((energy - noise) * smoothing) >> 15)``: below 2**47.

    Width: the difference is below 2**47, so the product stays below 2**62.
    """
    return noise + (((energies - noise) * smoothing) >> 15)


def normalise(logs: Ints, noise: Ints, strength: int, tables: FrontendTables) -> Ints:
    """The logs less those of the smoothed energies times the strength: ``log - ((log_noise * strength) >> 8)``, int16.

    Width: ``log_noise`` lies between -8,192 and 15,872, so the result between -23,561 and 27,648.
    """
    return logs - (((whole_log2_q9(noise, tables) - (ENERGY_UNIT_BITS << 9)) * strength) >> 8)


def cosine_transform(logs: Ints, tables: FrontendTables) -> Ints:
    """The first coefficients in log2 units, Q15, int32: ``(sum(log * dct) + 64) >> 7``; the logs << 6 with none.

    Width: the sum is int32 for any int16 logs, since a row's moduli add up to at most 8192 * sqrt(40) = 51,811 < 2**16.
    """
    if not tables.dct:
        return logs << 6
    rows = np.asarray(tables.dct, dtype=np.int64)
    sums: Ints = np.einsum("kb,bf->kf", rows, logs)
    return (sums + (1 << (DCT_SHIFT - 1))) >> DCT_SHIFT


def to_int8(values: Ints, config: FrontendConfig) -> NDArray[np.int8]:
    """The int8 ``clamp((((v - offset) * gain + 2**19) >> 20) + zero point)``, ``[features, frames]``; int64 inside."""
    scaled = (values - column(config.offsets)) * column(config.gains)
    rounded = (scaled + (1 << (GAIN_SHIFT - 1))) >> GAIN_SHIFT
    features: NDArray[np.int8] = np.clip(rounded + config.input_zero_point, -128, 127).astype(np.int8)
    return features
