"""Options that several verbs share, so that they read and mean the same everywhere."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tinyml.cli.verb import options
from tinyml.toml_reader import parse_bytes

if TYPE_CHECKING:
    from tinyml.pipeline import Options

    SizeBase = click.ParamType[int]
    SlowdownBase = click.ParamType[float]
    TimeBase = click.ParamType[float]
    SettingBase = click.ParamType[tuple[str, Any]]
else:
    SizeBase = SlowdownBase = TimeBase = SettingBase = click.ParamType

F = TypeVar("F", bound=Callable[..., Any])


class ByteSize(SizeBase):
    """A number of bytes: ``65536``, ``64KB``, ``1MB`` (K is 1,024 as on every microcontroller's data sheet)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes from the text; fails with a usage error where it is no size."""
        if isinstance(value, int):
            return value
        try:
            return parse_bytes(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Slowdown(SlowdownBase):
    """A percentage of instructions: ``5``, ``2.5%``; ``any`` is no limit. Gives the part, 0.05 for 5 %."""

    name = "slowdown"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The part from the text; fails with a usage error where it is no percentage from 0 on."""
        if isinstance(value, float):
            return value
        text = str(value).strip().removesuffix("%")
        if text == "any":
            return math.inf
        try:
            part = float(text) / 100
        except ValueError:
            part = -1.0
        if not 0 <= part < math.inf:
            self.fail(f"{value!r} is neither a percentage from 0 on nor 'any'", param, ctx)
        return part


class Milliseconds(TimeBase):
    """A time: ``200ms``, ``0.2s``; a bare number is milliseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Milliseconds from the text; fails with a usage error where it is no time above 0."""
        text = str(value).strip().lower()
        factor = 1.0
        for unit, size in (("ms", 1.0), ("s", 1e3)):
            if text.endswith(unit):
                text, factor = text.removesuffix(unit).strip(), size
                break
        try:
            time_ms = float(text) * factor
        except ValueError:
            time_ms = -1.0
        if not 0 < time_ms < math.inf:
            self.fail(f"{value!r} is no time such as 200ms or 0.2s", param, ctx)
        return time_ms


class Setting(SettingBase):
    """``OPTION=VALUE`` of a network's builder: numbers and tuples (``24,24,1``) become such, the rest stays text."""

    name = "setting"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """The pair; fails with a usage error where there is no ``=``."""
        if isinstance(value, tuple):
            return str(value[0]), value[1]
        key, sign, text = str(value).partition("=")
        if not sign or not key.strip():
            self.fail(f"{value!r} is not OPTION=VALUE, for instance width=0.35", param, ctx)
        try:
            return key.strip(), ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):
            return key.strip(), text.strip()


def json_option(function: F) -> F:
    """``--json``: one object on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")(function)


def html_option(function: F) -> F:
    """``--html FILE``."""
    return click.option(
        "--html",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the report to this file too: one HTML page, with memory over time.",
    )(function)


def board_option(function: F) -> F:
    """``--board``."""
    return click.option(
        "--board",
        "-b",
        metavar="NAME|FILE",
        help="A board's name (`tinyml boards`) or a board file; tinyml.toml's if left out.",
    )(function)


def app_option(function: F) -> F:
    """``--app``: names are checked by the registry, so that listing them costs no import."""
    return click.option(
        "--app",
        metavar="NAME",
        default="benchmark",
        show_default=True,
        help="The application; a name that does not exist lists those that do.",
    )(function)


def data_option(help_text: str) -> Callable[[F], F]:
    """``--data DIR``; tinyml.toml's if left out."""
    return click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help=help_text)


def words_option(help_text: str) -> Callable[[F], F]:
    """``--words A,B,…``."""
    return click.option("--words", metavar="A,B,…", help=help_text)


def seed_option(default: int, help_text: str) -> Callable[[F], F]:
    """``--seed N``."""
    return click.option("--seed", type=int, metavar="N", default=default, show_default=True, help=help_text)


def layout_option(function: F) -> F:
    """``--layout NAME``: names are checked by the readers."""
    return click.option(
        "--layout",
        metavar="NAME",
        help="The data set's layout, where it is not to be guessed; one that does not exist lists those that do.",
    )(function)


def optimize_option(function: F) -> F:
    """``--optimize``."""
    return click.option(
        "--optimize",
        type=click.Choice(["speed", "balanced", "size"]),
        default="balanced",
        show_default=True,
        help="What kernels are chosen for; all are exact.",
    )(function)


def emulator_option(function: F) -> F:
    """``--emulator``."""
    return click.option(
        "--emulator",
        type=click.Choice(["auto", "unicorn", "qemu"]),
        default="auto",
        show_default=True,
        help="auto takes Unicorn where it knows the core, otherwise QEMU.",
    )(function)


def baud_option(function: F) -> F:
    """``--baud``."""
    return click.option(
        "--baud",
        type=click.IntRange(300, 4_000_000),
        metavar="N",
        help="Bits a second (default: the board's console, or 115200).",
    )(function)


def qat_ranges_option(function: F) -> F:
    """``--qat-ranges``."""
    return click.option(
        "--qat-ranges",
        type=click.Choice(("averaged", "learned")),
        default="averaged",
        show_default=True,
        help="With --qat: how the ranges of activations are found.",
    )(function)


limit_options = options(
    click.option("--sram", "--budget", "sram", type=ByteSize(), help="Your own limit for SRAM, e.g. 64KB."),
    click.option("--flash", type=ByteSize(), help="Your own limit for flash, e.g. 256KB."),
)
"""``--sram`` and ``--flash``: the user's own budget."""

compile_options = options(
    optimize_option,
    click.option(
        "--match",
        type=click.Choice(["litert", "tflm"]),
        default="litert",
        show_default=True,
        help="Whose rounding of fully connected layers to equal.",
    ),
    click.option(
        "--toolchain",
        type=click.Choice(["auto", "gcc", "zig"]),
        default="auto",
        show_default=True,
        help="auto takes GCC where arm-none-eabi-gcc is on PATH, otherwise zig.",
    ),
    click.option(
        "--max-slowdown",
        type=Slowdown(),
        default="5",
        show_default=True,
        metavar="PERCENT|any",
        help="How many more instructions (estimated) the plan may take to need less SRAM; 0: none.",
    ),
    click.option(
        "--rows",
        "fed_by_rows",
        is_flag=True,
        help="The input comes row by row (network_push_row) and is never in SRAM whole.",
    ),
    click.option(
        "--hop-rows",
        type=click.IntRange(min=0),
        metavar="N",
        help="Each inference takes the next N rows of a window that slides along time and computes only what"
        " is new; 0: whole inputs. --app kws finds N itself.",
    ),
    limit_options,
    section="Compiling",
)
"""What shapes the code: goal, rounding, toolchain, memory, and the user's own budget."""

emulation_options = options(
    emulator_option,
    click.option(
        "--inputs",
        type=click.IntRange(0, 100_000),
        metavar="N",
        default=8,
        show_default=True,
        help="Random inputs to compare, besides the lowest, highest and zero-point ones.",
    ),
    click.option(
        "--input",
        "input_files",
        type=click.Path(path_type=Path),
        metavar="FILE",
        multiple=True,
        help="A .npy, .wav, .png or .jpg file to run and report as well; may be repeated.",
    ),
    seed_option(0, "Seed of the random inputs."),
    click.option("--trace", is_flag=True, help="Compare every intermediate tensor, too."),
    section="Proving",
)
"""What is run in emulation."""


def output_option(default: str) -> Callable[[F], F]:
    """``--output DIR``, the project's folder, ``default`` in words where it is left out; and ``--force``."""
    return options(
        click.option(
            "--output",
            "-o",
            type=click.Path(path_type=Path, file_okay=False),
            metavar="DIR",
            help=f"The project's folder (default: {default}).",
        ),
        click.option("--force", is_flag=True, help="Overwrite files of that folder that were edited since."),
    )


def split_words(text: str | None) -> tuple[str, ...]:
    """The words of a comma-separated list."""
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def pipeline_options(values: dict[str, Any]) -> Options:
    """The pipeline's options from a verb's parameters; what a verb does not have keeps its default."""
    from tinyml.pipeline import Options
    from tinyml.plan.budget import Limits
    from tinyml.plan.choose import Goal
    from tinyml.settings import load_settings

    budgets = load_settings()
    limits = Limits(
        sram_bytes=values.pop("sram", None) or budgets.sram_bytes,
        flash_bytes=values.pop("flash", None) or budgets.flash_bytes,
    )
    goal = Goal(values.pop("max_slowdown", Goal().more_work), values.pop("fed_by_rows", False))
    return Options(limits=limits, memory=goal, **values)
