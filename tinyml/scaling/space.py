"""What a family can be scaled by, read from its catalogue entries: candidates, and which of two is the larger.

A builder's options say what it scales by: ``width`` (a multiplier), numbers of channels (:data:`CHANNEL_OPTIONS`), and
a square ``input_shape`` (resolution). Members of a family that differ in anything else, such as a table of blocks, are
searched side by side. A formula moves width, depth and resolution together along one coefficient.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any

from tinyml.errors import UsageError
from tinyml.models.blocks import divisible
from tinyml.models.catalog import CATALOG, Entry, build_model, families, find_entry, is_catalog_name
from tinyml.models.formulas import Multipliers, compound, tinynet

MULTIPLIERS, COMPOUND, TINYNET = "multipliers", "compound", "tinynet"
FORMULAS = (MULTIPLIERS, COMPOUND, TINYNET)

WIDTHS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.75, 0.85, 1.0, 1.2, 1.4)
CHANNELS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)
RESOLUTIONS = (32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 256, 288, 320)
COEFFICIENTS = tuple(step / 2 for step in range(-16, 9))
SHARES = tuple(round(1.4**step, 4) for step in range(-16, 1))
RESOLUTION_STEP = 8
PACKED_BITS = 32
"""Channels of binarised networks come in words of so many bits."""
CHANNEL_OPTIONS = ("width", "filters", "channels", "growth", "units")
"""Options that are numbers of channels where they are integers, or tuples of integers, one a stage."""
SCALED = ("depth", "input_shape", *CHANNEL_OPTIONS)
FREE = ("classes", "dropout", "drop_rate", "learning")
"""Options that do not change what the trained network costs, but for the head's."""
BASE_RESOLUTION = 224
"""What the papers' formulas start from where the catalogue has no network at width and depth 1."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network to consider: an entry of the catalogue with the ``options`` of its builder that are chosen.

    ``place`` are its steps on the axes of its ``member``; of two candidates of one member, the one that is nowhere
    behind is at least as costly.
    """

    name: str
    member: int
    place: tuple[int, ...]
    options: tuple[tuple[str, Any], ...]

    @property
    def title(self) -> str:
        """The entry with what it was scaled by, for people."""
        values = {key: value for key, value in self.options if key not in FREE}
        shape = values.pop("input_shape", ())
        told = ", ".join([self.name, *(f"{key} {_plain(value)}" for key, value in values.items())])
        return f"{told} at {shape[0]}x{shape[1]}" if shape else told

    @property
    def values(self) -> dict[str, Any]:
        """The options as keywords."""
        return dict(self.options)

    def build(self) -> Any:
        """The untrained network with batch 1."""
        return build_model(self.name, batch_size=1, **self.values)

    def at_least(self, other: Candidate) -> bool:
        """Whether this one is nowhere smaller than ``other``."""
        return self.member == other.member and all(
            mine >= its for mine, its in zip(self.place, other.place, strict=True)
        )


def candidates(
    name: str, *, formula: str = MULTIPLIERS, pinned: Mapping[str, Any] | None = None, resolution: int | None = None
) -> tuple[Candidate, ...]:
    """Every candidate of a family or of one entry; ``pinned`` options and ``resolution`` are not varied.

    Raises:
        UsageError: an unknown name, formula or option, or nothing that the formula could scale.
    """
    if formula not in FORMULAS:
        raise UsageError(f"there is no formula {formula!r}", hint=f"choose {', '.join(FORMULAS)}")
    members = _members(name)
    pinned = dict(pinned or {})
    _check_pinned(members, pinned)
    found: list[Candidate] = []
    for number, entry in enumerate(members):
        make = _multiplied if formula == MULTIPLIERS else _by_formula
        found += make(entry, number, {key: value for key, value in pinned.items() if key in entry.defaults},
                      resolution, formula)  # fmt: skip
    if not found:
        raise UsageError(
            f"{name} has no width multiplier for the formula {formula!r}", hint="leave --formula out: " + MULTIPLIERS
        )
    return tuple(found)


def takes_pictures(entry: Entry) -> bool:
    """Whether the entry's input is a square picture, whose resolution may be chosen."""
    shape = entry.defaults.get("input_shape", ())
    return len(shape) == 3 and shape[0] == shape[1] and shape[2] in (1, 3)


def _members(name: str) -> list[Entry]:
    """The entry itself; for a family's name all of its entries that are not another's scaling."""
    if not is_catalog_name(name):
        find_entry(name)
    wanted = name.strip().lower().replace("-", "_")
    if wanted not in families():
        return [find_entry(name)]
    members: dict[Any, Entry] = {}
    for entry in CATALOG:
        if entry.family == wanted:
            rest = {key: value for key, value in entry.defaults.items() if key not in (*SCALED, *FREE)}
            members.setdefault((entry.builder, repr(sorted(rest.items()))), entry)
    return list(members.values())


def _check_pinned(members: list[Entry], pinned: Mapping[str, Any]) -> None:
    known = {key for entry in members for key in entry.defaults}
    for key in pinned:
        if key not in known:
            raise UsageError(
                f"{members[0].family} has no option {key!r}", hint=f"its options are {', '.join(sorted(known))}"
            )


def _multiplied(
    entry: Entry, member: int, pinned: dict[str, Any], resolution: int | None, formula: str
) -> list[Candidate]:
    """All of width (or channels) x resolution."""
    sizes: list[dict[str, Any]] = [{}]
    axis = size_axis(entry)
    if axis is not None and axis not in pinned:
        sizes = [{axis: value} for value in _size_values(entry, axis)]
    shapes: list[dict[str, Any]] = [{}]
    if takes_pictures(entry) and "input_shape" not in pinned:
        sides = (resolution,) if resolution else tuple(side for side in RESOLUTIONS if side % entry.side_step == 0)
        shapes = [{"input_shape": (side, side, entry.input_shape[2])} for side in sides]
    return [
        Candidate(_short(entry), member, (i, j), _told(entry, pinned | size | shape))
        for i, size in enumerate(sizes)
        for j, shape in enumerate(shapes)
    ]


def size_axis(entry: Entry) -> str | None:
    """The option that makes the network wider, None where it has none."""
    return next((key for key in CHANNEL_OPTIONS if isinstance(entry.defaults.get(key), int | float | tuple)), None)


def _size_values(entry: Entry, axis: str) -> list[Any]:
    default = entry.defaults[axis]
    if isinstance(default, float):
        return list(WIDTHS)
    if isinstance(default, int):
        return list(CHANNELS)
    common, head = gcd(*default), entry.defaults.get("head_channels")
    divisor = common if common >= PACKED_BITS else min(common, 8)
    if isinstance(head, int) and common % head == 0:  # heads of attention share the channels
        divisor = head
    scaled = [tuple(divisible(part * width, divisor) for part in default) for width in WIDTHS]
    return list(dict.fromkeys(scaled))


def _by_formula(
    entry: Entry, member: int, pinned: dict[str, Any], resolution: int | None, formula: str
) -> list[Candidate]:
    """One axis: the compound coefficient, or the share of the largest entry's MACs."""
    if not isinstance(entry.defaults.get("width"), float):
        return []
    scale: Callable[[float], Multipliers] = compound if formula == COMPOUND else tinynet
    base = _baseline(entry)
    found = []
    for step, coefficient in enumerate(COEFFICIENTS if formula == COMPOUND else SHARES):
        multipliers = scale(coefficient)
        options: dict[str, Any] = {"width": round(float(base["width"]) * multipliers.width, 3)}
        if isinstance(entry.defaults.get("depth"), float):
            options["depth"] = round(float(base.get("depth", 1.0)) * multipliers.depth, 3)
        if takes_pictures(entry):
            side = resolution or divisible(
                base["input_shape"][0] * multipliers.resolution, max(RESOLUTION_STEP, entry.side_step)
            )
            options["input_shape"] = (max(side, 32), max(side, 32), entry.input_shape[2])
        found.append(Candidate(_short(entry), member, (step,), _told(entry, options | pinned)))
    return found


def _baseline(entry: Entry) -> dict[str, Any]:
    """The options that the papers' formulas start from: those of the builder's entry at width and depth 1."""
    for other in CATALOG:
        options = other.defaults
        if other.builder is entry.builder and (options.get("width"), options.get("depth", 1.0)) == (1.0, 1.0):
            return options
    return {"width": 1.0, "depth": 1.0, "input_shape": (BASE_RESOLUTION, BASE_RESOLUTION, 3)}


def _told(entry: Entry, options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    order = list(inspect.signature(entry.builder).parameters)
    return tuple(sorted(options.items(), key=lambda item: order.index(item[0])))


def _short(entry: Entry) -> str:
    """The family's name where it stands for the entry."""
    return entry.family if find_entry(entry.family).name == entry.name else entry.name


def _plain(value: Any) -> str:
    return "x".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
