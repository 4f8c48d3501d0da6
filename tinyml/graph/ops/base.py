"""What an op is to the compiler: attributes, constraints whose docstrings are the rules, shapes, work.

A constraint is a method named ``constraint_*`` of an :class:`OpSpec` subclass. Its docstring *is* the rule: it is
printed as the error where it fails and collected into ``docs/supported-ops.md``. It returns None where the rule
holds and otherwise the offending facts in words ("got stride 0x2").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from tinyml.graph.ir import Graph, Op


@dataclass(frozen=True, slots=True)
class Attrs:
    """Base of the attributes of ops; an op without attributes has just this."""


class OpSpec:
    """The specification of one TFLite op; subclasses are instantiated once in :data:`tinyml.graph.ops.SPECS`."""

    kind: ClassVar[str]
    """TFLite's builtin operator name, e.g. ``CONV_2D``."""
    attrs_type: ClassVar[type[Attrs]] = Attrs

    def constraints(self) -> Iterator[tuple[str, str]]:
        """Yield (method name, rule) of every constraint, in the order they are checked: as written, bases first.

        A constraint may rely on those before it, because checking stops at the first that fails.
        """
        names = dict.fromkeys(name for cls in reversed(type(self).__mro__) for name in vars(cls))
        for name in names:
            if name.startswith("constraint_"):
                yield name, " ".join((getattr(self, name).__doc__ or "").split())

    def violations(self, graph: Graph, op: Op) -> Iterator[tuple[str, str]]:
        """Yield (rule, facts) for each constraint that ``op`` breaks."""
        for name, rule in self.constraints():
            facts = getattr(self, name)(graph, op)
            if facts is not None:
                yield rule, facts

    def macs(self, graph: Graph, op: Op) -> int:
        """Multiply-accumulates of one inference, counted as MLPerf Tiny does: only convolutions and dense layers."""
        return 0
