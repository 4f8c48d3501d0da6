"""What a build says when it fails, and what it builds with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from tests.support.shared import require_tool
from tests.support.trivial_network import (
    HEADER,
    SOURCE,
    SOURCES,
    any_toolchain,
    built,
    hide_programs,
    render,
    require_toolchain,
)
from tinyml.errors import BuildError, DoesNotFitError
from tinyml.firmware import build as build_module
from tinyml.firmware.build import build_project, choose_toolchain, compiler_version

pytestmark = pytest.mark.slow


def with_source(source: str, header: str = HEADER) -> dict[str, str]:
    return {"network.h": header, "network.c": source}


def test_a_build_leaves_elf_bin_and_hex(tmp_path_factory: pytest.TempPathFactory) -> None:
    firmware = built(tmp_path_factory, "nano33ble", any_toolchain())
    assert firmware.elf.is_file() and firmware.binary.is_file()
    assert firmware.compiler.split()[0] in ("arm-none-eabi-gcc", "zig")
    lines = (firmware.build_dir / "firmware.hex").read_text().splitlines()
    memory = intel_hex(lines)
    image = firmware.binary.read_bytes()
    assert bytes(memory[0x10000 + i] for i in range(len(image))) == image
    assert lines[-1] == ":00000001FF"


def intel_hex(lines: list[str]) -> dict[int, int]:
    memory: dict[int, int] = {}
    base = 0
    for line in lines:
        record = bytes.fromhex(line[1:])
        assert sum(record) & 0xFF == 0
        kind, data = record[3], record[4:-1]
        if kind == 4:
            base = int.from_bytes(data, "big") << 16
        if kind == 0:
            start = base + int.from_bytes(record[1:3], "big")
            memory |= {start + i: byte for i, byte in enumerate(data)}
    return memory


def test_nothing_is_asked_of_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old state file of another PlatformIO version makes it ask its registry unless it is forgotten."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    project = render(tmp_path / "p", toolchain=any_toolchain())
    state = project.directory / ".pio/core/appstate.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"last_version": "6.0.0", "last_check": {"platformio_upgrade": 0}}))
    started = time.monotonic()
    build_project(project)
    assert time.monotonic() - started < 45
    recorded = json.loads(state.read_text()).get("last_version") if state.is_file() else None
    assert recorded in (None, metadata.version("platformio"))


def test_a_compiler_error_is_shown(tmp_path: Path) -> None:
    sources = with_source(SOURCE + "\nint broken = missing_thing;\n")
    project = render(tmp_path / "p", sources=sources, toolchain=any_toolchain())
    with pytest.raises(BuildError, match="missing_thing") as caught:
        build_project(project)
    assert caught.value.exit_code == 5
    assert caught.value.message.count("\n") <= 12


def test_warnings_are_errors(tmp_path: Path) -> None:
    project = render(tmp_path / "p", sources=with_source(SOURCE + "\nstatic int unused;\n"), toolchain=any_toolchain())
    with pytest.raises(BuildError, match="unused"):
        build_project(project)


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
@pytest.mark.parametrize(
    ("arena_bytes", "region"), [(300_000, "RAM of nano33ble"), (262_000, "stack in RAM of nano33ble")]
)
def test_too_much_data_does_not_fit(tmp_path: Path, toolchain: str, arena_bytes: int, region: str) -> None:
    header = HEADER.replace("ARENA_BYTES 64", f"ARENA_BYTES {arena_bytes}")
    project = render(tmp_path / "p", sources=with_source(SOURCE, header), toolchain=require_toolchain(toolchain))
    with pytest.raises(DoesNotFitError, match=region) as caught:
        build_project(project)
    assert caught.value.exit_code == 3 and caught.value.hint


@pytest.mark.parametrize("toolchain", ["gcc", "zig"])
def test_too_much_code_does_not_fit(tmp_path: Path, toolchain: str) -> None:
    declaration = "\n__attribute__((noinline)) const unsigned char *network_keep(int i);"
    big = "\nconst unsigned char network_big_000[300000] = {1};\n"
    big += "const unsigned char *network_keep(int i) { return network_big_000 + i; }\n"
    statement = "network_step_000();\n    network_arena[1] = *network_keep(network_arena[0]);"
    source = SOURCE.replace("network_step_000();", statement)
    source = source.replace("#include <string.h>", "#include <string.h>" + declaration) + big
    project = render(tmp_path / "p", "microbit", sources=with_source(source), toolchain=require_toolchain(toolchain))
    with pytest.raises(DoesNotFitError, match=r"[\d,]+ bytes too large for FLASH of microbit"):
        build_project(project)


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    sources = with_source("#error No space left on device\n")  # as assembler, linker and objcopy say it
    project = render(tmp_path / "p", sources=sources, toolchain=any_toolchain())
    with pytest.raises(BuildError, match=r"no space is left on the device of .*/p\n"):
        build_project(project)


def test_an_unknown_environment(tmp_path: Path) -> None:
    project = render(tmp_path / "p")
    with pytest.raises(BuildError, match="no environment 'nano33ble-qemu'") as caught:
        build_project(project, env="nano33ble-qemu")
    assert caught.value.hint == "it has nano33ble, nano33ble-trace"


def test_a_build_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    project = render(tmp_path / "p", toolchain=any_toolchain())
    with pytest.raises(BuildError, match="took longer than 0 s"):
        build_project(project, timeout_s=0.2)


def test_the_toolchain_is_gcc_where_it_is_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_toolchain("gcc")
    require_toolchain("zig")
    assert choose_toolchain("auto") == "gcc"
    assert compiler_version("gcc").startswith("arm-none-eabi-gcc ")
    hide_programs(monkeypatch, tmp_path / "bin", "arm-none-eabi-")
    assert choose_toolchain("auto") == "zig"
    assert compiler_version("zig").startswith("zig ")
    with pytest.raises(BuildError, match="arm-none-eabi-gcc is not on PATH"):
        choose_toolchain("gcc")
    monkeypatch.setattr(build_module, "find_zig", lambda: None)
    with pytest.raises(BuildError, match="no compiler for Arm") as caught:
        choose_toolchain("auto")
    assert caught.value.hint is not None and "pip install ziglang" in caught.value.hint
    with pytest.raises(BuildError, match="zig is not installed"):
        choose_toolchain("zig")


def test_without_gcc_zig_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_toolchain("zig")
    hide_programs(monkeypatch, tmp_path / "bin", "arm-none-eabi-", "qemu-system", "cc", "gcc", "clang")
    firmware = build_project(render(tmp_path / "p", sources=SOURCES))
    assert firmware.toolchain == "zig" and firmware.elf.stat().st_size > 1000


def test_lines_are_passed_on(tmp_path: Path) -> None:
    lines: list[str] = []
    build_project(render(tmp_path / "p", toolchain=any_toolchain()), on_line=lines.append)
    assert any("network.c" in line or "network.o" in line for line in lines)
    assert os.linesep not in "".join(lines)


def test_the_project_builds_without_tinyml(tmp_path: Path) -> None:
    """As a user does it: ``pio run`` in the folder, with nothing of tinyml's in the environment."""
    any_toolchain()
    project = render(tmp_path / "p")
    (tmp_path / "home").mkdir()
    environment = {"HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}
    environment["PLATFORMIO_SETTING_ENABLE_TELEMETRY"] = "no"
    command = [sys.executable, "-m", "platformio", "run"]
    done = subprocess.run(command, cwd=project.directory, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project.directory / ".pio/build/nano33ble/firmware.elf").is_file()
    assert not (tmp_path / "home/.platformio").exists()


def test_the_qemu_target_runs_the_built_in_inputs(tmp_path: Path) -> None:
    """The image finds a host but no file of inputs: it prints to the host what it would print on a board."""
    require_tool("qemu-system-arm")
    project = render(tmp_path / "p", "mps2-an386", toolchain=any_toolchain(), model_name='a "quoted" \\ model\n??/')
    build_project(project)
    command = [sys.executable, "-m", "platformio", "run", "-t", "qemu"]
    done = subprocess.run(command, cwd=project.directory, capture_output=True, text=True, timeout=300, check=False)
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events] == ["start", "result", "result", "result", "done"]
    assert events[0]["model"] == 'a "quoted" \\ model\n??/'
