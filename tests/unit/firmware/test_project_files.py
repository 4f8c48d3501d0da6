"""Writing a project: complete or not at all, and never over what is the user's."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest

from tests.support.trivial_network import SOURCES, render
from tinyml.boards import list_boards, load_board
from tinyml.errors import BuildError, UsageError
from tinyml.firmware import project as project_module
from tinyml.firmware.environments import environment_name, environments
from tinyml.firmware.project import forget_in_manifest, record_in_manifest, render_project
from tinyml.firmware.render import c_string


def files_of(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_the_project_builds_by_itself(tmp_path: Path) -> None:
    render(tmp_path / "p")
    names = set(files_of(tmp_path / "p"))
    assert {
        "platformio.ini",
        "README.md",
        ".gitignore",
        "manifest.json",
        "src/main.c",
        "src/network.c",
        "include/network.h",
        "include/app_config.h",
        "boards/nano33ble.json",
        "ldscripts/nano33ble.ld",
        "platform/platform.json",
        "platform/platform.py",
        "platform/builder/main.py",
        "lib/tinyml_drivers/src/tml_startup.c",
        "lib/tinyml_drivers/src/uart_nrf_uarte.c",
        "lib/tinyml_drivers/src/board_config.h",
    } <= names
    assert not any("stm32" in name or "rp2" in name for name in names if name.endswith(".c"))


def test_only_needed_kernel_headers_are_copied(tmp_path: Path) -> None:
    source = '#include "tml_pad.h"\n' + SOURCES["network.c"]
    render(tmp_path / "p", sources={**SOURCES, "network.c": source})
    headers = {path.name for path in (tmp_path / "p/lib/tinyml_runtime/src").iterdir()}
    assert "tml_pad.h" in headers and "tml_common.h" in headers
    assert "tml_softmax.h" not in headers


def test_a_header_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"tml_no_such\.h"):
        render(tmp_path / "p", sources={**SOURCES, "network.c": '#include "tml_no_such.h"\n'})
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("board", [board.name for board in list_boards()])
def test_every_board_has_its_environments(tmp_path: Path, board: str) -> None:
    render(tmp_path / "p", board)
    ini = configparser.ConfigParser()
    ini.read(tmp_path / "p/platformio.ini")
    loaded = load_board(board)
    assert [s.removeprefix("env:") for s in ini.sections() if s.startswith("env:")] == [
        e.name for e in environments(loaded)
    ]
    for environment in environments(loaded):
        options = ini[f"env:{environment.name}"]
        content = json.loads((tmp_path / f"p/boards/{options['board']}.json").read_text())
        assert (tmp_path / "p" / content["build"]["linker_script"]).is_file()
        assert ("TML_TRACE" in options.get("build_flags", "")) == environment.name.endswith("-trace")


def test_a_relocated_emulator_has_an_environment_of_its_own() -> None:
    pico = load_board("pico")
    assert environment_name(pico, pico.emulator("unicorn")) == "pico"
    assert environment_name(pico, pico.emulator("qemu"), trace=True) == "pico-qemu-trace"
    assert environment_name(load_board("nano33ble"), load_board("nano33ble").emulator("qemu")) == "nano33ble"


def test_rendering_again_touches_nothing(tmp_path: Path) -> None:
    render(tmp_path / "p")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "p").rglob("*") if p.is_file() and p.name != "manifest.json"}
    render(tmp_path / "p")
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_an_edited_file_is_not_overwritten(tmp_path: Path) -> None:
    render(tmp_path / "p")
    (tmp_path / "p/src/main.c").write_text("mine")
    before = files_of(tmp_path / "p")
    with pytest.raises(UsageError, match=r"1 edited file: src/main\.c") as caught:
        render(tmp_path / "p")
    assert caught.value.hint is not None and "--force" in caught.value.hint
    assert files_of(tmp_path / "p") == before
    render(tmp_path / "p", force=True)
    assert (tmp_path / "p/src/main.c").read_text() != "mine"


def test_files_of_the_user_stay_and_stale_ones_go(tmp_path: Path) -> None:
    render(tmp_path / "p", sources={**SOURCES, "network.c": '#include "tml_pad.h"\n' + SOURCES["network.c"]})
    (tmp_path / "p/src/extra.c").write_text("int extra;\n")
    render(tmp_path / "p")
    assert (tmp_path / "p/src/extra.c").read_text() == "int extra;\n"
    assert not (tmp_path / "p/lib/tinyml_runtime/src/tml_pad.h").exists()


def test_a_users_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    render(tmp_path / "p")
    (tmp_path / "p/lib/tinyml_runtime/src").mkdir(parents=True)
    (tmp_path / "p/lib/tinyml_runtime/src/tml_pad.h").write_text("mine")
    with pytest.raises(UsageError, match=r"tml_pad\.h is not tinyml's"):
        render(tmp_path / "p", sources={**SOURCES, "network.c": '#include "tml_pad.h"\n' + SOURCES["network.c"]})
    assert (tmp_path / "p/lib/tinyml_runtime/src/tml_pad.h").read_text() == "mine"


@pytest.mark.parametrize("manifest", [None, "{}", "not json", "[]", '{"files": {"/etc/passwd": "0"}}'])
def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path, manifest: str | None) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p/thesis.txt").write_text("years of work")
    if manifest is not None:
        (tmp_path / "p/manifest.json").write_text(manifest)
    before = files_of(tmp_path / "p")
    with pytest.raises(UsageError, match="is not a project written by tinyml"):
        render(tmp_path / "p", force=True)
    assert files_of(tmp_path / "p") == before


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    assert (render(tmp_path / "p").directory / "platformio.ini").is_file()


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't write the project"):
        render(tmp_path / "file" / "p")


def test_an_interrupted_creation_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_after(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt):
        render(tmp_path / "out" / "p")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_interrupted_update_is_not_taken_for_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render(tmp_path / "p", "nano33ble")
    with monkeypatch.context() as patch:
        interrupt_after(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            render(tmp_path / "p", "microbit")
    render(tmp_path / "p", "microbit")
    render(tmp_path / "fresh", "microbit")
    ours, fresh = files_of(tmp_path / "p"), files_of(tmp_path / "fresh")
    assert ours == fresh


def interrupt_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    original, left = project_module._write, [writes]

    def write(path: Path, text: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        original(path, text)

    monkeypatch.setattr(project_module, "_write", write)


def test_the_manifest_records_what_it_is_told(tmp_path: Path) -> None:
    project = render_project(load_board("pico"), SOURCES, output_dir=tmp_path / "p", manifest={"model_sha256": "abc"})
    record_in_manifest(project, {"measured": {"code_bytes": 1}})
    manifest = json.loads((tmp_path / "p/manifest.json").read_text())
    assert manifest["model_sha256"] == "abc" and manifest["measured"] == {"code_bytes": 1}
    assert manifest["tinyml"]["board"] == "pico"
    render(tmp_path / "p", "pico")


def test_unknown_application_and_toolchain(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no application '\.\./drivers'"):
        render(tmp_path / "p", app="../drivers")
    with pytest.raises(UsageError, match="unknown toolchain 'cc'"):
        render(tmp_path / "p", toolchain="cc")


def test_names_are_only_names() -> None:
    assert c_string('"; system("x') == '"\\"\\\\\\"; system(\\\\\\"x\\""'
    assert c_string("a\nb??/\x00é").isascii()
    assert "\n" not in c_string("a\nb") and "??" not in c_string("a??/")


def test_a_manifest_forgets_what_it_is_told_to(tmp_path: Path) -> None:
    project = tmp_path / "p"
    project.mkdir()
    forget_in_manifest(project, ("result",))
    assert list(project.iterdir()) == []
    for other in ("text", "[1]", '{"result": 1}'):
        (project / "manifest.json").write_text(other)
        forget_in_manifest(project, ("result",))
        assert (project / "manifest.json").read_text() == other
    (project / "manifest.json").write_text('{"tinyml": {}, "result": 1, "model": "m"}')
    forget_in_manifest(project, ("result",))
    assert json.loads((project / "manifest.json").read_text()) == {"tinyml": {}, "model": "m"}
