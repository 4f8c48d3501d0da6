"""tinyml takes a Keras model or an int8 ``.tflite`` file to a Cortex-M binary proven before it meets a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyml.report.results import CheckResult

__version__ = "0.1.0"
__all__ = ["__version__", "check"]


def check(
    model: Any,
    board: str,
    *,
    sram_bytes: int | None = None,
    flash_bytes: int | None = None,
    optimize: str = "balanced",
    compile_firmware: bool = False,
) -> CheckResult:
    """Whether ``model`` fits ``board``, as ``tinyml check`` says it; the result shows itself in a notebook.

    ``model`` is a ``keras.Model``, a ``.tflite``, ``.keras`` or ``.py`` file, a run's folder or a catalogue name;
    ``board`` a name or a board file. ``sram_bytes`` and ``flash_bytes`` are limits of your own. Arena and weights are
    exact; code and stack are estimates unless ``compile_firmware`` is set. A model that does not fit is a result, too:
    its ``fits`` is False.

    Raises:
        UsageError: there is no such model or board.
        UnsupportedError: the model does not convert, or holds an op that is not supported.
    """
    from tinyml import pipeline
    from tinyml.plan.budget import Limits

    options = pipeline.Options(optimize=optimize, limits=Limits(sram_bytes, flash_bytes))
    return pipeline.check(model, board, options, compile_firmware=compile_firmware)
