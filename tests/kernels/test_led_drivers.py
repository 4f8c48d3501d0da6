"""The lights of every family against ports in Python: which pin is driven, and how a light goes on and off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.driver_machine import DriverMachine
from tinyml.boards import load_board, with_console
from tinyml.errors import UsageError
from tinyml.firmware.parts import part_drivers
from tinyml.firmware.parts.leds import leds

CODE = """
uint32_t tml_slower_hz;
void run(void);
void on(void);
void off(void);
bool tml_host_present(void) { return false; }
void run(void) { tml_led_init(); }
void on(void) { tml_led_set(0, 1); }
void off(void) { tml_led_set(0, 0); }
"""


@dataclass(frozen=True, slots=True)
class Light:
    """(register, value) of what a board's first light does (manuals as in the drivers), in ``begin`` in any order."""

    source: str
    begin: tuple[tuple[int, int], ...]
    on: tuple[int, int]
    off: tuple[int, int]
    console: str = "board"


RP2040_GPIO25 = ((0x4000F000, 1 << 5 | 1 << 8), (0x400140CC, 5), (0xD0000024, 1 << 25))
RP2350_GPIO25 = ((0x40023000, 1 << 6 | 1 << 9), (0x400280CC, 5), (0xD0000038, 1 << 25))
LIGHTS = {
    "pico": Light("led_rp2.c", RP2040_GPIO25, (0xD0000014, 1 << 25), (0xD0000018, 1 << 25)),
    "pico-usb": Light("led_rp2.c", RP2040_GPIO25, (0xD0000014, 1 << 25), (0xD0000018, 1 << 25), "usb"),
    "pico2": Light("led_rp2.c", RP2350_GPIO25, (0xD0000018, 1 << 25), (0xD0000020, 1 << 25)),
    "pico2-usb": Light("led_rp2.c", RP2350_GPIO25, (0xD0000018, 1 << 25), (0xD0000020, 1 << 25), "usb"),
    "microbit": Light(
        "led_nrf5.c",
        ((0x50000518, 1 << 13), (0x50000518, 1 << 4), (0x5000050C, 1 << 4)),
        (0x50000508, 1 << 13),
        (0x5000050C, 1 << 13),
    ),
    "nano33ble": Light("led_nrf5.c", ((0x50000518, 1 << 13),), (0x50000508, 1 << 13), (0x5000050C, 1 << 13), "usb"),
    "nucleo_l4r5zi": Light("led_stm32.c", ((0x4002104C, 1 << 2),), (0x48000818, 1 << 7), (0x48000818, 1 << (7 + 16))),
    "nucleo_h743zi": Light("led_stm32.c", ((0x580244E0, 1 << 1),), (0x58020418, 1), (0x58020418, 1 << 16)),
}


@pytest.mark.parametrize("name", LIGHTS)
def test_a_light_goes_on_and_off(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    light = LIGHTS[name]
    board = with_console(load_board(name.removesuffix("-usb")), light.console, "kws")
    monkeypatch.setattr("tests.support.driver_machine.load_board", lambda _: board)
    core = DriverMachine(board.name, ("leds",), [light.source], CODE, tmp_path, "on", "off")
    core.on_read |= {0x4000C008: lambda _: 0xFFFFFFFF, 0x40020008: lambda _: 0xFFFFFFFF}
    core.run()
    assert set(light.begin) <= set(core.writes)
    assert light.off in core.writes and light.on not in core.writes, "it begins dark"
    for entry, wanted in (("on", light.on), ("off", light.off)):
        core.writes.clear()
        core.machine.call(entry)
        assert core.writes == [wanted]


def test_a_pin_that_is_kept_low_is_the_nrf5s_alone(tmp_path: Path) -> None:
    text = load_board("pico").path.read_text("utf-8").replace('pin = "GP25"\n', 'pin = "GP25"\nlow = "GP2"\n')
    (tmp_path / "pico.toml").write_text(text)
    board = load_board(str(tmp_path / "pico.toml"))
    with pytest.raises(UsageError, match="kept low"):
        leds(board, 133_000_000)
    assert dict(part_drivers(load_board("microbit"), "leds", 16_000_000).defines)["TML_LED_LOW_PINS"] == "{4u}"
