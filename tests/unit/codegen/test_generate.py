"""The generated C as text: names, constants, determinism."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Golden
from tests.support.shared import REPOSITORY, require_tool
from tests.support.tflite_builder import Builder
from tinyml.codegen import generate
from tinyml.graph.ir import Graph
from tinyml.lower.lowering import lower
from tinyml.lower.program import Isa, Target
from tinyml.paths import templates_dir
from tinyml.plan.planner import make_plan
from tinyml.tflite.read import read_graph


def small_graph() -> Graph:
    builder = Builder()
    x = builder.input((1, 2, 2, 1), scale=0.5, zero_point=-1)
    weights = np.array([[[[1], [2]], [[3], [-4]]], [[[5], [6]], [[7], [127]]]], np.int8)
    y = builder.conv_2d(x, weights, [0.25, 0.5], np.array([10, -20], np.int32), scale=2.0, padding="VALID")
    z = builder.softmax(builder.reshape(y, (1, 2)))
    return read_graph(builder.build([z]), name="small")


def sources(graph: Graph, name: str = "network") -> dict[str, str]:
    program = lower(graph, Target(Isa.PORTABLE))
    return generate(program, make_plan(program), name)


def test_a_whole_network(golden: Golden) -> None:
    graph = replace(small_graph(), labels=("yes", 'no "really"'), metadata=(("sha256", "0123abcd"),))
    text = sources(graph)
    for name, content in text.items():
        golden(f"codegen/small_{name}", content)


@pytest.mark.parametrize("arena", ["own", "external"])
def test_the_program_of_the_page_compiles(arena: str, tmp_path: Path) -> None:
    gcc = require_tool("gcc")
    page = (REPOSITORY / "docs" / "firmware.md").read_text(encoding="utf-8")
    program = re.findall(r"```c\n(#include \"network.h\".*?)```", page, re.DOTALL)
    assert len(program) == 1
    for name, content in {**sources(small_graph()), "main.c": program[0]}.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{templates_dir() / 'runtime'}", "-c"]
    external = ["-DNETWORK_ARENA_EXTERNAL"] if arena == "external" else []
    subprocess.run([gcc, *flags, *external, "network.c", "main.c"], cwd=tmp_path, check=True)
    symbols = subprocess.run(["nm", "network.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert ("U network_arena" in symbols) == (arena == "external")


def test_the_same_graph_gives_the_same_text() -> None:
    assert sources(small_graph()) == sources(small_graph())


def test_two_networks_share_no_global_name() -> None:
    first, second = sources(small_graph(), "first"), sources(small_graph(), "second")
    assert set(first) == {"first.h", "first.c"} and set(second) == {"second.h", "second.c"}
    defined = [line for text in first.values() for line in text.splitlines() if line.startswith(("#define", "static"))]
    assert defined and all("first_" in line.lower() for line in defined if "first" in line.lower())
    assert "NETWORK" not in first["first.c"] and "network_" not in first["first.h"]


def test_equal_constants_are_one_array() -> None:
    builder = Builder()
    x = builder.input((1, 4), scale=0.1)
    weights = np.arange(16, dtype=np.int8).reshape(4, 4)
    bias = np.zeros(4, np.int32)
    y = builder.fully_connected(x, weights, 0.1, bias, scale=0.1)
    z = builder.fully_connected(y, weights, 0.1, bias, scale=0.1)
    graph = read_graph(builder.build([z]), name="twice")
    text = sources(graph)["network.c"]
    assert text.count("static const int8_t network_weights_") == 1
    assert text.count("network_weights_000,") == 2
