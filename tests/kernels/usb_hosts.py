"""The other end of a USB cable, in Python: a host as each family's controller shows it to its driver."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.driver_machine import DriverMachine
from tinyml.boards import load_board, with_console
from tinyml.firmware import drivers

CODE = """
uint32_t tml_slower_hz, got, wrote;
uint8_t text[256];
void run(void);
void poll(void);
void say(void);
void run(void) { tml_uart_init(); }
void poll(void) { got = (uint32_t)tml_uart_read(); }
void say(void) { for (uint32_t i = 0; i < wrote; ++i) tml_uart_write((char)text[i]); }
"""


class Host:
    """A host of the serial line. Families differ in ``ask``, ``tell``, ``send``, ``fetch`` and ``bus_reset``."""

    def __init__(
        self, board: str, driver: str, folder: Path, monkeypatch: pytest.MonkeyPatch, code: str = "", *entries: str
    ) -> None:
        loaded = with_console(load_board(board), "usb", "kws")
        monkeypatch.setattr("tests.support.driver_machine.load_board", lambda _: loaded)
        monkeypatch.setattr("tinyml.firmware.drivers.USB_HOST_WAIT_MS", 2)
        self.core = DriverMachine(
            board, (), [driver, "tml_usb_cdc.c"], CODE + code, folder, "poll", "say", "tml_usb_irq", *entries
        )

    def bus_reset(self) -> None:
        """The host resets the bus."""
        raise NotImplementedError

    def ask(self, request: bytes) -> bytes | None:
        """The answer to a request that has one, packet by packet; None where it is refused."""
        raise NotImplementedError

    def tell(self, request: bytes, data: bytes = b"") -> bool:
        """A request without answer, with ``data`` behind it; whether it was taken."""
        raise NotImplementedError

    def send(self, data: bytes) -> bool:
        """A packet to endpoint 2; whether the device had room."""
        raise NotImplementedError

    def fetch(self) -> bytes | None:
        """The packet of endpoint 2, where there is one."""
        raise NotImplementedError

    def say(self, text: bytes) -> None:
        """The firmware writes ``text``."""
        self.core.machine.write("text", text)
        self.core.machine.write("wrote", len(text).to_bytes(4, "little"))
        self.core.machine.call("say")

    def read(self) -> int:
        """What the firmware reads next."""
        self.core.machine.call("poll")
        return self.core.variable("got")


RAM, USB = 0x50100000, 0x50110000
EP0_IN, EP0_OUT, EP2_IN, EP2_OUT = RAM + 0x80, RAM + 0x84, RAM + 0x90, RAM + 0x94
AVAILABLE, STALL, DATA1, FULL = 1 << 10, 1 << 11, 1 << 13, 1 << 15
STATUS_INT, RESET_INT, SETUP_INT = 1 << 4, 1 << 12, 1 << 16
ROM, ROM_TABLE, GONE = 0x20300000, 0x7A00, 0xD0000FFC

ROM_CODE = f"""
uint32_t rom_asked[2], rom_told[4];
uintptr_t rom_lookup(uint32_t first, uint32_t second);
static void rom_reboot(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {{
    rom_told[0] = a, rom_told[1] = b, rom_told[2] = c, rom_told[3] = d;
    *(volatile uint32_t *){GONE:#x} = 1;
    for (;;) {{}}
}}
uintptr_t rom_lookup(uint32_t first, uint32_t second) {{
    rom_asked[0] = first, rom_asked[1] = second;
    return (uintptr_t)rom_reboot;
}}
"""


class Rp2Host(Host):
    """Of the RP2040 and RP2350: requests as packets in the controller's memory, interrupts as calls."""

    def __init__(self, board: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        family = load_board(board).family
        monkeypatch.setitem(drivers._RP2_USB, family, drivers._RP2_USB[family] | {"TML_RP2_ROM": f"{ROM:#x}u"})
        super().__init__(board, "uart_rp2_usb.c", folder, monkeypatch, ROM_CODE, "rom_lookup", "rom_asked", "rom_told")
        self._write_rom(0x18 if family == "rp2040" else 0x16)
        self.interrupts = self.done = 0
        self.toggle = 0
        self.core.on_read |= {
            USB + 0x98: lambda _: self.interrupts,
            USB + 0x58: lambda _: self.done,
            (0x4000C008 if board == "pico" else 0x40020008): lambda _: 0xFFFFFFFF,
            (0x4002C000 if board == "pico" else 0x40058000): lambda value: value | 1 << 31,
        }

    def _write_rom(self, lookup_at: int) -> None:
        """The boot ROM's pointers: its table's, and at ``lookup_at`` that of the function that looks functions up."""
        lookup = self.core.machine._symbols["rom_lookup"] | 1
        for place, value in ((0x14, ROM_TABLE), (lookup_at, lookup)):
            self.core.machine._uc.mem_write(ROM + place, value.to_bytes(2, "little"))

        def gone(_address: int, _value: int) -> None:
            self.core.machine._uc.emu_stop()

        self.core.on_write[GONE] = gone

    @property
    def rom_calls(self) -> tuple[list[int], list[int]]:
        """What the boot ROM was asked for, and what its function was told."""
        read = self.core.machine.read
        asked, told = (
            np.frombuffer(read(name, 4 * count), "<u4") for name, count in (("rom_asked", 2), ("rom_told", 4))
        )
        return asked.tolist(), told.tolist()

    def _interrupt(self, interrupts: int, done: int = 0) -> None:
        self.interrupts, self.done = interrupts, done
        self.core.machine.call("tml_usb_irq")
        self.interrupts = self.done = 0

    def _setup(self, request: bytes) -> None:
        assert len(request) == 8
        for place in (EP0_IN, EP0_OUT):
            self.core.registers[place] = 0
        self.core.registers[RAM], self.core.registers[RAM + 4] = (
            int.from_bytes(request[at : at + 4], "little") for at in (0, 4)
        )
        self._interrupt(SETUP_INT)

    def _packet(self, control: int, data: int) -> tuple[int, bytes]:
        """What the device has handed over for the host: (data toggle, bytes)."""
        value = self.core.registers[control]
        assert value & AVAILABLE and value & FULL
        words = b"".join(self.core.registers.get(RAM + data + 4 * i, 0).to_bytes(4, "little") for i in range(16))
        return value >> 13 & 1, words[: value & 0x3FF]

    def bus_reset(self) -> None:
        self.toggle = 0
        self._interrupt(RESET_INT)

    def ask(self, request: bytes) -> bytes | None:
        self._setup(request)
        wanted, answer, toggle = int.from_bytes(request[6:], "little"), b"", 1
        while True:
            if self.core.registers[EP0_IN] & STALL:
                assert self.core.registers[USB + 0x68] == 3
                return None
            got, data = self._packet(EP0_IN, 0x100)
            assert got == toggle
            answer, toggle = answer + data, 1 - toggle
            self._interrupt(STATUS_INT, 1)
            if len(data) < 64 or len(answer) == wanted:
                assert self.core.registers[EP0_OUT] & AVAILABLE, "the status of the host is awaited"
                self._interrupt(STATUS_INT, 2)
                return answer

    def tell(self, request: bytes, data: bytes = b"") -> bool:
        self._setup(request)
        if self.core.registers[EP0_IN] & STALL:
            return False
        if data:
            assert self.core.registers[EP0_OUT] & (AVAILABLE | DATA1) == AVAILABLE | DATA1
            self._put(0x100, data)
            self.core.registers[EP0_OUT] = FULL | len(data)
            self._interrupt(STATUS_INT, 2)
        assert self._packet(EP0_IN, 0x100) == (1, b"")
        self._interrupt(STATUS_INT, 1)
        return True

    def _put(self, place: int, data: bytes) -> None:
        for at in range(0, len(data), 4):
            self.core.registers[RAM + place + at] = int.from_bytes(data[at : at + 4], "little")

    def send(self, data: bytes) -> bool:
        value = self.core.registers[EP2_OUT]
        if not value & AVAILABLE:
            return False
        self._put(0x180, data)
        self.core.registers[EP2_OUT] = value & DATA1 | FULL | len(data)
        self._interrupt(STATUS_INT, 32)
        return True

    def fetch(self) -> bytes | None:
        if not self.core.registers.get(EP2_IN, 0) & AVAILABLE:
            return None
        toggle, data = self._packet(EP2_IN, 0x1C0)
        assert toggle == self.toggle
        self.toggle = 1 - toggle
        self.core.registers[EP2_IN] &= ~AVAILABLE
        self._interrupt(STATUS_INT, 16)
        return data


USBD, POWER_USB, HIDDEN, NVIC = 0x40027000, 0x40000438, 0x4006EC00, 0xE000E000
TASKS, IN_END, EP0_DONE, OUT_END, EP0_SETUP, EPDATA = 0x04, 0x108, 0x128, 0x130, 0x15C, 0x160
READY, USBD_IRQ = 1 << 11, 1 << 7


class NrfHost(Host):
    """Of the nRF52840: its USBD, which moves packets by EasyDMA and answers SET_ADDRESS and toggles by itself."""

    def __init__(self, board: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(board, "uart_nrf_usbd.c", folder, monkeypatch)
        self.supply, self.unlocked, self.enabled_irq = 3, False, False
        self.hidden = {HIDDEN + 0x14: 0, HIDDEN + 0x114: 0}
        self.held = {USBD + 0x400: 0, USBD + 0x46C: 0}
        self.packets: dict[int, bytes] = {}
        self.came: dict[int, bytes | None] = {0: None, 2: None}
        self.tasks: list[int] = []
        registers = self.core.registers
        self.core.on_read |= {
            POWER_USB: lambda _: self.supply,
            HIDDEN: lambda _: int(self.unlocked),
            NVIC + 0x104: lambda _: USBD_IRQ if self.enabled_irq else 0,
            USBD + 0x400: lambda _: self.held[USBD + 0x400],
            USBD + 0x46C: lambda _: self.held[USBD + 0x46C],
            USBD + 0x4A0: lambda _: len(self.came[0] or b""),
            USBD + 0x4A8: lambda _: len(self.came[2] or b""),
        }
        self.core.on_write |= {
            HIDDEN: self._key,
            HIDDEN + 0x14: self._hide,
            HIDDEN + 0x114: self._hide,
            NVIC + 0x104: self._allow,
            NVIC + 0x184: self._forbid,
            USBD + 0x500: self._enable,
            USBD + 0x4A8: lambda _a, _v: self.came.update({2: None}),
            **{USBD + TASKS + 4 * n: self._task for n in range(23)},
            **dict.fromkeys(self.held, self._clear),
        }
        registers[USBD + 0x304] = 0

    def _key(self, _address: int, value: int) -> None:
        assert value == 0x9375
        self.unlocked = not self.unlocked

    def _hide(self, address: int, value: int) -> None:
        assert self.unlocked
        self.hidden[address] = value

    def _allow(self, _address: int, value: int) -> None:
        self.enabled_irq = self.enabled_irq or value == USBD_IRQ

    def _forbid(self, _address: int, value: int) -> None:
        assert value == USBD_IRQ
        self.enabled_irq = False

    def _clear(self, address: int, value: int) -> None:
        self.held[address] &= ~value

    def _enable(self, _address: int, value: int) -> None:
        if value:
            assert self.hidden == {HIDDEN + 0x14: 0xC0, HIDDEN + 0x114: 3}, "errata 171 and 187"
            self.held[USBD + 0x400] |= READY

    def _task(self, address: int, value: int) -> None:
        """Tasks as table 'Registers' of 6.35.13 numbers them: 0 to 7 into the controller, 9 to 16 out of it."""
        number = (address - USBD - TASKS) // 4
        assert value == 1 and self.core.registers[USBD + 0x500] == 1
        self.tasks.append(number)
        protected = self.core.registers.get(USBD + 0xC1C, 0) == 0x82
        moves = number < 8 or 9 <= number <= 16
        assert moves == protected, "erratum 199: no other task during EasyDMA, and EasyDMA always guarded"
        assert not self.enabled_irq or not moves, "a second one must not start by interrupt"
        if number < 8:
            pointer, count = (self.core.registers[USBD + 0x600 + 0x14 * number + at] for at in (0, 4))
            assert pointer >> 28 == 2, "EasyDMA reads RAM only"
            assert number == 0 or number not in self.packets, "the last one is still there"
            self.packets[number] = bytes(self.core.machine._uc.mem_read(pointer, count)) if count else b""
            self.core.registers[USBD + IN_END + 4 * number] = 1
        elif moves:
            endpoint = number - 9
            pointer, count = (self.core.registers[USBD + 0x700 + 0x14 * endpoint + at] for at in (0, 4))
            data = self.came[endpoint]
            assert data is not None and count == len(data) and pointer >> 28 == 2
            self.core.machine._uc.mem_write(pointer, data)
            self.came[endpoint] = None
            self.core.registers[USBD + OUT_END + 4 * endpoint] = 1

    def _event(self, offset: int) -> None:
        """An event, and the interrupt where it is enabled; the handler must leave nothing behind."""
        number = (offset - 0x100) // 4
        self.core.registers[USBD + offset] = 1
        assert self.core.registers[USBD + 0x304] >> number & 1, "its interrupt is enabled"
        if self.enabled_irq:
            self.core.machine.call("tml_usb_irq")
            assert self.core.registers[USBD + offset] == 0

    def _setup(self, request: bytes) -> None:
        for index, byte in enumerate(request):
            self.core.registers[USBD + 0x480 + 4 * index] = byte
        self.tasks.clear()
        self.packets.pop(0, None)
        self._event(EP0_SETUP)

    def bus_reset(self) -> None:
        self.packets.clear()
        self.came = {0: None, 2: None}
        self.core.registers[USBD + 0x510] = self.core.registers[USBD + 0x514] = 1
        self._event(0x100)

    def ask(self, request: bytes) -> bytes | None:
        self._setup(request)
        wanted, answer = int.from_bytes(request[6:], "little"), b""
        while True:
            if 20 in self.tasks:
                return None
            data = self.packets.pop(0)
            answer += data
            over = len(data) < 64 or len(answer) == wanted
            self._event(EP0_DONE)
            assert (19 in self.tasks) == over, "the status follows the last packet"
            if over:
                assert 0 not in self.packets
                return answer

    def tell(self, request: bytes, data: bytes = b"") -> bool:
        self._setup(request)
        if 20 in self.tasks:
            return False
        if data:
            assert self.tasks == [18]
            self.came[0] = data
            self._event(EP0_DONE)
        assert (19 in self.tasks) == (request[:2] != bytes([0, 5])), "of SET_ADDRESS the controller gives it"
        return True

    def send(self, data: bytes) -> bool:
        if self.came[2] is not None or not self.core.registers.get(USBD + 0x514, 0) & 4:
            return False
        self.came[2] = data
        self.held[USBD + 0x46C] |= 1 << 18
        self._event(EPDATA)
        return True

    def fetch(self) -> bytes | None:
        if 2 not in self.packets:
            return None
        data = self.packets.pop(2)
        self.held[USBD + 0x46C] |= 1 << 2
        self._event(EPDATA)
        return data
