"""What an emulated firmware said of pictures: the result of ``tinyml emulate --image`` and ``--dataset``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from tinyml.emulate.pictures import Seen

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
        lines += [Text(f"{p.name}: {p.label} ({p.score:.3f})") for p in result.pictures]
        return lines
    lines.append(Text(f"accuracy {100 * result.accuracy:.1f} %"))
    width = max(map(len, result.labels))
    lines.append(Text("true \\ said " + " ".join(f"{label:>{width}}" for label in result.labels)))
    for label, row in zip(result.labels, result.confusion, strict=True):
        lines.append(Text(f"{label:>11} " + " ".join(f"{n:>{width}}" for n in row)))
    return lines
