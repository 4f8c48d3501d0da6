"""Memory over time: the same buffers on the terminal, as SVG and in the HTML page."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.shared import REPOSITORY
from tests.support.tflite_builder import Builder
from tinyml import pipeline
from tinyml.cli import main
from tinyml.graph.ir import DType, Graph, Quant, Tensor
from tinyml.lower.program import Isa, Program, Step, Target
from tinyml.plan.planner import make_plan
from tinyml.report.html import check_page, profile_page
from tinyml.report.memory_figures import draw_all
from tinyml.report.memory_picture import MAX_COLUMNS, MemoryPicture, memory_picture, picture_report
from tinyml.report.memory_svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, memory_svg
from tinyml.report.results import LayerProfile, ProfileResult
from tinyml.report.tables import as_text

SVG = "{http://www.w3.org/2000/svg}"


def chain(sizes: list[int], scratch: int = 40, name: str = "conv") -> MemoryPicture:
    """A chain of steps that each hold their input, output and scratch."""
    tensors = tuple(Tensor(f"t{i}", (1, n), DType.INT8, Quant((0.5,), (0,))) for i, n in enumerate(sizes))
    last = len(sizes) - 1
    steps = tuple(Step(f"{name}{i}", "CONV_2D", "k", "h", (i,), (i + 1,), (), (), scratch) for i in range(last))
    program = Program(Graph("g", tensors, (), (0,), (last,)), Target(Isa.PORTABLE), steps)
    return memory_picture(program, make_plan(program))


SMALL = chain([1_000, 3_000, 500, 2_000, 10])
WIDE = chain([100 + 37 * (i % 11) for i in range(400)])
PICTURES = pytest.mark.parametrize("picture", [SMALL, WIDE, chain([8], 0)], ids=["small", "wide", "no steps"])


def text_of(picture: MemoryPicture) -> list[str]:
    return as_text(*picture_report(picture)).splitlines()


def rectangles(picture: MemoryPicture) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(memory_svg(picture))
    return [r for r in root.iter(f"{SVG}rect") if (r.get("class") or "").startswith("bar ")]


def test_bars_are_the_plans_buffers() -> None:
    assert [(b.name, b.kind, b.size_bytes, b.first, b.last) for b in SMALL.bars if b.kind != "scratch"] == [
        ("t0", "input", 1_000, -1, 0),
        ("conv0 output", "tensor", 3_000, 0, 1),
        ("conv1 output", "tensor", 500, 1, 2),
        ("conv2 output", "tensor", 2_000, 2, 3),
        ("conv3 output", "output", 10, 3, 4),
    ]
    assert SMALL.live_bytes[0] == 1_000 and SMALL.peak_bytes == max(SMALL.live_bytes) == 4_040
    assert SMALL.when(SMALL.peak_step) == "step 0 (conv0, CONV_2D)"


@PICTURES
def test_the_terminal_has_the_peak_and_no_line_is_too_long(picture: MemoryPicture) -> None:
    lines = text_of(picture)
    assert f"peak {picture.peak_bytes:,} at {picture.when(picture.peak_step)}"[:60] in lines[1]
    assert all(len(line) <= MAX_COLUMNS for line in lines[1:]), max(lines[1:], key=len)
    assert "\n".join(lines).isascii()
    assert f"{picture.arena_bytes:,} |" in lines[2]


def test_the_terminal_shows_who_is_where() -> None:
    lines = text_of(SMALL)
    letter = {line.split()[1]: line.split()[0] for line in lines if " bytes at " in line and "|" not in line}
    floor = next(line for line in lines if line.lstrip().startswith("0 |"))
    assert letter["conv0"] in floor, "the largest buffer lies on the floor"
    assert len([line for line in lines if line[9:10] == "|"]) == 18
    marked = lines[1].index("v peak")
    assert lines[2][marked] != ".", "the peak fills the arena to its end"


def test_many_steps_share_columns() -> None:
    grid = [line for line in text_of(WIDE) if line[9:10] == "|"]
    assert len({len(line) for line in grid}) == 1
    assert len(grid[0]) <= MAX_COLUMNS


@PICTURES
def test_every_buffer_is_drawn_inside_the_arena(picture: MemoryPicture) -> None:
    drawn = rectangles(picture)
    assert len(drawn) == len(picture.bars)
    for rectangle, bar in zip(drawn, picture.bars, strict=True):
        x, y, width, height = (float(rectangle.get(key) or "nan") for key in ("x", "y", "width", "height"))
        assert x >= LEFT and x + width <= WIDTH - RIGHT + 0.1
        assert y >= TOP and y + height <= HEIGHT - BOTTOM + 0.51, "a tiny one is drawn half a pixel high"
        bytes_high = picture.arena_bytes * height / (HEIGHT - TOP - BOTTOM)
        assert bytes_high == pytest.approx(bar.size_bytes, abs=0.02 * picture.arena_bytes)
        title = rectangle.findtext(f"{SVG}title") or ""
        assert title.startswith(f"{bar.name}: {bar.size_bytes:,} bytes at {bar.offset:,}, ")


def test_buffers_that_live_together_are_drawn_apart() -> None:
    boxes = [[float(r.get(key) or "nan") for key in ("x", "y", "width", "height")] for r in rectangles(SMALL)]
    for i, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, other_width, other_height in boxes[i + 1 :]:
            apart_in_time = x + width <= other_x + 0.15 or other_x + other_width <= x + 0.15
            assert apart_in_time or y + height <= other_y + 0.02 or other_y + other_height <= y + 0.02


@PICTURES
def test_the_svg_names_the_peak_and_says_it_in_words(picture: MemoryPicture) -> None:
    root = ElementTree.fromstring(memory_svg(picture))
    assert root.get("role") == "img"
    labels = (root.get("aria-labelledby") or "").split()
    assert labels == [child.get("id") for child in root[:2]]
    assert root.findtext(f"{SVG}desc") == picture.summary()
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert f"peak {picture.peak_bytes:,} bytes at {picture.when(picture.peak_step)}" in texts
    assert f"{picture.arena_bytes:,}" in texts


def test_the_bound_is_drawn_where_the_arena_is_above_it() -> None:
    above = replace(SMALL, lower_bound_bytes=SMALL.arena_bytes - 100)
    assert "lower bound 3,940" in memory_svg(above) and 'class="bound"' in memory_svg(above)
    assert 'class="bound"' not in memory_svg(SMALL)
    assert "100 above the lower bound of 3,940" in above.summary()


def test_names_are_only_names() -> None:
    hostile = chain([100, 200, 50], name="</title><script>\"&'")
    assert "<script>" not in memory_svg(hostile)
    assert any("<script>" in (r.findtext(f"{SVG}title") or "") for r in rectangles(hostile))


class Page(HTMLParser):
    """Tags that were opened and not closed, and what a page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "line"):
            self.open.append(tag)
        self.loads += [value or "" for key, value in attrs if key in ("src", "href")]
        self.loads += [tag] if tag in ("script", "link", "img", "iframe") else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def model(tmp_path: Path) -> Path:
    builder = Builder()
    inputs = builder.input((1, 6, 6, 2))
    path = tmp_path / "small.tflite"
    path.write_bytes(builder.build([builder.softmax(builder.reshape(inputs, (1, 72)))]))
    return path


def test_the_page_is_whole_and_loads_nothing(model: Path) -> None:
    result = pipeline.check(str(model), "nano33ble")
    page = Page(check_page(result))
    assert page.open == [] and page.loads == []
    assert re.search(r"small on nano33ble: \s*fits", page.text)
    assert f"{result.budget.regions[1].left_bytes:,}" in page.text
    assert result.picture is not None and result.picture.summary()[1:] in page.text


def test_the_page_of_a_profile_has_every_layer() -> None:
    layers = tuple(LayerProfile(f"layer<{i}>", "CONV_2D", "k", 10, 20 * i, 30, share=i / 10) for i in range(4))
    result = ProfileResult(
        "m", "b", "cortex-m4", "qemu", "gcc", 120, 40, layers, 64_000_000, ("a warning",), picture=SMALL
    )
    page = Page(profile_page(result))
    assert page.open == [] and page.loads == []
    assert all(f"layer<{i}>" in page.text for i in range(4)) and "a warning" in page.text
    assert "120 instructions an inference" in page.text


def test_check_draws_and_writes_on_request(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "reports" / "small.html"
    assert main(["check", str(model), "--board", "nano33ble", "--plot", "--html", str(target)]) == 0
    assert "memory over time: arena of " in capsys.readouterr().out
    assert target.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert main(["check", str(model), "--board", "nano33ble", "--plot", "--json"]) == 2
    assert "--json has the same" in capsys.readouterr().err


def test_the_pages_pictures_are_those_of_its_plans() -> None:
    drawn = draw_all()
    folder = REPOSITORY / "docs" / "pictures"
    assert {path.stem for path in folder.glob("memory-*.svg")} == set(drawn)
    heights = {
        name: float(re.findall(r"arena of ([\d,]+) bytes", text)[0].replace(",", "")) for name, text in drawn.items()
    }
    assert heights["memory-least"] <= heights["memory-default"] <= heights["memory-steps"]
    for path in folder.glob("memory-*.svg"):
        assert ElementTree.fromstring(path.read_text("utf-8")).get("role") == "img"
        assert f"(pictures/{path.name})" in (REPOSITORY / "docs" / "memory.md").read_text("utf-8")
