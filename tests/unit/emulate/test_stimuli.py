"""The inputs of the proof: extremes, seeded random ones, and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinyml.emulate.input_files import file_stimuli
from tinyml.emulate.stimuli import proof_stimuli
from tinyml.errors import UsageError
from tinyml.graph.ir import DType, Graph, Quant, Tensor


def graph(dtype: DType = DType.INT8, shape: tuple[int, ...] = (1, 4, 3)) -> Graph:
    return Graph("g", (Tensor("x", shape, dtype, Quant((0.5,), (3,))),), (), (0,), (0,))


def test_extremes_come_first_then_seeded_random_inputs() -> None:
    stimuli = proof_stimuli(graph(), 2, seed=7)
    assert [s.name for s in stimuli] == ["lowest", "highest", "zero point", "random 0", "random 1"]
    assert [int(s.arrays[0].flat[0]) for s in stimuli[:3]] == [-128, 127, 3]
    assert stimuli[3].content != stimuli[4].content
    assert stimuli[3].content == proof_stimuli(graph(), 1, seed=7)[3].content
    assert len(stimuli[0].content) == 12


def test_float_inputs_are_float(tmp_path: Path) -> None:
    assert proof_stimuli(graph(DType.FLOAT32), 1)[3].arrays[0].dtype == np.float32


def test_numpy_files_are_quantised_and_stacks_are_split(tmp_path: Path) -> None:
    one, many = tmp_path / "one.npy", tmp_path / "many.npy"
    np.save(one, np.full((4, 3), 10.0, np.float32))
    np.save(many, np.zeros((5, 4, 3), np.int8))
    stimuli = file_stimuli(graph(), [one, many], {})
    assert [s.name for s in stimuli] == ["one.npy", *(f"many.npy[{i}]" for i in range(5))]
    assert set(stimuli[0].arrays[0].flat) == {23}
    assert stimuli[1].arrays[0].dtype == np.int8


@pytest.mark.parametrize(
    "content",
    [np.zeros((4, 4), np.int8), np.zeros((4, 3), np.int32), np.full((4, 3), "x"), np.full((4, 3), np.nan, np.float32)],
)
def test_wrong_arrays_are_refused(tmp_path: Path, content: np.ndarray) -> None:
    file = tmp_path / "x.npy"
    np.save(file, content)
    with pytest.raises(UsageError):
        file_stimuli(graph(), [file], {})


def test_missing_and_foreign_files_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "x.npy"
    text.write_text("no array")
    several = tmp_path / "several.npz"
    np.savez(several, a=np.zeros((4, 3), np.int8))
    several.rename(tmp_path / "several.npy")
    picture, sound = tmp_path / "x.png", tmp_path / "x.wav"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    sound.write_bytes(b"RIFF")
    for file in (tmp_path / "none.npy", text, tmp_path / "several.npy", picture, sound, Path(__file__)):
        with pytest.raises(UsageError):
            file_stimuli(graph(), [file], {})
