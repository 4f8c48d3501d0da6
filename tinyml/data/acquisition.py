"""Edge Impulse's data acquisition format: a signed JSON or CBOR object around a sensor's values.

::

    {"protected": {"ver": "v1", "alg": "HS256"}, "signature": "…",
     "payload": {"device_type": "…", "interval_ms": 0.0625, "sensors": [{"name": "audio", "units": "wav"}],
                 "values": [-10, 2, …]}}

Values are numbers, or one list of as many numbers as there are sensors for each moment. The signature is the device's
and is not checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.data.base import CorruptSampleError
from tinyml.errors import UsageError

SUFFIXES = (".json", ".cbor")
_SMALLEST_RATE_HZ, _LARGEST_RATE_HZ = 4_000, 192_000


@dataclass(frozen=True, eq=False)
class Acquisition:
    """What a device sent: ``values`` is float64 ``[moments, sensors]``, one moment every ``interval_ms``."""

    interval_ms: float
    sensors: tuple[str, ...]
    units: tuple[str, ...]
    values: NDArray[np.float64]

    @property
    def is_audio(self) -> bool:
        """Whether it is one channel of sound: Edge Impulse calls its unit ``wav``."""
        return self.units == ("wav",)

    def sound(self) -> tuple[int, NDArray[np.int16]]:
        """Sample rate in Hz and int16 samples; CorruptSampleError where it is none."""
        if not self.is_audio:
            raise CorruptSampleError(f"holds {', '.join(self.sensors)}, no sound")
        rate_hz = round(1000.0 / self.interval_ms)
        if not _SMALLEST_RATE_HZ <= rate_hz <= _LARGEST_RATE_HZ:
            raise CorruptSampleError(f"has a sample rate of {rate_hz} Hz")
        if np.abs(self.values).max(initial=0.0) > 32_768:
            raise CorruptSampleError("has samples beyond 16 bits")
        return rate_hz, np.clip(np.rint(self.values[:, 0]), -32_768, 32_767).astype(np.int16)


def decode_acquisition(name: str, data: bytes) -> Acquisition:
    """The acquisition in a file's bytes, CBOR where ``name`` ends in ``.cbor``.

    CorruptSampleError for anything else; UsageError where the CBOR library is missing.
    """
    cbor = PurePosixPath(name).suffix.lower() == ".cbor"
    content = _load_cbor(data) if cbor else _load_json(data)
    payload = content.get("payload") if isinstance(content, Mapping) else None
    if not isinstance(payload, Mapping):
        raise CorruptSampleError("has no payload")
    sensors = payload.get("sensors")
    if not isinstance(sensors, Sequence) or not sensors or not all(isinstance(one, Mapping) for one in sensors):
        raise CorruptSampleError("names no sensors")
    interval = payload.get("interval_ms")
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not 0 < interval < 1e9:
        raise CorruptSampleError(f"has an interval of {interval!r} ms")
    return Acquisition(
        float(interval),
        tuple(str(one.get("name", "")) for one in sensors),
        tuple(str(one.get("units", "")) for one in sensors),
        _values(payload.get("values"), len(sensors)),
    )


def _values(given: Any, sensors: int) -> NDArray[np.float64]:
    try:
        values = np.asarray(given, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise CorruptSampleError(f"has values that are no numbers ({error})") from None
    if values.ndim == 1 and sensors == 1:
        values = values[:, np.newaxis]
    if values.ndim != 2 or values.shape[1] != sensors or not len(values):
        raise CorruptSampleError(f"has values of shape {list(values.shape)} for {sensors} sensors")
    if not np.isfinite(values).all():
        raise CorruptSampleError("has values that are not finite")
    return values


def _load_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CorruptSampleError(f"not readable JSON ({error})") from None


def _load_cbor(data: bytes) -> Any:
    try:
        import cbor2
    except ImportError:
        raise UsageError("reading CBOR needs the library cbor2", hint="pip install 'tinyml[train]'") from None
    try:
        return cbor2.loads(data)
    except Exception as error:  # a damaged file may raise nearly anything: tags call constructors
        raise CorruptSampleError(f"not readable CBOR ({error})") from None
