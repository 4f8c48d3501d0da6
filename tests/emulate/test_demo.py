"""What `make demo` does: the shipped model, a spoken clip of our own making, the board's emulated core."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.shared import REPOSITORY, require_module, require_tool
from tinyml.cli import main
from tinyml.report.results import Json

CLIPS = REPOSITORY / "examples" / "01_keyword_spotting"
WORDS = ("yes", "no", "up", "down", "left", "right", "stop")


def build(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Json:
    arguments = ["build", "kws_ds_cnn_s", "--board", "nano33ble", "--output", str(folder), "--json", *options]
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_the_demo(toolchain: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_module("unicorn")
    if toolchain == "gcc":
        require_tool("arm-none-eabi-gcc")
    else:
        require_module("ziglang")
    clips = [option for word in WORDS for option in ("--input", str(CLIPS / f"{word}.wav"))]
    result = build(tmp_path / "project", capsys, "--toolchain", toolchain, "--inputs", "2", *clips)
    emulation = result["emulation"]
    assert emulation["equal"] is True
    assert emulation["inputs"] >= len(WORDS)
    assert result["fits"] is True
    assert emulation["outputs"][0]["label"] == "yes", "the word that the demo shows"
    heard = [output["label"] for output in emulation["outputs"]]
    right = sum(a == b for a, b in zip(heard, WORDS, strict=True))
    assert right >= len(WORDS) - 2, f"a synthetic voice is heard as {heard}"
    assert emulation["instructions"] < 7_698_198, "what TFLM with CMSIS-NN takes for a network of these sizes"
