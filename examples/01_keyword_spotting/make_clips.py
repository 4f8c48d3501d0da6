"""Makes the spoken clips of this folder with espeak-ng: 16 kHz, 16 bit, mono, one second, the word in the middle.

    python make_clips.py [WORD ...]

Needs espeak-ng and the packages of ``tinyml[train]``. The clips are synthesised speech of the project's own making.
"""

from __future__ import annotations

import io
import subprocess
import sys
from math import gcd
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import resample_poly

RATE_HZ = 16_000
WORDS = ("yes", "no", "up", "down", "left", "right", "stop")
PEAK = 0.5
SILENCE = 0.01


def speak(word: str) -> npt.NDArray[np.int16]:
    """The word as one second of 16-bit samples at 16 kHz."""
    spoken = subprocess.run(
        ["espeak-ng", "-v", "en-us", "-s", "140", "--stdout", word], capture_output=True, check=True
    ).stdout
    samples, rate_hz = soundfile.read(io.BytesIO(spoken), dtype="float64")
    common = gcd(rate_hz, RATE_HZ)
    resampled = resample_poly(samples, RATE_HZ // common, rate_hz // common)
    loud = np.flatnonzero(np.abs(resampled) > SILENCE * np.abs(resampled).max())
    voiced = resampled[loud[0] : loud[-1] + 1][:RATE_HZ]
    before = (RATE_HZ - len(voiced)) // 2
    clip = np.zeros(RATE_HZ)
    clip[before : before + len(voiced)] = voiced * (PEAK / np.abs(voiced).max())
    return np.round(clip * 32767).astype(np.int16)


def main() -> None:
    """Writes one ``.wav`` a word beside this file."""
    for word in sys.argv[1:] or WORDS:
        path = Path(__file__).parent / f"{word}.wav"
        soundfile.write(path, speak(word), RATE_HZ, subtype="PCM_16")
        print(path.name)


if __name__ == "__main__":
    main()
