"""What a build says of listening: the keyword application's plan, a warning where the core is too slow, its load."""

from __future__ import annotations

from pathlib import Path

from tinyml.emulate.keyword_load import measured_load
from tinyml.errors import DoesNotFitError
from tinyml.firmware.kws import APP, KeywordPlan, core_clock_hz, plan_keywords
from tinyml.firmware.parts.microphone import microphone_rate_hz, microphone_text
from tinyml.pipeline.compiled import Compiled, Options
from tinyml.plan.instruction_mix import InstructionMix
from tinyml.plan.realtime import network_instructions
from tinyml.report.along_time import AlongTime
from tinyml.report.sound import AudioReport


def along_time(compiled: Compiled) -> AlongTime | None:
    """What streaming along time gives, or why the network does not; None where no one asked for it."""
    hop, whole = compiled.program.hop, compiled.whole
    if hop is None or whole is None:
        return AlongTime(cause=compiled.not_streamed) if compiled.not_streamed else None
    return AlongTime(
        hop_rows=hop.rows,
        window_rows=hop.window_rows,
        layers=hop.layers,
        ends=hop.ends,
        arena_bytes=compiled.plan.arena_bytes,
        whole_arena_bytes=whole.arena_bytes,
        macs=compiled.program.macs,
        whole_macs=whole.macs,
        instructions=network_instructions(compiled.program),
        whole_instructions=whole.instructions,
    )


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
    board = compiled.board
    rate_hz = microphone_rate_hz(board, core_clock_hz(board))
    return AudioReport(load, plan.frontend.ram_bytes, plan.frontend.table_bytes, microphone_text(board), rate_hz)
