"""Projects for the Arduino core: their text, and their sources against headers that stand for the core's."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.shared import require_tool
from tests.support.tiny_vww import tiny_vww
from tinyml.cli import main
from tinyml.errors import UsageError
from tinyml.pipeline import Options
from tinyml.pipeline.arduino import write_sketch

ARDUINO_H = """
#pragma once
#include <stddef.h>
#include <stdint.h>
typedef uint8_t pin_size_t;
enum { LOW = 0, HIGH = 1, OUTPUT = 1 };
enum { LED_BUILTIN = 13, LEDR = 22, LEDG = 23, LEDB = 24 };
void pinMode(pin_size_t pin, int mode);
void digitalWrite(pin_size_t pin, int value);
unsigned long millis(void);
void delay(unsigned long ms);
struct SerialPort {
    void begin(unsigned long baud);
    operator bool();
    size_t write(uint8_t byte);
    int available();
    int read();
};
extern SerialPort Serial;
void setup();
void loop();
"""
CAMERA_H = """
#pragma once
#include <Arduino.h>
enum { QQVGA = 4, RGB565 = 2 };
struct OV767X {
    int begin(int resolution, int format, int fps);
    void readFrame(void *buffer);
};
extern OV767X Camera;
"""
PDM_H = """
#pragma once
#include <stddef.h>
struct PDMClass {
    int begin(int channels, int sample_rate);
    int available();
    int read(void *buffer, size_t size);
    void onReceive(void (*function)(void));
    void setGain(int gain);
};
extern PDMClass PDM;
"""
CORE = """
#include <Arduino.h>
#include <Arduino_OV767X.h>
#include <PDM.h>
SerialPort Serial;
OV767X Camera;
PDMClass PDM;
void pinMode(pin_size_t, int) {}
void digitalWrite(pin_size_t, int) {}
unsigned long millis(void) { return 0; }
void delay(unsigned long) {}
void SerialPort::begin(unsigned long) {}
SerialPort::operator bool() { return true; }
size_t SerialPort::write(uint8_t) { return 1; }
int SerialPort::available() { return 0; }
int SerialPort::read() { return -1; }
int OV767X::begin(int, int, int) { return 1; }
void OV767X::readFrame(void *) {}
int PDMClass::begin(int, int) { return 1; }
void PDMClass::setGain(int) {}
int PDMClass::available() { return 0; }
int PDMClass::read(void *, size_t) { return 0; }
void PDMClass::onReceive(void (*)(void)) {}
int main() { setup(); for (;;) loop(); }
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for pictures."""
    return tiny_vww(tmp_path_factory.mktemp("vww"))


MACHINE = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")


def compiled(tool: Path, project: Path, folder: Path, source: Path, flags: Sequence[str]) -> Path:
    includes = [project / "include", *sorted((project / "lib").glob("*/src")), folder]
    target = folder / f"{source.name}.o"
    command = [str(tool), *MACHINE, *flags, "-O2", "-Wall", "-Wextra", "-Werror", "-ffunction-sections"]
    command += [part for include in includes for part in ("-I", str(include))]
    done = subprocess.run([*command, "-c", str(source), "-o", str(target)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:4000]
    return target


@pytest.mark.slow
@pytest.mark.parametrize("app", ["vww", "kws", "benchmark", "mlperf_tiny"])
def test_it_compiles_and_links_with_what_the_core_offers(app: str, model: Path, tmp_path: Path) -> None:
    gcc, cplusplus = require_tool("arm-none-eabi-gcc"), require_tool("arm-none-eabi-g++")
    source = "kws_ds_cnn_s" if app == "kws" else str(model)
    project = write_sketch(source, "nano33ble", tmp_path / "project", Options(app=app)).directory
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name, text in {"Arduino.h": ARDUINO_H, "Arduino_OV767X.h": CAMERA_H, "PDM.h": PDM_H, "core.cpp": CORE}.items():
        (stubs / name).write_text(text)
    sources = [*sorted((project / "src").iterdir()), *sorted((project / "lib").glob("*/src/*.c")), stubs / "core.cpp"]
    objects = []
    for path in sources:
        plus = path.suffix == ".cpp"
        flags = ["-std=gnu++17", "-fno-exceptions", "-fno-rtti"] if plus else ["-std=gnu11"]
        objects.append(compiled(cplusplus if plus else gcc, project, stubs, path, flags))
    link = [str(gcc), *MACHINE, "--specs=nosys.specs"]
    done = subprocess.run(
        [*link, *map(str, objects), "-o", str(stubs / "firmware.elf")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[:4000]


def test_versions_are_pinned_and_the_drivers_are_the_cores(model: Path, tmp_path: Path) -> None:
    project = write_sketch(str(model), "nano33ble", tmp_path / "project", Options(app="vww")).directory
    ini = (project / "platformio.ini").read_text()
    assert re.search(r"^platform = nordicnrf52@\d+\.\d+\.\d+$", ini, re.MULTILINE)
    assert "framework = arduino" in ini and "board = nano33ble" in ini
    assert "build_unflags = -Os\nbuild_flags = -O2\n" in ini
    small = write_sketch(str(model), "nano33ble", tmp_path / "small", Options(app="vww", optimize="size")).directory
    assert "build_flags" not in (small / "platformio.ini").read_text(), "the core's own flag is -Os"
    assert re.search(r"^    arduino-libraries/Arduino_OV767X@\d+\.\d+\.\d+$", ini, re.MULTILINE)
    names = {path.name for path in project.rglob("*") if path.is_file()}
    assert {"tml_sketch.cpp", "tml_arduino_camera.cpp", "network.c", "tml_vision.c", "main.c"} <= names
    assert not {"tml_startup.c", "camera_ov7675_nrf.c", "tml_proof.c", "clock_nrf5.c"} & names
    config = next(project.rglob("board_config.h")).read_text()
    assert "#define TML_CAMERA_HOLDS_FRAME 1" in config and "{LEDR, true}" in config
    assert "GNU General Public License" in (project / "README.md").read_text()


def test_the_command_line_says_that_nothing_is_proven(
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["build", str(model), "--board", "nano33ble", "--framework", "arduino", "--output", str(tmp_path / "p")]
    assert main([*arguments, "--app", "vww"]) == 0
    assert "nothing was built or proven here" in capsys.readouterr().out
    assert main([*arguments, "--app", "vww", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["app"] == "vww"
    assert main([*arguments, "--engine", "tflm"]) == 2


def test_edited_files_are_overwritten_by_force_alone(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["build", str(model), "--board", "nano33ble", "--framework", "arduino", "--output", str(tmp_path / "p")]
    assert main(arguments) == 0
    source = next((tmp_path / "p").rglob("network.c"))
    written = source.read_text()
    source.write_text("mine")
    assert main(arguments) == 2
    assert "1 edited file" in capsys.readouterr().err
    assert source.read_text() == "mine"
    assert main([*arguments, "--force"]) == 0
    assert source.read_text() == written


@pytest.mark.parametrize(
    ("board", "app"), [("pico", "vww"), ("nano33ble", "mlperf_tiny_energy"), ("mps2-an386", "benchmark")]
)
def test_what_the_arduino_core_does_not_have_is_refused(
    board: str,
    app: str,
    model: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError, match="Arduino"):
        write_sketch(str(model), board, tmp_path / "p", Options(app=app))
