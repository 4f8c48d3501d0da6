"""What the verbs print for people."""

from __future__ import annotations

import pytest

from tinyml.plan.budget import Budget, Part, Peak, RegionUse, Sizes
from tinyml.report.results import BuildResult, CheckResult, EmulationResult
from tinyml.report.tables import build_report, check_report, emulation_report, print_report

SIZES = Sizes(code_bytes=5_000, stack_bytes=300, data_bytes=0, bss_bytes=16, exact=False)


def check(ram_bytes: int = 8_192) -> CheckResult:
    flash = RegionUse("FLASH", "flash", 100_000, (Part("code", 5_000, False), Part("weights", 20_000, True)))
    ram = RegionUse("RAM", "ram", ram_bytes, (Part("arena", 4_096, True), Part("stack", 300, False)), 16_384)
    peak = Peak("stem", "CONV_2D", 0, 4_096, (("stem output", 3_000), ("input", 1_000)))
    budget = Budget("tiny", 4_096, 4_000, 96, 20_000, SIZES, (flash, ram), peak)
    return CheckResult("net", "net.tflite", "0" * 64, 1_234_567, budget, warnings=("only a test",))


def emulation(equal: bool) -> EmulationResult:
    return EmulationResult(
        emulator="unicorn",
        inputs=11,
        equal=equal,
        mismatches=0 if equal else 2,
        instructions=700_123,
        reference="LiteRT's reference kernels",
        first_difference=None if equal else "tensor 7 'stem' differs first at [0, 3]",
        outputs=({"input": "yes.wav", "label": "yes", "score": 0.987},),
    )


def test_check_says_verdict_peak_parts_and_what_is_an_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(*check_report(check()))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "net on tiny: fits"
    assert any("1,234,567" in line for line in lines)
    assert any("peak 4,096 bytes at layer stem (CONV_2D): stem output 3,000, input 1,000" in line for line in lines)
    assert ["code", "5,000", "estimate"] in [line.split() for line in lines]
    assert ["weights", "20,000"] in [line.split() for line in lines]
    assert any(line.startswith("RAM (ram, your limit)") and "3,796" in line for line in lines)
    assert "warning: only a test" in lines


def test_an_overflow_is_negative_and_the_verdict_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(*check_report(check(ram_bytes=4_000)))
    out = capsys.readouterr().out
    assert "net on tiny: does not fit" in out
    assert "-396" in out


def test_the_proof_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(*emulation_report(emulation(True)))
    out = capsys.readouterr().out
    assert "LiteRT's reference kernels in unicorn (11 inputs): equal" in out
    assert "700,123" in out
    assert "yes.wav: yes (0.987)" in out
    print_report(*emulation_report(emulation(False)))
    out = capsys.readouterr().out
    assert "DIFFERENT" in out
    assert "2 of 11 inputs differ; tensor 7 'stem' differs first at [0, 3]" in out


def test_build_says_where_the_firmware_is(capsys: pytest.CaptureFixture[str]) -> None:
    result = BuildResult(check(), "build/tiny-benchmark", "build/firmware.elf", "gcc", 3.21, emulation(True))
    print_report(*build_report(result))
    out = capsys.readouterr().out
    assert "build/tiny-benchmark, built with gcc in 3.2 s" in out
    assert "build/firmware.elf" in out
