"""The monitor on a real firmware's serial line, as QEMU offers it on a socket, through a restart of the board."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.support.shared import require_tool
from tests.support.trivial_network import built, require_toolchain
from tinyml.cli import main, output


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def power_on(qemu: Path, elf: Path, port: int) -> subprocess.Popen[str]:
    """Starts the board; its console waits on ``port`` until somebody listens."""
    serial = f"tcp:127.0.0.1:{port},server=on,wait=on"
    command = [str(qemu), "-M", "mps2-an386", "-nographic", "-monitor", "none", "-serial", serial, "-kernel", str(elf)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "waiting for connection" in process.stderr.readline()
    return process


def test_a_board_that_is_restarted(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(output, "_state", {"verbosity": output.NORMAL})
    require_toolchain("gcc")
    qemu = require_tool("qemu-system-arm")
    elf = built(tmp_path_factory, "mps2-an386", "gcc").elf
    port = free_port()
    boards = [power_on(qemu, elf, port)]

    def restart() -> None:
        boards[0].kill()
        boards[0].wait()
        boards.append(power_on(qemu, elf, port))

    timer = threading.Timer(1.5, restart)
    timer.start()
    try:
        assert main(["monitor", f"socket://127.0.0.1:{port}", "--json", "--for", "7s"]) == 0
        timer.join()
    finally:
        timer.cancel()
        for board in boards:
            board.kill()
            board.communicate()
    said = capsys.readouterr()
    events = [json.loads(line)["event"] for line in said.out.splitlines()]
    assert events == ["start", "result", "result", "result", "done"] * 2
    address = f"socket://127.0.0.1:{port}"
    # while QEMU dies its listening socket may take one more connection, and reset it
    notes = said.err.splitlines()
    assert notes[0::2] == [f"{address} is gone; waiting for it to come back"] * (len(notes) // 2)
    assert notes[1::2] == [f"{address} is back"] * (len(notes) // 2)
    assert notes
