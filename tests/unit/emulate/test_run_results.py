"""What comes back from a run: traces, outputs, exit codes; and which emulator is taken."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from tinyml.boards import load_board
from tinyml.emulate import run as run_module
from tinyml.emulate.result import check_exit, parse_trace, split_outputs, stack_used_bytes
from tinyml.emulate.run import choose_emulator, run_firmware
from tinyml.errors import BuildError, MismatchError, UsageError
from tinyml.firmware.image import Image, Symbol

IMAGE = Image(Path("firmware.elf"), (), (), (Symbol("network_step_003", 0x1000, 0x40, "STT_FUNC", True),), (), ())


def record(tensor: int, data: bytes) -> bytes:
    return tensor.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data


def mark(number: int) -> bytes:
    return (0xFFFFFFFF).to_bytes(4, "little") + number.to_bytes(4, "little")


def test_traces_are_split_by_input() -> None:
    content = mark(0) + record(7, b"abc") + record(9, b"d") + mark(1) + record(7, b"xyz") + record(9, b"")
    assert parse_trace(content) == [{7: b"abc", 9: b"d"}, {7: b"xyz", 9: b""}]
    assert parse_trace(b"") == []


@pytest.mark.parametrize("content", [mark(0) + record(7, b"abc")[:-1], record(7, b"abc")])
def test_a_damaged_trace_is_refused(content: bytes) -> None:
    with pytest.raises(BuildError, match="trace file is damaged"):
        parse_trace(content)


def test_outputs_are_split_evenly() -> None:
    assert split_outputs(b"aabbcc", 3) == [b"aa", b"bb", b"cc"]
    for content, inputs in ((b"", 1), (b"abc", 2), (b"abc", 0)):
        with pytest.raises(BuildError, match="output bytes"):
            split_outputs(content, inputs)


def test_the_painted_stack_is_read_from_the_console() -> None:
    console = 'noise\n{"event":"done","inputs":1,"stack_used_bytes":136}\n[1]\n'
    assert stack_used_bytes(console) == 136
    assert stack_used_bytes("noise\n") is None


def test_faults_name_the_function() -> None:
    console = '{"event":"fault","pc":"0x00001004","lr":"0x00001011","cfsr":"0x00008200"}\n'
    with pytest.raises(MismatchError, match=r"0x00001004 in network_step_003\+0x4 .*cfsr 0x00008200") as caught:
        check_exit(112, console, IMAGE, "QEMU")
    assert caught.value.exit_code == 7 and caught.value.hint


@pytest.mark.parametrize(
    ("code", "message"), [(5, "could not write"), (4, "multiple"), (77, "exit code 77"), (None, "None")]
)
def test_other_exits_are_build_errors(code: int | None, message: str) -> None:
    with pytest.raises(BuildError, match=message):
        check_exit(code, "", IMAGE, "QEMU")
    check_exit(0, "", IMAGE, "QEMU")


def test_unicorn_is_taken_first_and_qemu_where_it_has_no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_installed", lambda kind: True)
    assert choose_emulator(load_board("nano33ble")).kind == "unicorn"
    assert choose_emulator(load_board("mps3-an547")).kind == "qemu"
    assert choose_emulator(load_board("nano33ble"), "qemu").kind == "qemu"
    monkeypatch.setattr(run_module, "_installed", lambda kind: kind == "qemu")
    assert choose_emulator(load_board("nano33ble")).kind == "qemu"


def test_without_any_emulator_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_installed", lambda kind: False)
    with pytest.raises(BuildError, match="neither Unicorn nor qemu-system-arm was found") as caught:
        choose_emulator(load_board("nano33ble"))
    assert caught.value.exit_code == 5
    assert caught.value.hint is not None and "pip install unicorn" in caught.value.hint
    with pytest.raises(BuildError, match="no qemu-system-arm was found"):
        choose_emulator(load_board("mps3-an547"))


def test_what_is_installed_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/" + name)
    assert not run_module._installed("unicorn") and run_module._installed("qemu")


def test_bad_requests(tmp_path: Path) -> None:
    board = load_board("nano33ble")
    with pytest.raises(UsageError, match="unknown emulator 'bochs'"):
        choose_emulator(board, "bochs")
    with pytest.raises(BuildError, match="unicorn can't run cortex-m55"):
        choose_emulator(load_board("mps3-an547"), "unicorn")
    with pytest.raises(UsageError, match="no input"):
        run_firmware(tmp_path / "firmware.elf", board, [])
