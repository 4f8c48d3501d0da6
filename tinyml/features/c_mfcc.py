"""The C of the floating-point MFCC front-end: its tables in single precision and the frame function."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from tinyml.codegen.literals import c_float
from tinyml.features.c_source import FrontendSource, c_array, c_header
from tinyml.features.mfcc import LOG_FLOOR, MfccConfig, mfcc_tables


def mfcc_source(config: MfccConfig) -> FrontendSource:
    """The C of a definition; the samples' full scale is in the window, the input's scale in the cosine transform."""
    made, half = mfcc_tables(config), config.fft_size // 2
    bands: list[str] = []
    weights: list[float] = []
    for row in made.mel:
        used = np.flatnonzero(row)
        first, count = (int(used[0]), int(used[-1]) + 1 - int(used[0])) if len(used) else (1, 0)
        bands.append(f"{{{first}, {count}, {len(weights)}}}")
        weights += [float(value) for value in row[first : first + count]]
    window = [float(value) / config.full_scale for value in made.window]
    dct = [float(value) / config.input_scale for value in made.dct.ravel()]
    ram = 8 * (half + 1) + 4 * config.bands
    flash = 4 * len(window) + 8 * (half // 2 + half) + 6 * len(bands) + 4 * len(weights) + 4 * len(dct)
    text = f"""/* MLPerf Tiny's MFCC in single precision. Written by tinyml: changes here get lost. */
#include "frontend.h"

#include "tml_frontend_float.h"

{_floats("window", window)}{_twiddles("twiddles", half // 2, half)}{_twiddles("split_twiddles", half, config.fft_size)}\
{c_array("tml_mel_band", "mel_bands", bands)}{_floats("mel_weights", weights)}{_floats("dct", dct)}
static tml_complex bins[{half + 1}];
static float logs[{config.bands}];

TML_FRONTEND_STAGE void spectrum(const int16_t *ring, uint32_t mask, uint32_t first) {{
    tml_float_window(bins, ring, mask, first, window, {config.window_samples}u, {half}u);
    tml_float_transform(bins, twiddles, {half}u);
    tml_float_magnitudes(bins, split_twiddles, {half}u);
}}

void frontend_frame(const int16_t *ring, uint32_t ring_samples, uint32_t first, int8_t *features) {{
    spectrum(ring, ring_samples - 1u, first);
    for (uint32_t n = 0; n < {config.bands}u; ++n) {{
        logs[n] = tml_log(tml_float_mel(bins, &mel_bands[n], mel_weights) + {c_float(LOG_FLOOR)});
    }}
    for (uint32_t k = 0; k < {config.coefficients}u; ++k) {{
        float sum = 0.0f;
        for (uint32_t n = 0; n < {config.bands}u; ++n) sum += logs[n] * dct[{config.bands}u * k + n];
        features[k] = tml_float_int8(sum, {config.input_zero_point});
    }}
}}
"""
    header = c_header(
        config, "/* The audio front-end of the model. Written by tinyml: changes here get lost. */\n", ram, flash
    )
    return FrontendSource({"frontend.h": header, "frontend.c": text}, ram, flash)


def _floats(name: str, values: Sequence[float]) -> str:
    return c_array("float", name, map(c_float, values))


def _twiddles(name: str, count: int, period: int) -> str:
    angles = [2.0 * math.pi * index / period for index in range(count)]
    pairs: Iterable[str] = (f"{{{c_float(math.cos(a))}, {c_float(-math.sin(a))}}}" for a in angles)
    return c_array("tml_complex", name, pairs)
