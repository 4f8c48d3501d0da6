"""eSpeak NG as the shared library that the package espeakng-loader brings, for where the program is not installed."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyml.data.espeak import PROGRAM, Espeak, Voice, find_espeak
from tinyml.errors import BuildError

_SYNCHRONOUS, _DO_NOT_EXIT = 2, 0x8000
_RATE, _PITCH = 1, 3
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
"""``t_espeak_callback`` of ``speak_lib.h``, whose constants the others are."""


class _VoiceFields(ctypes.Structure):
    """``espeak_VOICE`` of ``speak_lib.h``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("reserved", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


@dataclass(frozen=True, eq=False)
class EspeakLibrary:
    """The loaded library, its version and the rate of its sound. It has one state for the whole process."""

    library: Any
    version: str
    rate_hz: int

    def speak(self, text: str, voice: Voice, pitch: int, words_a_minute: int) -> tuple[int, NDArray[np.int16]]:
        """Sample rate in Hz and int16 samples of ``text``; ``pitch`` is eSpeak's, 0 to 99.

        Raises BuildError where there is no such voice or nothing is said.
        """
        parts: list[NDArray[np.int16]] = []

        def take(samples: Any, count: int, events: Any) -> int:
            if samples and count > 0:
                parts.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
            return 0

        callback = _CALLBACK(take)
        if hasattr(self.library, "espeak_ng_SetRandSeed"):
            self.library.espeak_ng_SetRandSeed(1)
        self.library.espeak_SetSynthCallback(callback)
        status = self._choose(voice)
        for parameter, value in ((_RATE, words_a_minute), (_PITCH, pitch)):
            status = status or self.library.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        status = status or self.library.espeak_Synth(data, len(data) + 1, 0, 0, 0, _UTF8, None, None)
        status = status or self.library.espeak_Synchronize()
        if status != 0 or not parts:
            raise BuildError(
                f"{PROGRAM} could not say {text!r} as {voice.name}; its library gave {status}",
                hint="`--language` takes a language of eSpeak NG: en, de, fr-fr and so on",
            )
        return self.rate_hz, np.concatenate(parts)

    def _choose(self, voice: Voice) -> int:
        """By its name, otherwise by its language, as the program does it."""
        name = voice.name.encode()
        if self.library.espeak_SetVoiceByName(name) == 0:
            return 0
        return int(self.library.espeak_SetVoiceByProperties(ctypes.byref(_VoiceFields(None, name))))


def find_speaker() -> Espeak | EspeakLibrary:
    """The program where it is installed, otherwise the library; BuildError with how to get either."""
    speaker = find_espeak() or load_library()
    if speaker is None:
        raise BuildError(
            f"{PROGRAM} is not installed; it speaks the words",
            hint="apt install espeak-ng, brew install espeak-ng, or pip install 'tinyml[speech]'",
        )
    return speaker


def load_library() -> EspeakLibrary | None:
    """The library of espeakng-loader, or None where that package is not installed.

    Raises BuildError where it is and cannot be used.
    """
    try:
        from espeakng_loader import get_data_path, get_library_path
    except ImportError:
        return None
    try:
        library = ctypes.CDLL(get_library_path())
        library.espeak_Info.restype = ctypes.c_char_p
        library.espeak_Info.argtypes = [ctypes.c_void_p]
        library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        library.espeak_SetSynthCallback.argtypes = [_CALLBACK]
        library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        rate_hz = int(library.espeak_Initialize(_SYNCHRONOUS, 0, get_data_path().encode(), _DO_NOT_EXIT))
    except (OSError, AttributeError, RuntimeError) as error:
        raise BuildError(f"the library of espeakng-loader cannot be used: {error}") from None
    if rate_hz <= 0:
        raise BuildError("the library of espeakng-loader does not start", hint="install the package again")
    return EspeakLibrary(library, library.espeak_Info(None).decode().split()[0], rate_hz)
