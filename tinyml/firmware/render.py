"""The text of every file of a project. Pure: board and options in, ``{relative path: text}`` out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2

from tinyml import __version__
from tinyml.boards import Board, Upload
from tinyml.errors import BuildError, UsageError
from tinyml.firmware.apps import require_app
from tinyml.firmware.drivers import Drivers, drivers_for
from tinyml.firmware.environments import Environment, environments
from tinyml.firmware.memory_map import memory_map
from tinyml.paths import templates_dir

MINIMUM_STACK_BYTES = 512
TOOLCHAINS = ("auto", "gcc", "zig")
_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_FRAMEWORK_FILES = ("platform.json", "platform.py", "builder/main.py", "zig_include/string.h")


def render_files(
    board: Board,
    sources: dict[str, str],
    *,
    app: str,
    model_name: str,
    toolchain: str,
    network_flags: tuple[str, ...],
    app_values: Mapping[str, str] | None = None,
    lib_deps: tuple[str, ...] = (),
    libraries: Mapping[str, str] | None = None,
    library_flags: tuple[str, ...] = (),
) -> dict[str, str]:
    """Every file of the project but its manifest, by its path inside the project.

    ``sources`` are the generated ``network.h`` and ``network.c`` (and others of the same kind). ``app_values`` are the
    macros of ``app_config.h`` that the application needs besides those of every one, as C text; ``lib_deps`` are the
    libraries of an engine that is not tinyml's, ``libraries`` the manifests of those that the project holds, by their
    folders' names; they are compiled as all else with ``library_flags``. Raises UsageError for an unknown application
    or toolchain, BuildError where a generated source includes a header that does not exist.
    """
    if toolchain not in TOOLCHAINS:
        raise UsageError(f"unknown toolchain {toolchain!r}", hint=f"one of {', '.join(TOOLCHAINS)}")
    application = require_app(app, board)
    if application.baud is not None and board.console is not None:
        board = replace(board, console=replace(board.console, baud=application.baud))
    drivers = drivers_for(board, application.parts)
    listed = environments(board)
    files = {f"platform/{name}": (templates_dir() / "platform" / name).read_text("utf-8") for name in _FRAMEWORK_FILES}
    own = [path for name in application.folders for path in sorted((templates_dir() / name).glob("*.[ch]"))]
    written = {path.name: path.read_text("utf-8") for path in own} | sources
    files |= {f"{'include' if name.endswith('.h') else 'src'}/{name}": text for name, text in written.items()}
    files |= _driver_files(board, drivers)
    files |= runtime_files(sources, written)
    renode = sorted((templates_dir() / "renode").glob(f"{board.name}.re*"))
    files |= {f"renode/{path.name}": path.read_text("utf-8") for path in renode}
    files["include/app_config.h"] = app_config(sources, model_name, app_values or {})
    for environment in listed:
        if not environment.trace:
            files[f"ldscripts/{environment.board_id}.ld"] = _linker_script(board, environment)
            files[f"boards/{environment.board_id}.json"] = _board_json(board, environment, drivers)
    files |= {f"lib/{name}/library.json": text for name, text in (libraries or {}).items()}
    baud = 115200 if board.console is None else board.console.baud
    files["platformio.ini"] = render(
        "platformio.ini.j2",
        board=board,
        app=app,
        toolchain=toolchain,
        network_flags=network_flags,
        lib_deps=lib_deps,
        library_flags=library_flags,
        baud=baud,
        environments=[{"name": e.name, "board": e.board_id, "trace": e.trace} for e in listed],
    )
    qemu = next((e for e in listed if e.qemu_machine and not e.trace), None)
    files["README.md"] = render(
        "README.md.j2",
        board=board,
        app=app,
        baud=baud,
        core_hz=drivers.core_hz,
        clock_note=drivers.clock_note,
        qemu_machine=qemu.qemu_machine if qemu else None,
        qemu_environment=qemu.name if qemu else None,
    )
    files[".gitignore"] = ".pio/\n"
    return files


def c_string(text: str) -> str:
    """``text`` as a C string literal whose value is its JSON string: both escaped, in ASCII, safe against trigraphs."""
    escaped = json.dumps(text, ensure_ascii=True).replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
    return f'"{escaped}"'


def c_list(items: Iterable[object]) -> str:
    """What initialises a C array with ``items``, C text each."""
    return "{" + ", ".join(map(str, items)) + "}"


def c_strings(texts: Iterable[str]) -> str:
    """What initialises a C array with each of ``texts`` as :func:`c_string` has it."""
    return c_list(map(c_string, texts))


def _environment() -> jinja2.Environment:
    folders = [Path(__file__).parent / "templates", templates_dir() / "platform" / "ldscripts"]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["hex"] = lambda value: f"0x{value:08x}"
    return environment


def render(template: str, **values: Any) -> str:
    """The text of one of the package's templates."""
    return _environment().get_template(template).render(**values)


def _driver_files(board: Board, drivers: Drivers) -> dict[str, str]:
    folder = templates_dir() / "drivers"
    headers = [path.name for path in sorted(folder.glob("*.h"))]
    prefix = "lib/tinyml_drivers"
    files = {f"{prefix}/src/{name}": (folder / name).read_text("utf-8") for name in (*drivers.sources, *headers)}
    config = render("board_config.h.j2", title=comment(board.title), defines=drivers.defines)
    files[f"{prefix}/src/board_config.h"] = config
    files[f"{prefix}/library.json"] = library("tinyml_drivers", "Start-up, console, clock and cycle counter")
    return files


def runtime_files(sources: dict[str, str], written: Mapping[str, str]) -> dict[str, str]:
    """The kernel headers that the generated sources include, directly or through another kernel header.

    Headers among the files that are ``written`` already are the application's own. Raises BuildError for one that is
    nowhere.
    """
    folder = templates_dir() / "runtime"
    wanted = [name for text in sources.values() for name in _INCLUDE.findall(text) if name not in written]
    files: dict[str, str] = {}
    while wanted:
        name = wanted.pop()
        path = folder / name
        if f"lib/tinyml_runtime/src/{name}" in files:
            continue
        if not path.is_file():
            raise BuildError(f"the generated code includes {name}, which is not in the runtime")
        text = path.read_text("utf-8")
        files[f"lib/tinyml_runtime/src/{name}"] = text
        wanted.extend(_INCLUDE.findall(text))
    if files:
        files["lib/tinyml_runtime/library.json"] = library("tinyml_runtime", "The kernels that the network uses")
    return files


def library(name: str, description: str) -> str:
    """The ``library.json`` of a folder of ``lib/``."""
    version = re.match(r"\d+\.\d+\.\d+", __version__)
    return render("library.json.j2", name=name, version=version[0] if version else "0.0.0", description=description)


def app_config(sources: dict[str, str], model_name: str, values: Mapping[str, str]) -> str:
    """``app_config.h``: what the application knows of its network, and its own macros.

    Raises BuildError where ``network.h`` defines no sizes.
    """
    header = sources.get("network.h", "")

    def sizes(direction: str) -> list[str]:
        found = re.findall(rf"^\s*#define\s+(NETWORK_{direction}_\d+_BYTES)\b", header, re.MULTILINE)
        return sorted(found, key=lambda name: int(name.split("_")[2]))

    inputs, outputs = sizes("INPUT"), sizes("OUTPUT")
    if "networks.h" not in sources and not (inputs and outputs):
        raise BuildError("network.h defines no NETWORK_INPUT_0_BYTES or NETWORK_OUTPUT_0_BYTES")
    literal = c_string(model_name)
    return render("app_config.h.j2", model_literal=literal, inputs=inputs, outputs=outputs, values=values)


def _linker_script(board: Board, environment: Environment) -> str:
    layout = memory_map(board, environment.relocated_to)
    return render(
        "cortex-m.ld.j2",
        title=comment(board.title),
        flash=layout.flash,
        ram=layout.ram,
        extra=layout.extra,
        boot2=layout.boot2,
        minimum_stack_bytes=MINIMUM_STACK_BYTES,
    )


def _board_json(board: Board, environment: Environment, drivers: Drivers) -> str:
    def target(protocol: str) -> str | None:
        found: Upload | None = next((u for u in board.upload if u.protocol == protocol), None)
        return found.target if found else None

    debug = {"pyocd_target": target("pyocd") or "cortex_m"}
    if environment.qemu_machine:
        debug["qemu_machine"] = environment.qemu_machine
    openocd: list[str] = next((list(u.openocd_files) for u in board.upload if u.tool == "openocd"), [])
    content = {
        "name": board.title,
        "url": board.url,
        "vendor": board.vendor,
        "build": {
            "mcu": board.mcu,
            "cpu": board.core,
            "f_cpu": f"{drivers.core_hz}L",
            "gcc_flags": list(board.gcc_flags),
            "zig_flags": list(board.zig_flags),
            "linker_script": f"ldscripts/{environment.board_id}.ld",
        },
        "upload": {
            "maximum_size": board.flash.available_bytes,
            "maximum_ram_size": board.ram.available_bytes,
            "protocols": ["pyocd", *(["openocd"] if openocd else []), "custom"],
            "protocol": "pyocd" if target("pyocd") or not openocd else "openocd",
        },
        "debug": debug | ({"openocd_args": [word for file in openocd for word in ("-f", file)]} if openocd else {}),
    }
    return json.dumps(content, indent=2) + "\n"


def comment(text: str) -> str:
    """``text`` without what would end a C comment or a line."""
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).replace("*/", "* /").replace("/*", "/ *")
