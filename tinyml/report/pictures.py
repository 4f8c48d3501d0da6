"""What an emulated firmware said of pictures: the result of ``tinyml emulate --image`` and ``--dataset``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from tinyml.emulate.pictures import Seen
from tinyml.firmware.detect import Found

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PicturesResult:
    """All pictures of a run. ``different`` counts those of which the reference says something else."""

    model: str
    board: str
    app: str
    emulator: str
    labels: tuple[str, ...]
    pictures: tuple[Seen, ...]
    different: int
    seconds: float

    @property
    def judged(self) -> tuple[Seen, ...]:
        """The pictures whose class is known."""
        return tuple(picture for picture in self.pictures if picture.truth is not None)

    @property
    def accuracy(self) -> float | None:
        """The share of right answers, None where no class is known."""
        judged = self.judged
        return sum(p.label == p.truth for p in judged) / len(judged) if judged else None

    @property
    def confusion(self) -> tuple[tuple[int, ...], ...]:
        """``confusion[true][said]`` counts pictures; empty where no class is known."""
        judged = self.judged
        count = {(p.truth, p.label): 0 for p in judged}
        for p in judged:
            count[p.truth, p.label] += 1
        return tuple(tuple(count.get((t, s), 0) for s in self.labels) for t in self.labels) if judged else ()

    def to_json(self) -> Json:
        """The object that ``tinyml emulate --image … --json`` prints."""
        return {
            "model": self.model,
            "board": self.board,
            "app": self.app,
            "emulator": self.emulator,
            "labels": list(self.labels),
            "equal": self.different == 0,
            "different": self.different,
            "pictures": [
                {
                    "name": p.name,
                    "label": p.label,
                    "score": p.score,
                    "scores": list(p.scores),
                    "truth": p.truth,
                    "found": [dict(one) for one in p.found],
                }
                for p in self.pictures
            ],
            "accuracy": self.accuracy,
            "confusion": [list(row) for row in self.confusion],
            "pictures_per_minute": 60 * len(self.pictures) / self.seconds,
        }


def pictures_report(result: PicturesResult) -> list[RenderableType]:
    """The lines of the run: each picture, or the accuracy and confusion of a data set."""
    verdict = Text("equal", style="bold green") if result.different == 0 else Text("DIFFERENT", style="bold red")
    lines: list[RenderableType] = [
        Text.assemble(
            f"{len(result.pictures)} pictures through the camera in {result.emulator}, against the reference: ", verdict
        )
    ]
    if result.accuracy is None:
        for p in result.pictures:
            lines.append(Text(f"{p.name}: {p.label} ({p.score:.3f})"))
            lines += [Text(f"  {_place(one)}") for one in p.found]
        return lines
    lines.append(Text(f"accuracy {100 * result.accuracy:.1f} %"))
    width = max(map(len, result.labels))
    lines.append(Text("true \\ said " + " ".join(f"{label:>{width}}" for label in result.labels)))
    for label, row in zip(result.labels, result.confusion, strict=True):
        lines.append(Text(f"{label:>11} " + " ".join(f"{n:>{width}}" for n in row)))
    return lines


def _place(found: Found) -> str:
    """A box or a keypoint in a line."""
    what = f"{found['name']} ({found['score']:.3f})"
    if "x" in found:
        return f"{what} at {found['x']:.1f}, {found['y']:.1f}"
    return f"{what} from {found['left']:.1f}, {found['top']:.1f} to {found['right']:.1f}, {found['bottom']:.1f}"
