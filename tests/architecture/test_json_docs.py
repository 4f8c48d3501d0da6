"""``docs/json.md`` held against what the verbs print: every key is there, with its type, and no other."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import REPOSITORY, require_module, require_tool
from tests.support.tflite_builder import Builder
from tinyml import pipeline
from tinyml.cli import main
from tinyml.data.base import Skipped
from tinyml.emulate.pictures import Seen
from tinyml.evaluation.results import StreamCurve, StreamPoint
from tinyml.evaluation.run import class_scores
from tinyml.firmware.elf import RegionSize
from tinyml.firmware.tflm import Arena
from tinyml.lower.program import PassedOver
from tinyml.plan.budget import Budget, Part, Peak, RegionUse, Sizes
from tinyml.plan.realtime import AudioLoad
from tinyml.report.along_time import AlongTime
from tinyml.report.memory_picture import MemoryPicture
from tinyml.report.pictures import PicturesResult
from tinyml.report.results import (
    BuildResult,
    CheckResult,
    EmulationResult,
    LayerProfile,
    NetworkResult,
    ProfileResult,
    SeveralResult,
)
from tinyml.report.sound import AudioReport, ClipsResult, SoundFile, SoundResult
from tinyml.report.stream import StreamResult
from tinyml.report.tflm import TflmResult
from tinyml.streaming.detector import Detection
from tinyml.streaming.score import Mistaken, StreamScore, WordScore
from tinyml.streaming.settings import DetectorSettings

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "map": (dict,),
    "null": (type(None),),
}
LOAD = AudioLoad(64_000_000, 20.0, 4, 45_000, 2_600_000, 1.0, 58.0, 4096, True)
ROW = re.compile(r"^\| `([^`]+)` \| ([a-z ]+) \|")


def documented() -> dict[str, dict[str, str]]:
    """Verb → key → type, as the page has them."""
    page: dict[str, dict[str, str]] = {}
    verb = ""
    for line in (REPOSITORY / "docs" / "json.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            verb = line.removeprefix("## ")
            page[verb] = {}
        elif found := ROW.match(line):
            page[verb][found[1]] = found[2]
    return page


PAGE = documented()


def walk(value: Any, prefix: str, keys: dict[str, str], seen: dict[str, list[Any]]) -> None:
    if isinstance(value, dict) and keys.get(prefix) != "map":
        for name, inner in value.items():
            path = f"{prefix}.{name}" if prefix else name
            seen.setdefault(path, []).append(inner)
            walk(inner, path, keys, seen)
    elif isinstance(value, list):
        for inner in value:
            walk(inner, f"{prefix}[]", keys, seen)


def check(verb: str, value: dict[str, Any], keys: dict[str, str] | None = None) -> None:
    expected = PAGE[verb] if keys is None else keys
    seen: dict[str, list[Any]] = {}
    walk(value, "", expected, seen)
    assert set(seen) == set(expected)
    for path, values in seen.items():
        allowed = tuple(kind for word in expected[path].split(" or ") for kind in TYPES[word])
        for found in values:
            assert isinstance(found, allowed), f"{path} is {found!r}"
            assert not isinstance(found, bool) or bool in allowed, f"{path} is {found!r}"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main([*arguments, "--json"])
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    builder = Builder()
    weights = (np.arange(16 * 3 * 3 * 8) % 3 - 1).astype(np.int8).reshape(16, 3, 3, 8)
    inputs = builder.input((1, 6, 6, 8))
    path = tmp_path_factory.mktemp("json") / "small.tflite"
    convolved = builder.conv_2d(inputs, weights, padding="VALID")
    path.write_bytes(builder.build([builder.reduce("MEAN", convolved, [1, 2])]))
    return path


@pytest.mark.parametrize("verb", ["boards", "models", "doctor"])
def test_listing_verbs(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    check(verb, printed(capsys, verb))


def test_data_list(capsys: pytest.CaptureFixture[str]) -> None:
    check("data list", printed(capsys, "data", "list"))


def test_check(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", str(model), "--board", "nano33ble", "--optimize", "size"]
    by_hops = printed(capsys, *arguments, "--hop-rows", "1")
    check("check", {**printed(capsys, *arguments), "along_time": by_hops["along_time"]})


def test_build_emulate_and_profile(model: Path) -> None:
    fit = pipeline.check(str(model), "nano33ble", pipeline.Options(optimize="size"))
    hops = AlongTime(4, 49, 6, (("MEAN (mean)", "it reads all of time at once"),), 1, 2, 3, 4).counted(5, None)
    fit = replace(fit, along_time=hops)
    scores = ({"input": "a.wav", "label": "yes", "score": 0.5, "values": [0.5]},)
    emulation = EmulationResult("unicorn", 1, True, 0, 9, "LiteRT", stack_used_bytes=8, outputs=scores)
    check("emulate", emulation.to_json())
    nested = {f"emulation.{key}": kind for key, kind in PAGE["emulate"].items()}
    check(
        "build",
        BuildResult(fit, "p", "e", "gcc 12", 1.0, emulation, AudioReport(LOAD, 2_136, 4_240)).to_json(),
        {**PAGE["check"], **PAGE["build"], **nested},
    )
    faster = (PassedOver("four at a time", "3 channels"),)
    layer = LayerProfile("conv", "CONV_2D", "portable", 10, 20, 30, "any shape", 25, 0.1, 2.5, 0.9, faster)
    profile = ProfileResult("m", "b", "cortex-m4", "qemu", "gcc 12", 20, 10, (layer,), 64_000_000, energy_uj=2.7)
    check("profile", profile.to_json())


def test_emulate_pictures() -> None:
    seen = Seen("a.png", "person", 0.9, (0.1, 0.9), "person")
    result = PicturesResult("m", "b", "vww", "unicorn", ("notperson", "person"), (seen,), 0, 1.5)
    check("emulate --image", result.to_json())


def test_emulate_sound() -> None:
    counts = {"frames": 49, "inferences": 1, "dropped_frames": 0, "most_waiting_samples": 480}
    file = SoundFile("a.wav", 1.0, (Detection("yes", 900, 48, 990),), counts)
    check("emulate --wav", SoundResult("m", "b", "unicorn", (file,), LOAD).to_json())
    clips = ClipsResult("m", "b", "unicorn", ("yes", "no"), 3, ((1, 1), (0, 1)), 1.5)
    check("emulate --dataset", clips.to_json())


def test_build_over_tflm() -> None:
    region = RegionSize("FLASH", "flash", 1024, 512)
    arena = Arena(100, 20, 3, "1 op")
    result = TflmResult("m", "b", "benchmark", "l", ("AddAdd()",), arena, "p", "e", "gcc", 1.5, (region,))
    check("build --engine tflm", result.to_json())


def test_build_of_several_models() -> None:
    fit = CheckResult("m", "o", "0", 1, _budget())
    picture = MemoryPicture(1, 1, (), (), -1, (1, 1))
    network = NetworkResult("network_m", "m", "o", "0", 1, 2, 3, picture)
    result = SeveralResult((network,), fit.budget, "p", "e", "gcc", 1.0, "LiteRT", "unicorn", 4)
    check("build MODEL MODEL", result.to_json())


def _budget() -> Budget:
    sizes = Sizes(1, 1, 1, 1, True)
    region = RegionUse("RAM", "ram", 10, (Part("arena", 1, True),))
    return Budget("b", 1, 1, 0, 2, sizes, (region,), Peak("l", "o", 0, 1, (("x", 1),)))


def test_stream() -> None:
    settings = DetectorSettings({"yes": 0.5}, {"yes": 1000})
    score = StreamScore(0.5, {"yes": WordScore(3, 1, 2)}, 400.0, (Mistaken("seven", "yes", False, 2),))
    result = StreamResult("m", "test", "python", 80.0, 4, 0, settings, score, (settings, score))
    check("stream", result.to_json())


def test_evaluate() -> None:
    point = StreamPoint(0.5, 0.1, 12.0)
    shared = {"model": "m", "data": "mnist", "split": "test", "labels": ("a", "b"), "skipped": (Skipped("x", "bad"),)}
    result = class_scores(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]), shared)
    check("evaluate", replace(result, stream=StreamCurve(0.5, 3, (point,), point)).to_json())


def test_flash() -> None:
    from tinyml.flash.upload import FlashResult

    result = FlashResult("pico", "firmware.elf", "picotool", None, 0x10000000, 9, True, False, 1.0, ("picotool",))
    check("flash", result.to_json())


def literal_keys(function: Callable[..., Any]) -> set[str]:
    """The string keys of the dictionaries that a function writes out, outermost level only."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    nested = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.Dict)
        for value in outer.values
        for inner in ast.walk(value)
    }
    return {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict) and id(node) not in nested
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def test_train_and_quantize() -> None:
    from tinyml.training.quantize import Quantised
    from tinyml.training.session import Trained

    assert literal_keys(Trained.to_json) == set(PAGE["train"])
    assert literal_keys(Quantised.to_json) | {"output"} == set(PAGE["quantize"])


def test_scale() -> None:
    from tinyml.boards import load_board
    from tinyml.scaling.probe import Need
    from tinyml.scaling.scale import Scaled, ScaleRequest
    from tinyml.scaling.space import Candidate

    candidate = Candidate("ds_cnn", 0, (1, 0), (("filters", 16),))
    need = Need(candidate, 100, 200, 300, 400, 500, 600, 7.0, None, 0.9)
    check("scale", Scaled(ScaleRequest("ds_cnn", load_board("pico")), need, (need,), 18).to_json())


def test_data_info(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_module("PIL")
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for index in range(12):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / name / f"{index}.png")
    check("data info", printed(capsys, "data", "info", str(tmp_path)))


def test_data_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_module("google_crc32c")
    from tests.unit.data.makers import mnist

    few = str(mnist(tmp_path / "set", 20, 10))
    check("data records", printed(capsys, "data", "records", few, "-o", str(tmp_path / "records"), "--shards", "2"))


def test_data_synth(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_tool("espeak-ng")
    few = ("--words", "tree", "--count", "3", "--others", "house", "--other-count", "1")
    check("data synth", printed(capsys, "data", "synth", *few, "-o", str(tmp_path / "set")))


def test_every_verb_that_reports_has_its_section() -> None:
    import click

    from tinyml.cli import COMMANDS, cli

    context = click.Context(cli)
    found = set()
    for verb in COMMANDS:
        command = cli.get_command(context, verb)
        assert command is not None
        leaves = {verb: command}
        if isinstance(command, click.Group):
            leaves = {f"{verb} {name}": leaf for name, leaf in command.commands.items()}
        found |= {name for name, leaf in leaves.items() if any("--json" in p.opts for p in leaf.params)}
    assert found == {section for section in PAGE if " --" not in section and " MODEL" not in section}
