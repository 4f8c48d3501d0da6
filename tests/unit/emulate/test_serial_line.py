"""Which serial lines QEMU models, and what --serial takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tinyml.boards import list_boards, load_board
from tinyml.cli.emulate import command
from tinyml.emulate.serial_line import line_number, open_line, parse_where
from tinyml.errors import UsageError


def test_the_place_of_the_console_among_the_machines_lines() -> None:
    assert line_number(load_board("mps2-an386")) == line_number(load_board("microbit")) == 0
    assert line_number(load_board("netduinoplus2")) == 5


def test_a_board_on_another_boards_machine_has_no_line() -> None:
    with pytest.raises(UsageError, match="does not model the serial line of nano33ble") as caught:
        line_number(load_board("nano33ble"))
    modelled = str(caught.value.hint).removeprefix("boards whose line it models: ").split(", ")
    assert modelled == [b.name for b in list_boards() if b.name in modelled] and "microbit" in modelled
    assert all(line_number(load_board(name)) in (0, 5) for name in modelled)


def test_where_a_line_can_be() -> None:
    assert parse_where("pty") is None
    assert parse_where("tcp") == 0 and parse_where("tcp:5555") == 5555


@pytest.mark.parametrize("where", ["", "tcp:", "tcp:70000", "udp:1", "tcp:0.0.0.0:1", "/dev/ttyUSB0", "pty "])
def test_no_other_address_is_taken(where: str) -> None:
    with pytest.raises(UsageError, match="unknown serial line"):
        parse_where(where)
    with pytest.raises(UsageError), open_line(Path("firmware.elf"), load_board("microbit"), where):
        pass


@pytest.mark.parametrize("other", [["--json"], ["--wav", "a.wav"], ["--image", "a.png"], ["--dataset", "."]])
def test_it_goes_with_no_other_input(other: list[str]) -> None:
    result = CliRunner().invoke(command, ["m.tflite", "--board", "microbit", "--serial", "pty", *other])
    assert result.exit_code == 2 and "--serial excludes" in result.output
