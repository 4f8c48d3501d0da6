"""What a build says of listening: the keyword application's plan, a warning where the core is too slow, its load."""

from __future__ import annotations

from pathlib import Path

from tinyml.compiled import Compiled, Options
from tinyml.emulate.keyword_load import measured_load
from tinyml.errors import DoesNotFitError
from tinyml.firmware.kws import APP, KeywordPlan, plan_keywords
from tinyml.plan.instruction_mix import InstructionMix
from tinyml.report.sound import AudioReport


def keyword_plan(compiled: Compiled, options: Options) -> KeywordPlan | None:
    """The keyword application for what was compiled, None where another application is built.

    Raises as :func:`tinyml.firmware.kws.plan_keywords` does.
    """
    if options.app != APP:
        return None
    labels = compiled.source.labels or compiled.graph.labels or options.labels
    return plan_keywords(compiled.program, compiled.board, labels, compiled.source.manifest)


def slow_warning(compiled: Compiled, options: Options) -> tuple[str, ...]:
    """A warning where the application listens and the core would fall behind the sound."""
    try:
        keyword_plan(compiled, options)
    except DoesNotFitError as error:
        return (error.message,)
    return ()


def audio_report(compiled: Compiled, options: Options, elf: Path, mix: InstructionMix | None) -> AudioReport | None:
    """What listening costs the core: from ``mix``, counted over one inference, or what was estimated for the build."""
    plan = keyword_plan(compiled, options)
    if plan is None:
        return None
    load = plan.load if mix is None else measured_load(plan, compiled.board, elf, mix)
    return AudioReport(load, plan.frontend.ram_bytes, plan.frontend.table_bytes)
