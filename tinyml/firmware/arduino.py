"""A project for the Arduino core of a board: the same application sources over the vendor's libraries.

PlatformIO takes platform, core and libraries from its registry, which ``pio run`` needs; their versions are pinned.
"""

from __future__ import annotations

from collections.abc import Mapping

from tinyml.boards import Board
from tinyml.errors import UsageError
from tinyml.firmware.apps import require_app
from tinyml.firmware.parts.camera import FORMATS, SENSORS
from tinyml.firmware.render import app_config, comment, library, render, runtime_files
from tinyml.paths import templates_dir

PLATFORMS = {"nordicnrf52": "nordicnrf52@10.6.0"}
"""PlatformIO's platform → the release that is asked for."""

LIBRARIES = {"camera": ("arduino-libraries/Arduino_OV767X@0.0.2",), "microphone": (), "leds": ()}
"""Part → the libraries that serve it; PDM comes with the core."""

_CONSOLE = ("tml_console.c",)
_PART_DRIVERS = {
    "camera": ("tml_camera.c", "camera_semihosting.c"),
    "microphone": ("tml_audio.c", "microphone_semihosting.c"),
    "leds": (),
}
_PART_GLUE = {
    "camera": ("tml_arduino_camera.cpp",),
    "microphone": ("tml_arduino_microphone.cpp",),
    "leds": ("tml_arduino_leds.cpp",),
}
_GLUE = ("tml_sketch.cpp", "tml_arduino_console.cpp", "tml_arduino_system.c")
_LED_NAMES = {"builtin": "LED_BUILTIN", "red": "LEDR", "green": "LEDG", "blue": "LEDB"}
_BOARDS = ("nano33ble",)


def render_arduino(
    board: Board,
    sources: Mapping[str, str],
    *,
    app: str,
    model_name: str,
    network_flags: tuple[str, ...],
    app_values: Mapping[str, str],
) -> dict[str, str]:
    """Every file of the project but its manifest, by its path inside the project.

    The arguments are those of :func:`tinyml.firmware.render.render_files`; ``network_flags`` are for all files, as the
    core's build knows no flags for one. Raises UsageError for a board whose Arduino core tinyml has no drivers for.
    """
    framework = next((f for f in board.frameworks if f.name == "arduino"), None)
    if framework is None or board.name not in _BOARDS:
        raise UsageError(
            f"there are no drivers for the Arduino core of {board.name}",
            hint=f"boards with them: {', '.join(_BOARDS)}; every board builds with --framework baremetal",
        )
    application = require_app(app, board)
    templates = templates_dir()
    folders = [name for name in application.folders if name != "proof"]
    own = [path for name in folders for path in sorted((templates / name).glob("*.[ch]"))]
    glue = (*_GLUE, *(name for part in application.parts for name in _PART_GLUE[part]))
    written = {path.name: path.read_text("utf-8") for path in own} | dict(sources)
    written |= {name: (templates / "arduino" / name).read_text("utf-8") for name in glue}
    written["tml_proof.h"] = (templates / "proof" / "tml_proof.h").read_text("utf-8")
    files = {f"{'include' if name.endswith('.h') else 'src'}/{name}": text for name, text in written.items()}
    files |= _drivers(board, application.parts)
    files |= runtime_files(dict(sources), written)
    config = app_config(dict(sources), model_name, app_values)
    files["include/app_config.h"] = config.replace("\n#endif\n", f"{_MAIN}\n#endif\n")
    baud = 115200 if board.console is None else board.console.baud
    values = {
        "board": board,
        "app": app,
        "baud": baud,
        "platform": PLATFORMS[framework.platform],
        "board_id": framework.board,
        "flags": network_flags,
        "libraries": [name for part in application.parts for name in LIBRARIES[part]],
    }
    files["platformio.ini"] = render("arduino.ini.j2", **values)
    files["README.md"] = render("arduino_README.md.j2", **values)
    files[".gitignore"] = ".pio/\n"
    return files


_MAIN = """
/* The Arduino core has a main() of its own. */
#define main tml_app_main
"""


def _drivers(board: Board, parts: tuple[str, ...]) -> dict[str, str]:
    folder, prefix = templates_dir() / "drivers", "lib/tinyml_drivers"
    names = (*_CONSOLE, *(name for part in parts for name in _PART_DRIVERS[part]))
    headers = [path.name for path in sorted(folder.glob("*.h"))]
    files = {f"{prefix}/src/{name}": (folder / name).read_text("utf-8") for name in (*names, *headers)}
    defines = {"TML_CORE_HZ": f"{board.clock_hz}u", "TML_HAS_VTOR": "0", "TML_UART_BAUD": "115200u"}
    if "camera" in parts and board.camera is not None:
        sensor = SENSORS[board.camera.driver]
        number, pixel_bytes = FORMATS[sensor.pixels]
        defines |= {
            "TML_CAMERA_WIDTH": f"{sensor.width}u",
            "TML_CAMERA_HEIGHT": f"{sensor.height}u",
            "TML_CAMERA_FORMAT": str(number),
            "TML_CAMERA_LINE_BYTES": f"{sensor.width * pixel_bytes}u",
            "TML_CAMERA_HOLDS_FRAME": "1",
        }
    if "leds" in parts:
        known = [led for led in board.leds if led.name in _LED_NAMES]
        pins = ", ".join(f"{{{_LED_NAMES[led.name]}, {str(led.active_low).lower()}}}" for led in known)
        defines["TML_ARDUINO_LEDS"] = f"{{{pins}}}"
    files[f"{prefix}/src/board_config.h"] = render(
        "board_config.h.j2", title=comment(board.title), defines=tuple(defines.items())
    )
    files[f"{prefix}/library.json"] = library("tinyml_drivers", "Console, camera and microphone")
    return files
