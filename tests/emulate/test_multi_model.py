"""Several models in one firmware that share an arena: each equal to the reference between runs of the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.host_build import clang, compile_c
from tests.support.sample_models import sample_conv_model, sample_of_every_op
from tests.support.shared import require_module, require_shared, require_tool
from tinyml.boards import load_board
from tinyml.cli import main
from tinyml.errors import UsageError
from tinyml.firmware.elf import measure
from tinyml.pipeline.compiled import Options
from tinyml.pipeline.multi_model import build_several
from tinyml.plan.choose import Goal

pytestmark = pytest.mark.slow


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    found = []
    for name, content in (("conv", sample_conv_model()), ("every op", sample_of_every_op())):
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(content)
        found.append(str(path))
    return found


@pytest.mark.parametrize(
    ("board", "emulator", "toolchain"),
    [("nano33ble", "unicorn", "gcc"), ("nucleo_h743zi", "qemu", "gcc"), ("microbit", "qemu", "zig")],
)
def test_each_is_proven_between_the_others(
    models: list[str], board: str, emulator: str, toolchain: str, tmp_path: Path
) -> None:
    require_module("unicorn") if emulator == "unicorn" else require_tool("qemu-system-arm")
    require_module("ziglang") if toolchain == "zig" else require_tool("arm-none-eabi-gcc")
    options = Options(emulator=emulator, toolchain=toolchain, inputs=3)
    result = build_several([*models, models[0]], board, tmp_path / "p", options)
    assert result.emulator == emulator and result.inputs >= 3
    assert [n.name for n in result.networks] == ["network_conv", "network_every_op", "network_conv_2"]
    assert result.budget.arena_bytes == max(n.arena_bytes for n in result.networks)
    loaded = load_board(board)
    sizes = measure(Path(result.elf), loaded)
    assert sizes.arena_bytes == result.budget.arena_bytes, "there is one arena"
    assert sizes.weights_bytes <= sum(n.weights_bytes for n in result.networks)


@pytest.mark.shared
def test_two_of_mlperf_tiny(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_module("unicorn")
    paths = [str(require_shared(f"models/{name}.tflite")) for name in ("kws_ref_model", "ad01_int8")]
    arguments = ["build", *paths, "--board", "nano33ble", "--inputs", "2", "--output", str(tmp_path / "p"), "--json"]
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["equal"] is True and printed["emulator"] == "unicorn"
    assert printed["arena_bytes"] == max(network["arena_bytes"] for network in printed["networks"])
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text("utf-8"))
    assert manifest["result"]["arena_bytes"] == printed["arena_bytes"]


def test_what_takes_one_model_is_refused(models: list[str]) -> None:
    with pytest.raises(UsageError, match="the application kws runs one network"):
        build_several(models, "nano33ble", options=Options(app="kws"))
    with pytest.raises(UsageError, match="--rows is for one network"):
        build_several(models, "nano33ble", options=Options(memory=Goal(fed_by_rows=True)))
    with pytest.raises(UsageError, match="--trace is for one network"):
        build_several(models, "nano33ble", options=Options(trace=True))


def test_the_c_is_cxx_too(models: list[str], tmp_path: Path) -> None:
    result = build_several(models, "nano33ble", tmp_path / "p", Options(emulator="none", inputs=1))
    assert result.emulator is None and result.warnings == ("not proven: emulation was left out",)
    include = ["-I", str(tmp_path / "p" / "include"), "-c", "-x", "c++", "-Wall", "-Wextra", "-Werror"]
    compile_c(clang("c++"), [tmp_path / "p" / "src" / "networks.c"], tmp_path / "networks.o", include)
