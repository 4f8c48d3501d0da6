"""Kinds of instructions, held against what the assembler makes of each mnemonic."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.shared import require_tool
from tinyml.firmware.thumb import decode
from tinyml.firmware.thumb_kinds import block_kinds, classify
from tinyml.plan.instruction_mix import Kind

CASES = {
    Kind.ALU: [
        "adds r0, r1, r2", "mov r8, r1", "ssat r0, #8, r1", "sxtb16 r0, r1, ror #8", "ubfx r0, r1, #3, #4", "nop",
        "sadd16 r0, r1, r2", "movw r0, #1234", "add.w r0, r1, r2, lsl #3", "add sp, #16", "it eq\n addeq r0, r0, r1",
        "nop.w", "pld [r0]", "clz r0, r1", "lsls r0, r1, #3", "cmp r0, #3",
    ],
    Kind.MULTIPLY: ["muls r0, r1, r0", "mul r8, r1, r2"],
    Kind.MULTIPLY_ADD: ["mla r0, r1, r2, r3", "mls r0, r1, r2, r3"],
    Kind.SIMD_MULTIPLY: [
        "smlad r0, r1, r2, r3", "smlabb r0, r1, r2, r3", "smmlar r0, r1, r2, r3", "smuad r0, r1, r2",
        "smmul r0, r1, r2", "smlawb r0, r1, r2, r3", "smmulr r0, r1, r2",
    ],
    Kind.LONG_MULTIPLY: ["smull r0, r1, r2, r3", "umull r0, r1, r2, r3"],
    Kind.LONG_MULTIPLY_ADD: ["smlal r0, r1, r2, r3", "umlal r0, r1, r2, r3", "smlald r0, r1, r2, r3"],
    Kind.DIVIDE: ["sdiv r0, r1, r2", "udiv r0, r1, r2"],
    Kind.LOAD: [
        "ldr r0, [r1]", "ldrsb r0, [r1, r2]", "ldr r0, [r1], #4", "ldrsh.w r0, [r1, #200]", "ldrb r0, [r1, #3]",
        "ldr r0, [sp, #4]", "ldr.w r0, [r1, r2, lsl #2]", "ldrh r0, [r1, #2]", "vldr s0, [r0]", "vldr d0, [r0]",
    ],
    Kind.STORE: ["str r0, [r1]", "strb r0, [r1, r2]", "strh.w r0, [r1], #2", "str r0, [sp, #4]", "vstr s0, [r0]"],
    Kind.BRANCH: ["bx lr", "b .", "beq .", "b.w .", "beq.w .", "cbz r0, .+6", "cbnz r0, .+6", "mov pc, r1"],
    Kind.CALL: ["bl .", "blx r3"],
    Kind.SYSTEM: ["dmb", "msr primask, r0", "mrs r0, primask"],
    Kind.FLOAT: ["vadd.f32 s0, s1, s2", "vmul.f32 s0, s1, s2", "vmov s0, r0", "vmov r0, r1, d0", "vcvt.s32.f32 s0, s1"],
    Kind.FLOAT_DIVIDE: ["vdiv.f32 s0, s1, s2", "vsqrt.f32 s0, s1"],
}  # fmt: skip
WORDS = {
    "push {r0, r1, lr}": (Kind.STORE_MULTIPLE, 3, False),
    "pop {r0, pc}": (Kind.LOAD_MULTIPLE, 2, True),
    "pop {r0, r1}": (Kind.LOAD_MULTIPLE, 2, False),
    "ldmia r0!, {r1, r2, r3}": (Kind.LOAD_MULTIPLE, 3, False),
    "ldm r0, {r5, r6, r12, lr}": (Kind.LOAD_MULTIPLE, 4, False),
    "stmia r0!, {r1, r2}": (Kind.STORE_MULTIPLE, 2, False),
    "push {r4, r8}": (Kind.STORE_MULTIPLE, 2, False),
    "pop {r8, pc}": (Kind.LOAD_MULTIPLE, 2, True),
    "ldrd r0, r1, [r2, #8]": (Kind.LOAD_MULTIPLE, 2, False),
    "ldrd r0, r1, [r2], #8": (Kind.LOAD_MULTIPLE, 2, False),
    "strd r0, r1, [r2]": (Kind.STORE_MULTIPLE, 2, False),
    "vpush {d8, d9}": (Kind.STORE_MULTIPLE, 4, False),
    "vldmia r0!, {s0, s1}": (Kind.LOAD_MULTIPLE, 2, False),
    "ldr pc, [sp], #4": (Kind.LOAD, 0, True),
    "tbb [pc, r0]": (Kind.LOAD, 0, True),
    "ldrex r0, [r1]": (Kind.LOAD, 0, False),
}
VECTORS = {
    Kind.VECTOR: [
        "vmladava.s8 r0, q0, q1", "vadd.i32 q0, q1, q2", "vqrdmulh.s32 q0, q1, r0", "vrshl.s32 q0, q1, q2",
        "vmax.s32 q0, q1, q2", "vmlava.s32 r0, q0, q1", "vaddva.s32 r0, q0", "vmovnb.i32 q0, q1",
    ],
    Kind.VECTOR_MEMORY: [
        "vldrb.u8 q0, [r0]", "vldrb.s16 q0, [r0], #8", "vldrw.u32 q0, [r0, #16]", "vstrw.32 q0, [r0]",
        "vldrb.u16 q0, [r0, q1]", "vstrb.32 q0, [r0]", "vstrh.16 q0, [r0], #16", "vld20.8 {q0, q1}, [r0]",
    ],
    Kind.LOOP: ["dls lr, r0", "le lr, .", "wls lr, r0, .+8", "dlstp.8 lr, r0", "letp lr, ."],
}  # fmt: skip


def assemble(folder: Path, text: str, *, cpu: str = "cortex-m7") -> bytes:
    compiler, copier = require_tool("arm-none-eabi-gcc"), require_tool("arm-none-eabi-objcopy")
    (folder / "code.s").write_text(f".syntax unified\n.thumb\n{text}\n", "ascii")
    machine = [f"-mcpu={cpu}", "-mthumb", "-mfloat-abi=hard", "-mfpu=auto"]
    subprocess.run([compiler, *machine, "-c", "code.s", "-o", "code.o"], cwd=folder, check=True)
    subprocess.run([copier, "-O", "binary", "-j", ".text", "code.o", "code.bin"], cwd=folder, check=True)
    return (folder / "code.bin").read_bytes()


def last_of(code: bytes) -> tuple[Kind, int, bool]:
    return [classify(instruction) for instruction in decode(0, code)][-1]


@pytest.mark.parametrize("kind", list(CASES), ids=lambda kind: kind.value)
def test_each_kind(tmp_path: Path, kind: Kind) -> None:
    for text in CASES[kind]:
        found, words, branches = last_of(assemble(tmp_path, text))
        assert (found, words) == (kind, 0), text
        assert branches == (kind in (Kind.BRANCH, Kind.CALL)), text


@pytest.mark.parametrize("text", list(WORDS))
def test_loads_and_stores_of_several_registers_and_jumps_by_loads(tmp_path: Path, text: str) -> None:
    assert last_of(assemble(tmp_path, text)) == WORDS[text]


@pytest.mark.parametrize("kind", list(VECTORS), ids=lambda kind: kind.value)
def test_vectors_and_their_loops(tmp_path: Path, kind: Kind) -> None:
    for text in VECTORS[kind]:
        assert last_of(assemble(tmp_path, text, cpu="cortex-m55")) == (kind, 0, False), text


def test_a_block_sees_neighbours(tmp_path: Path) -> None:
    code = assemble(tmp_path, "ldr r0, [r1]\n ldr r2, [r3]\n ldrb r4, [r5]\n adds r0, r0, r2\n ldr r6, [r7]\n bne .")
    counts, branches = block_kinds(0, code)
    assert counts == {Kind.LOAD: 2, Kind.LOAD_NEXT: 2, Kind.ALU: 1, Kind.BRANCH: 1} and branches
    text = "vldrb.u8 q0, [r0]\n vmladava.s8 r2, q0, q1\n vldrb.u8 q1, [r1]\n vldrb.u8 q2, [r1]\n vadd.i8 q0, q0, q1"
    counts, branches = block_kinds(0, assemble(tmp_path, text, cpu="cortex-m55"))
    assert counts == {Kind.VECTOR_MEMORY: 3, Kind.VECTOR: 2, Kind.VECTOR_OVERLAP: 2} and not branches
