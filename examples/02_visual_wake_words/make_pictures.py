"""Draws figures of people, and other things, into the folders of a Visual Wake Words data set.

They show that the pipeline works, quickly and without a download; they say nothing about photographs.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 160, 120
SPLITS = {"train": 200, "val": 30, "test": 30}


def colour(rng: random.Random, low: int, high: int) -> tuple[int, int, int]:
    """A random colour whose channels lie between ``low`` and ``high``."""
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def person(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    """A head, a body, arms and legs, somewhere in the middle."""
    height = rng.randint(50, 100)
    x, top = rng.randint(50, 110), rng.randint(4, HEIGHT - height)
    head, body = height // 8, height // 2
    skin, cloth = colour(rng, 150, 255), colour(rng, 90, 255)
    draw.ellipse((x - head, top, x + head, top + 2 * head), fill=skin)
    draw.rectangle((x - head, top + 2 * head, x + head, top + body + head), fill=cloth)
    reach = rng.randint(head, 3 * head)
    for side in (-1, 1):
        arm = (x + side * head, top + 3 * head, x + side * (head + reach), top + 3 * head + rng.randint(-reach, reach))
        draw.line(arm, fill=skin, width=4)
        leg = (x + side * head // 2, top + body + head, x + side * rng.randint(head // 2, 2 * head), top + height)
        draw.line(leg, fill=cloth, width=5)


def things(draw: ImageDraw.ImageDraw, rng: random.Random) -> None:
    """Boxes and discs, none on top of another as head and body are."""
    for _ in range(rng.randint(1, 3)):
        x, y = rng.randint(10, WIDTH - 50), rng.randint(5, HEIGHT - 45)
        box = (x, y, x + rng.randint(15, 45), y + rng.randint(10, 40))
        rng.choice((draw.rectangle, draw.ellipse))(box, fill=colour(rng, 90, 255))


def picture(rng: random.Random, label: str) -> Image.Image:
    """One picture."""
    image = Image.new("RGB", (WIDTH, HEIGHT), colour(rng, 0, 80))
    draw = ImageDraw.Draw(image)
    (person if label == "person" else things)(draw, rng)
    return image


def main() -> None:
    """Draws all pictures; the same ones every time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("pictures"))
    folder = parser.parse_args().output
    rng = random.Random(1)
    for split, count in SPLITS.items():
        for label in ("person", "notperson"):
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                picture(rng, label).save(folder / split / label / f"{index:03}.png")
    print(f"{2 * sum(SPLITS.values())} pictures in {folder}")


if __name__ == "__main__":
    main()
