"""The verbs as functions, each a line from a model to what was proven of it; the common ones are offered here.

The others stand in modules of their own: ``stream`` (scenes of sound), ``sound`` and ``pictures`` (an application in
emulation, fed through its drivers), ``multi_model`` (several models, one arena), ``tflm`` (TensorFlow Lite Micro in
place of our C) and ``arduino`` (a project for the Arduino core).
"""

from tinyml.pipeline.compiled import Compiled, Options, compile_model
from tinyml.pipeline.verbs import application, boards_that_fit, build, check, default_output, emulate, profile

__all__ = [
    "Compiled",
    "Options",
    "application",
    "boards_that_fit",
    "build",
    "check",
    "compile_model",
    "default_output",
    "emulate",
    "profile",
]
