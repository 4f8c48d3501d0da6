"""Decoding of branches and stack adjustments, on encodings as GNU as writes them."""

from __future__ import annotations

import pytest

from tinyml.firmware.thumb import (
    Instruction,
    adjusts_stack_by_register,
    branch_target,
    decode,
    is_indirect_call,
    is_indirect_jump,
    pushed_bytes,
)


def one(halfwords: str, address: int = 0x1000) -> Instruction:
    code = b"".join(int(word, 16).to_bytes(2, "little") for word in halfwords.split())
    (instruction,) = decode(address, code)
    return instruction


@pytest.mark.parametrize(
    ("halfwords", "target", "call"),
    [
        ("f000 f802", 0x1008, True),  # bl
        ("f7ff fffe", 0x1000, True),  # bl to itself
        ("f7ff fffc", 0x0FFC, True),
        ("f3ff d7ff", 0x1000 + 4 + 0xFFFFFE - 0x1000000 + 0x1000000, True),  # the farthest forward bl
        ("f400 d000", 0x1000 + 4 - 0x1000000, True),  # the farthest backward bl
        ("f000 b802", 0x1008, False),  # b.w
        ("e002", 0x1008, False),  # b
        ("e7fe", 0x1000, False),
        ("d002", 0x1008, False),  # beq
        ("d1fe", 0x1000, False),  # bne
        ("f000 8002", 0x1008, False),  # beq.w
        ("f47f affe", 0x1000, False),  # bne.w
    ],
)
def test_branches(halfwords: str, target: int, call: bool) -> None:
    assert branch_target(one(halfwords)) == (target, call)


@pytest.mark.parametrize("halfwords", ["4770", "bf00", "df00", "de00", "f3bf 8f4f", "f3ef 8008", "e8bd 8010", "b5f0"])
def test_no_branches(halfwords: str) -> None:
    assert branch_target(one(halfwords)) is None


@pytest.mark.parametrize(
    ("halfwords", "expected"),
    [
        ("b500", 4),  # push {lr}
        ("b5f0", 20),  # push {r4-r7, lr}
        ("b082", 8),  # sub sp, #8
        ("e92d 4ff0", 36),  # push {r4-r11, lr}
        ("f84d ed04", 4),  # push {lr}, 32 bits
        ("e96d 4504", 16),  # strd r4, r5, [sp, #-16]!
        ("f5ad 7d00", 512),  # sub.w sp, sp, #512
        ("f6ad 7d04", 3844),  # subw sp, sp, #3844
        ("f1ad 0d48", 72),  # sub.w sp, sp, #72
        ("ed2d 8b10", 64),  # vpush {d8-d15}
        ("ed2d 8a01", 4),  # vpush {s16}
        ("bd10", 0),  # pop
        ("b002", 0),  # add sp, #8
        ("9002", 0),  # str r0, [sp, #8]
    ],
)
def test_stack_adjustments(halfwords: str, expected: int) -> None:
    assert pushed_bytes(one(halfwords)) == expected


def test_what_can_not_be_followed() -> None:
    assert is_indirect_call(one("4798")) and not is_indirect_call(one("4718"))  # blx r3, bx r3
    assert is_indirect_jump(one("4718")) and not is_indirect_jump(one("4770"))  # bx lr returns
    assert adjusts_stack_by_register(one("ebad 0d03"))  # sub.w sp, sp, r3
    assert adjusts_stack_by_register(one("46bd"))  # mov sp, r7
    assert not adjusts_stack_by_register(one("b082"))


def test_instructions_follow_each_other() -> None:
    code = b"".join(word.to_bytes(2, "little") for word in (0xB510, 0xF000, 0xF802, 0xBD10))
    assert [(i.address, i.size_bytes) for i in decode(0x100, code)] == [(0x100, 2), (0x102, 4), (0x106, 2)]
