"""Random networks without padding in time, computing new rows only: each hop equals the whole network on its window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support.core_networks import CoreProgram
from tests.support.host_build import Network, Result, host_program, run_program
from tests.support.shared import require_module
from tests.support.tflite_builder import Builder
from tests.support.time_chains import MORE_HOPS, hopping, prove_hops, time_chain, windows_of
from tinyml.graph.ops import ViewAttrs
from tinyml.graph.passes import run_passes
from tinyml.lower.program import Isa
from tinyml.lower.streaming import stream
from tinyml.tflite.read import read_graph

CORES = (("cortex-m4", Isa.DSP, range(40, 50)), ("cortex-m0plus", Isa.V6M, range(60, 65)))


def networks_of(seeds: range, isa: Isa, *, canaries: bool) -> list[tuple[int, Network, Network]]:
    return [(s, *hopping(time_chain(s), f"n{s}", s, isa, canaries=canaries)) for s in seeds]


def test_on_the_host(tmp_path: Path) -> None:
    found = networks_of(range(14), Isa.PORTABLE, canaries=True)
    for seed, network, _ in found:
        folder = tmp_path / network.name
        folder.mkdir()
        inputs = [rows.tobytes() for rows, _ in windows_of(network, seed)]
        program = host_program([network], folder, len(inputs), optimise="-O0")
        results = iter(run_program(program, [network], [inputs])[0])

        def run(_: bytes, results: Iterator[Result] = results) -> Result:
            return next(results)

        assert prove_hops(network, seed, run) >= MORE_HOPS
    saved = [network.program.macs < whole.program.macs for _, network, whole in found]
    assert sum(saved) > len(saved) // 2


@pytest.mark.parametrize(("core", "isa", "seeds"), CORES)
def test_on_a_core(core: str, isa: Isa, seeds: range, tmp_path: Path) -> None:
    require_module("unicorn")
    found = networks_of(seeds, isa, canaries=True)
    program = CoreProgram([network for _, network, _ in found], core, tmp_path)
    for seed, network, _ in found:

        def run(content: bytes, network: Network = network) -> Result:
            return program.run(network, content)

        assert prove_hops(network, seed, run) >= MORE_HOPS


def test_a_kernel_shorter_than_its_stride_reads_the_last_of_a_hop_and_keeps_nothing() -> None:
    model = Builder()
    x = model.reshape(model.input((1, 17, 4)), (1, 17, 1, 4))
    x = model.conv_2d(x, np.ones((4, 1, 1, 4), np.int64), 0.004, stride=(2, 1), padding="VALID")
    x = model.conv_2d(x, np.ones((4, 3, 1, 4), np.int64), 0.004, padding="VALID")
    found = stream(run_passes(read_graph(model.build([model.reduce("MEAN", x, [1, 2])]))), 4)
    windows = [window for windows in found.windows.values() for window in windows]
    assert len(windows) == 2 and min(window.kept_bytes for window in windows) > 0
    (piece,) = (op for op in found.graph.ops if op.kind == "STRIDED_SLICE")
    assert found.graph.tensors[piece.outputs[0]].elements == 3 * 4
    assert piece.attrs == ViewAttrs(1 * 4, (3 * 4,), (1,))
