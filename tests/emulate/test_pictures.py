"""Visual wake words end to end: pictures through the firmware's camera driver in emulation, against the reference."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.emulate.test_serial_line import serial_events
from tests.support.shared import require_module, require_shared, require_tool
from tests.support.tflite_builder import Builder
from tests.support.tiny_vww import tiny_vww
from tests.support.trivial_network import any_toolchain
from tinyml.cli import main
from tinyml.emulate.pictures import CAMERA_FILE
from tinyml.emulate.run import run_application
from tinyml.errors import BuildError, UsageError
from tinyml.features.frames import pack_frame
from tinyml.pipeline import Options, application, emulate
from tinyml.pipeline.pictures import emulate_pictures
from tinyml.plan.choose import Goal

BOARDS = ("mps2-an386", "nano33ble", "disco_f746ng", "pico")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for pictures."""
    return tiny_vww(tmp_path_factory.mktemp("vww"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures of several sizes, in the layout of a data set."""
    require_module("PIL")
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(5)
    for label in ("person", "notperson"):
        for split in ("train", "test"):
            (folder / split / label).mkdir(parents=True)
            for index in range(3):
                height, width = (int(n) for n in rng.integers(20, 300, 2))
                pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / label / f"{split}{label}{index}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_the_firmware_sees_what_the_reference_says(board: str, model: Path, pictures: Path) -> None:
    require_module("unicorn")
    result = emulate_pictures(model, board, Options(toolchain=any_toolchain()), dataset=pictures)
    assert result.different == 0 and len(result.pictures) == 6 and result.labels == ("notperson", "person")
    assert result.accuracy is not None and sum(map(sum, result.confusion)) == 6
    assert len({p.scores for p in result.pictures}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("board", ["nano33ble", "pico"])
def test_a_network_fed_by_rows_sees_the_same(board: str, model: Path, pictures: Path) -> None:
    """The pico's camera holds a frame, so that rows go to the network as they come; the nano33ble's does not."""
    require_module("unicorn")
    options = Options(toolchain=any_toolchain(), memory=Goal(fed_by_rows=True))
    assert emulate_pictures(model, board, options, images=[pictures]).different == 0


@pytest.mark.slow
def test_qemu_sees_the_same(model: Path, pictures: Path) -> None:
    require_tool("qemu-system-arm")
    options = Options(toolchain=any_toolchain(), emulator="qemu")
    assert emulate_pictures(model, "pico2", options, images=[pictures]).different == 0


@pytest.mark.slow
def test_the_same_image_proves_its_network(model: Path) -> None:
    require_module("unicorn")
    assert emulate(str(model), "nano33ble", options=Options(app="vww", toolchain=any_toolchain())).equal


@pytest.mark.slow
def test_a_firmware_without_pictures_says_so(model: Path) -> None:
    require_module("unicorn")
    options = Options(app="vww", toolchain=any_toolchain())
    with application(str(model), "mps2-an386", options=options) as (compiled, firmware):
        with pytest.raises(BuildError, match="found no camera"):
            run_application(firmware.elf, compiled.board, {})
        black = pack_frame(np.zeros((9, 9, 3), np.uint8), 160, 120, "rgb565")
        run = run_application(firmware.elf, compiled.board, {CAMERA_FILE: 2 * black + b"half"})
    assert [event["event"] for event in run.events] == ["start", "frame", "frame", "done"]
    assert run.events[0]["core_hz"] == 25_000_000 and run.events[1]["scores"] == run.events[2]["scores"]


@pytest.mark.slow
def test_a_board_alone_says_that_no_camera_answers(model: Path, tmp_path: Path) -> None:
    """Without a host the same image takes the sensor, which QEMU's machine does not have."""
    qemu = require_tool("qemu-system-arm")
    options = Options(app="vww", toolchain=any_toolchain(), emulator="qemu")
    with application(str(model), "mps2-an386", tmp_path / "p", options) as (_, firmware):
        start, error = serial_events(qemu, "mps2-an386", 1, firmware.elf, last="error")
    assert (start["event"], start["app"], start["camera_width"]) == ("start", "vww", 160)
    assert error == {"event": "error", "message": "no camera answers"}


@pytest.mark.slow
def test_the_command_line(model: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    require_module("unicorn")
    arguments = ["emulate", str(model), "--board", "mps2-an386", "--app", "vww", "--toolchain", any_toolchain()]
    one = str(next(pictures.glob("test/person/*.png")))
    assert main([*arguments, "--image", one]) == 0
    assert f"{Path(one).name}: " in capsys.readouterr().out
    assert main([*arguments, "--dataset", str(pictures), "--limit", "4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["equal"] and len(result["pictures"]) == 4 and result["accuracy"] is not None
    assert main([*arguments, "--image", "no.png"]) == 2
    assert "there is no picture no.png" in capsys.readouterr().err


def test_what_is_refused(model: Path, tmp_path: Path) -> None:
    options = Options(app="vww")
    with pytest.raises(UsageError, match="netduinoplus2 has no camera"):
        emulate(str(model), "netduinoplus2", options=options)
    with pytest.raises(UsageError, match="not an int8 picture"):
        emulate("kws_ds_cnn_s", "nano33ble", options=options)
    with pytest.raises(UsageError, match="holds no pictures"):
        emulate_pictures(model, "nano33ble", options, images=[tmp_path])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(UsageError, match="is not a picture in any known format"):
        emulate_pictures(model, "nano33ble", options, images=[tmp_path])
    builder = Builder()
    builder_input = builder.input((1, 200, 200, 1), scale=1 / 255, zero_point=-128)
    (tmp_path / "large.tflite").write_bytes(builder.build([builder.reduce("MEAN", builder_input, [1, 2])]))
    with pytest.raises(UsageError, match="camera gives 160 x 120 pixels, the model takes 200 x 200"):
        emulate(str(tmp_path / "large.tflite"), "nano33ble", options=options)


@pytest.mark.slow
def test_the_benchmark_model_on_real_pictures() -> None:
    """MLPerf Tiny's reference model through the nano33ble's firmware: right on most pictures it has never seen."""
    require_module("unicorn")
    model = require_shared("models/vww_96_int8.tflite")
    data = require_shared("data/vww_human")
    result = emulate_pictures(model, "nano33ble", replace(Options(), toolchain=any_toolchain()), dataset=data, limit=60)
    assert result.different == 0 and len(result.pictures) == 60
    assert result.accuracy is not None and result.accuracy > 0.7
