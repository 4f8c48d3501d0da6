"""eSpeak NG, the speech synthesiser: one word or phrase in one voice as 16-bit sound."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinyml.data.audio import decode_wav
from tinyml.data.base import CorruptSampleError
from tinyml.errors import BuildError, UsageError

PROGRAM = "espeak-ng"
ACCENTS = {"en": ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")}
"""Accents of a language that eSpeak NG has as voices of their own; another language speaks as itself."""

VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5")
TIMEOUT_S = 30.0
_LANGUAGE = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,30}")


@dataclass(frozen=True)
class Voice:
    """A speaker: an accent and a variant of its vocal tract, as in eSpeak NG's ``en-us+f3``."""

    accent: str
    variant: str

    @property
    def name(self) -> str:
        """What ``-v`` takes."""
        return f"{self.accent}+{self.variant}"


@dataclass(frozen=True)
class Espeak:
    """The program that was found, and the version that it says."""

    path: str
    version: str

    def speak(self, text: str, voice: Voice, pitch: int, words_a_minute: int) -> tuple[int, NDArray[np.int16]]:
        """Sample rate in Hz and int16 samples of ``text``; ``pitch`` is eSpeak's, 0 to 99.

        Raises BuildError where the program fails or is silent.
        """
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "speech.wav"
            arguments = ["-v", voice.name, "-p", str(pitch), "-s", str(words_a_minute), "-w", str(target), "--stdin"]
            run = self._run([*arguments], text)
            if run.returncode != 0 or not target.is_file():
                said = (run.stderr.strip().splitlines() or ["nothing"])[-1]
                raise BuildError(
                    f"{PROGRAM} could not say {text!r} as {voice.name}; it left with {run.returncode} and said: {said}",
                    hint=f"`{PROGRAM} --voices` lists the languages that it speaks",
                )
            try:
                return decode_wav(target.read_bytes())
            except CorruptSampleError as error:
                raise BuildError(f"what {PROGRAM} wrote for {text!r} as {voice.name} {error}") from None

    def _run(self, arguments: list[str], text: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        try:
            return subprocess.run(
                [self.path, *arguments],
                input=text,
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=TIMEOUT_S,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BuildError(f"{self.path} did not run: {error}") from None


def find_espeak() -> Espeak | None:
    """The installed program, or None where it is not on PATH."""
    path = shutil.which(PROGRAM)
    if path is None:
        return None
    found = Espeak(path, "")
    version = re.search(r"\d+(\.\d+)+", found._run(["--version"], "").stdout)
    return Espeak(path, version[0] if version else "unknown")


def voices(language: str) -> tuple[Voice, ...]:
    """Every accent of a language in every variant; UsageError for what is no name of a language."""
    if not _LANGUAGE.fullmatch(language):
        raise UsageError(f"{language!r} is no name of a language", hint="en, de, fr-fr and so on")
    return tuple(Voice(accent, variant) for accent in ACCENTS.get(language, (language,)) for variant in VARIANTS)
