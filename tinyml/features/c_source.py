"""The C of a front-end: ``frontend.h`` with its numbers, ``frontend.c`` with its tables and the frame function.

The stages are functions of ``firmware_templates/frontend/tml_frontend.h``; here they get the tables and sizes of one
definition as literals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tinyml.codegen.literals import wrap
from tinyml.errors import UsageError
from tinyml.features.config import FrontendConfig
from tinyml.features.mfcc import MfccConfig
from tinyml.features.tables import ENERGY_UNIT_BITS, FrontendTables, tables

TEMPLATE_HEADER = "tml_frontend.h"
_WIDE_FFT_SIZE = 2048


@dataclass(frozen=True, slots=True)
class FrontendSource:
    """The C files by name, the bytes of RAM and of flash (tables alone) that they take."""

    files: dict[str, str]
    ram_bytes: int
    table_bytes: int


def frontend_source(config: FrontendConfig) -> FrontendSource:
    """The C of a calibrated front-end. Raises UsageError where it has no offsets and gains yet."""
    if not config.is_calibrated:
        raise UsageError(
            "the front-end has no offsets and gains for its int8 features",
            hint="calibrate it on training clips (tinyml.features.calibrate) or start from default_config()",
        )
    made = tables(config)
    ram = 8 * (config.fft_size // 2 + 1) + 2 * config.bands + (8 * config.bands + 1 if config.gain_strength else 0)
    flash = _table_bytes(config, made)
    return FrontendSource(
        {"frontend.h": c_header(config, _banner(config), ram, flash), "frontend.c": _source(config, made)}, ram, flash
    )


def _wide(config: FrontendConfig) -> bool:
    """Whether a twiddle besides index 0 rounds to 1.0, which no int16 holds."""
    return config.fft_size >= _WIDE_FFT_SIZE


def _table_bytes(config: FrontendConfig, made: FrontendTables) -> int:
    twiddles = (8 if _wide(config) else 4) * (len(made.fft_cos) + len(made.split_cos))
    weights = 2 * sum(len(band.weights) for band in made.bands)
    dct = 2 * sum(len(row) for row in made.dct)
    return (
        2 * len(made.window)
        + twiddles
        + 6 * len(made.bands)
        + weights
        + 2 * len(made.log2)
        + dct
        + 8 * len(config.gains)
    )


def c_header(config: FrontendConfig | MfccConfig, banner: str, ram_bytes: int, table_bytes: int) -> str:
    """``frontend.h`` with the numbers of a definition."""
    return f"""{banner}#ifndef FRONTEND_H
#define FRONTEND_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define FRONTEND_SAMPLE_RATE_HZ {config.sample_rate_hz}u
#define FRONTEND_WINDOW_SAMPLES {config.window_samples}u
#define FRONTEND_HOP_SAMPLES {config.hop_samples}u
#define FRONTEND_FEATURES {config.features}u
#define FRONTEND_RAM_BYTES {ram_bytes}u
#define FRONTEND_TABLE_BYTES {table_bytes}u

/* The features of one frame: the window of samples that begins with sample number `first`. Sample number n lies at
 * ring[n % ring_samples]; `ring_samples` is a power of two of at least FRONTEND_WINDOW_SAMPLES. */
void frontend_frame(const int16_t *ring, uint32_t ring_samples, uint32_t first, int8_t *features);

#ifdef __cplusplus
}}
#endif

#endif
"""


def _banner(config: FrontendConfig) -> str:
    what = f"The audio front-end of the model, definition {config.digest()[:16]}"
    return f"/* {what}. Written by tinyml: changes here get lost. */\n"


def c_array(c_type: str, name: str, values: Iterable[str]) -> str:
    """A constant array of C; ``values`` are its elements' text."""
    items = list(values)
    return f"static const {c_type} {name}[{len(items)}] = {{\n{wrap(items, '    ')},\n}};\n"


def _numbers(c_type: str, name: str, values: Sequence[int]) -> str:
    return c_array(c_type, name, map(str, values))


def _pairs(name: str, cosines: Sequence[int], sines: Sequence[int]) -> str:
    """Twiddles; index 0 is never read."""
    pairs = ["{0, 0}", *(f"{{{c}, {s}}}" for c, s in zip(cosines[1:], sines[1:], strict=True))]
    return c_array("tml_twiddle", name, pairs)


def _source(config: FrontendConfig, made: FrontendTables) -> str:
    half, features = config.fft_size // 2, config.features
    weights: list[int] = []
    bands = []
    for band in made.bands:
        bands.append(f"{{{band.first_bin}, {len(band.weights)}, {len(weights)}}}")
        weights += band.weights
    parts = [
        _banner(config),
        "#define TML_FRONTEND_WIDE 1\n" if _wide(config) else "",
        f'#include "frontend.h"\n\n#include "{TEMPLATE_HEADER}"\n\n',
        _numbers("int16_t", "window", made.window),
        _pairs("twiddles", made.fft_cos, made.fft_sin),
        _pairs("split_twiddles", made.split_cos, made.split_sin),
        c_array("tml_mel_band", "mel_bands", bands),
        _numbers("uint16_t", "mel_weights", weights),
        _numbers("uint16_t", "log2_table", made.log2),
        _numbers("int16_t", "dct", [value for row in made.dct for value in row]) if made.dct else "",
        _numbers("int32_t", "offsets", config.offsets),
        _numbers("int32_t", "gains", config.gains),
        f"\nstatic tml_bin bins[{half + 1}];\nstatic int16_t logs[{config.bands}];\n",
        f"static int64_t noise[{config.bands}];\nstatic uint8_t listening;\n" if config.gain_strength else "",
        f"""
TML_FRONTEND_STAGE void spectrum(const int16_t *ring, uint32_t mask, uint32_t first) {{
    tml_frontend_window(bins, ring, mask, first, window, {config.window_samples}u, {half}u);
    tml_frontend_transform(bins, twiddles, {half}u);
}}

TML_FRONTEND_STAGE void mel_logs(void) {{
    const uint64_t all =
        tml_frontend_powers(bins, split_twiddles, {half}u, {made.first_bin}u, {made.end_bin}u, {config.floor_power}ull);
    const int32_t shift = tml_frontend_block_shift(bins, {made.first_bin}u, {made.end_bin}u, all);
    for (uint32_t n = 0; n < {config.bands}u; ++n) {{
        const uint64_t energy = tml_mel_energy(bins, &mel_bands[n], mel_weights);
        {_log(config, made)}
    }}
{"    listening = 1;" + chr(10) if config.gain_strength else ""}}}

void frontend_frame(const int16_t *ring, uint32_t ring_samples, uint32_t first, int8_t *features) {{
    spectrum(ring, ring_samples - 1u, first);
    mel_logs();
    for (uint32_t k = 0; k < {features}u; ++k) {{
        const int32_t value = {_value(config)};
        features[k] = tml_frontend_int8(value, offsets[k], gains[k], {config.input_zero_point});
    }}
}}
""",
    ]
    return "".join(parts)


def _log(config: FrontendConfig, made: FrontendTables) -> str:
    log = f"tml_log2_q9(energy, shift, log2_table) - {made.log_offset}"
    if not config.gain_strength:
        return f"logs[n] = (int16_t)({log});"
    unit = ENERGY_UNIT_BITS << 9
    return f"""const int64_t now = tml_plain_energy(energy, shift - {made.energy_shift});
        noise[n] = listening ? tml_smooth_energy(noise[n], now, {config.noise_smoothing}) : now;
        const int32_t level = tml_log2_q9((uint64_t)noise[n], 0, log2_table) - {unit};
        logs[n] = (int16_t)({log} - ((level * {config.gain_strength}) >> 8));"""


def _value(config: FrontendConfig) -> str:
    if config.coefficients:
        return f"tml_cosine_row(logs, dct + {config.bands}u * k, {config.bands}u)"
    return "(int32_t)logs[k] * 64"
