from __future__ import annotations

import json
from pathlib import Path

import pytest

from tinyml.cli import main
from tinyml.flash import doctor
from tinyml.flash.doctor import TOOLS, Finding, Tool, can_build, can_emulate, examine_tool


def found(*names: str) -> list[Finding]:
    return [Finding(tool, tool.name in names, None, None) for tool in TOOLS]


@pytest.mark.parametrize(
    ("names", "builds"),
    [
        (("platformio", "scons", "gcc"), True),
        (("platformio", "scons", "zig"), True),
        (("platformio", "scons"), False),
        (("gcc", "zig", "scons"), False),
    ],
)
def test_what_it_takes_to_build(names: tuple[str, ...], builds: bool) -> None:
    assert can_build(found(*names)) is builds


def test_what_it_takes_to_emulate() -> None:
    assert can_emulate(found("qemu"))
    assert can_emulate(found("unicorn"))
    assert not can_emulate(found("renode", "gcc"))


def test_a_program_is_asked_for_its_version() -> None:
    tool = Tool("gcc", "building", "get it", program="arm-none-eabi-gcc")
    finding = examine_tool(
        tool, which=lambda name: f"/bin/{name}", probe=lambda path, argument: f"{path} {argument} (build 7) 12.2.1 2022"
    )
    assert (finding.installed, finding.version, finding.path) == (True, "12.2.1", "/bin/arm-none-eabi-gcc")


def test_a_program_that_says_nothing_is_installed_all_the_same() -> None:
    tool = Tool("x", "building", "get it", program="x")
    finding = examine_tool(tool, which=lambda name: "/bin/x", probe=lambda path, argument: "")
    assert (finding.installed, finding.version) == (True, None)


def test_what_is_nowhere_is_missing() -> None:
    tool = Tool("x", "building", "get it", package="no-such-distribution-of-ours", program="x")
    assert not examine_tool(tool, which=lambda name: None).installed


def test_the_version_of_a_program_that_cannot_run_is_empty(tmp_path: Path) -> None:
    assert doctor.run_version(str(tmp_path / "none"), "--version") == ""


def test_no_toolchain_leaves_with_5(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: found("unicorn"))
    assert main(["doctor", "--json"]) == 5
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert (report["can_build"], report["can_emulate"]) == (False, True)
    assert {"name", "purpose", "installed", "version", "path", "get"} == set(report["tools"][0])
    assert "pip install 'tinyml[zig]'" in captured.err


def test_a_missing_tool_comes_with_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: found("platformio", "scons", "zig"))
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("qemu" in line and "missing" in line and "apt-get install" in line for line in lines)
    assert "proving it in emulation: no" in lines


def test_an_upload_tool_is_found_where_flashing_takes_it_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.support.fake_flashers import install

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("FAKE_CALLS", str(tmp_path / "calls"))
    install(tmp_path / ".arduino15/packages/arduino/tools/bossac/1.9.1-arduino2", "bossac")
    install(tmp_path / "bin", "picotool")
    found = {finding.tool.name: finding for finding in doctor.examine()}
    assert found["bossac"].path == str(tmp_path / ".arduino15/packages/arduino/tools/bossac/1.9.1-arduino2/bossac")
    assert (found["picotool"].path, found["picotool"].version) == (str(tmp_path / "bin" / "picotool"), "2.0.0")
    assert not found["st-flash"].installed
