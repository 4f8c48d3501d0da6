"""Whether a core keeps up with sound: estimates, strides, rings, and the refusal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tinyml.boards import load_board
from tinyml.errors import DoesNotFitError
from tinyml.features import default_config
from tinyml.features.mfcc import MfccConfig
from tinyml.firmware.kws import PRINTED_BYTES, core_clock_hz, plan_keywords, rhythm_of
from tinyml.paths import templates_dir
from tinyml.pipeline import compile_model
from tinyml.plan.realtime import (
    HIGHEST_LOAD,
    SAFE_SHARE,
    AudioLoad,
    Rhythm,
    choose_stride,
    frame_instructions,
    holds,
    network_instructions,
    plan_audio,
    ring_samples,
)

NANO = load_board("nano33ble")
RHYTHM = rhythm_of(default_config(), NANO)
COUNTED_FRAMES = {"v6m": 120_749, "v7m": 55_269, "dsp": 44_900}
COUNTED_NETWORKS = {"pico": 6_666_183, "mps2-an385": 3_630_860, "nano33ble": 2_554_424, "mps3-an547": 646_768}
"""One inference of the shipped model, one step after the other."""


@pytest.mark.parametrize("isa", COUNTED_FRAMES)
def test_a_frames_estimate_is_within_a_fifth_of_what_is_counted(isa: str) -> None:
    assert frame_instructions(RHYTHM, isa) == pytest.approx(COUNTED_FRAMES[isa], rel=0.2)


@pytest.mark.parametrize("board", COUNTED_NETWORKS)
def test_a_networks_estimate_is_within_a_quarter_of_what_is_counted(board: str) -> None:
    program = compile_model("kws_ds_cnn_s", board).program
    assert network_instructions(program) == pytest.approx(COUNTED_NETWORKS[board], rel=0.25)


def test_floating_point_costs_more_without_an_fpu() -> None:
    integer, single = rhythm_of(default_config(), NANO), rhythm_of(MfccConfig(), NANO)
    soft = rhythm_of(MfccConfig(), load_board("pico"))
    assert integer.factor == 1.0 <= single.factor < soft.factor
    assert frame_instructions(soft, "v6m") > 1_500_000


def test_the_shortest_stride_that_leaves_the_core_a_quarter_of_its_time() -> None:
    load = choose_stride(RHYTHM, 64_000_000, (45_000, 1.0), (2_600_000, 58.0), 80.0, "nano33ble")
    assert load.stride_hops == 5 and load.load <= HIGHEST_LOAD < replace(load, stride_hops=4).load
    fast = choose_stride(RHYTHM, 480_000_000, (45_000, 0.1), (2_600_000, 8.0), 80.0, "nucleo_h743zi")
    assert fast.stride_ms == 80.0 and fast.real_time_factor > 5


def test_a_slow_core_is_refused_with_its_numbers() -> None:
    with pytest.raises(DoesNotFitError) as caught:
        plan_audio(RHYTHM, "dsp", 4_000_000, 2_600_000, 80.0, "nucleo_l4r5zi")
    text = caught.value.message
    assert text.startswith("nucleo_l4r5zi can't keep up with the sound at 4 MHz: a frame every 20 ms takes 16.2 ms")
    assert "an inference 942 ms (estimates)" in text and "75 % is the limit" in text


@pytest.mark.parametrize("network_ms", [0.5, 20.0, 60.0, 300.0])
def test_the_ring_is_the_least_power_of_two_with_its_margins(network_ms: float) -> None:
    silent = replace(RHYTHM, printing_ms=0.0)
    ring = ring_samples(silent, 1.0, network_ms)
    needed = 480 + 320 + 1.25 * (1.0 + network_ms) * 16
    assert ring & (ring - 1) == 0 and SAFE_SHARE * ring >= needed > SAFE_SHARE * ring / 2
    load = AudioLoad(64_000_000, 20.0, 20, 45_000, 1, 1.0, network_ms, ring, False)
    assert holds(load, silent)
    assert not holds(replace(load, ring_samples=ring // 4), silent)
    printing = ring_samples(RHYTHM, 1.0, network_ms)
    assert SAFE_SHARE * printing >= needed + RHYTHM.printing_ms * 16 and RHYTHM.printing_ms > 25
    assert holds(replace(load, ring_samples=printing), RHYTHM)


def test_what_is_printed_at_once_is_counted_with_the_ring() -> None:
    """The longest status, all its numbers of ten digits, and a detection of the longest word that is usual."""
    source = (templates_dir() / "apps" / "kws" / "main.c").read_text("utf-8")
    fields = re.findall(r'(?:tml_print_field|print_permille)\("(\w+)"', source[: source.index("static int infer(")])
    assert {"duty", "most_waiting_samples", "score", "time_ms"} <= set(fields)
    longest = sum(len(f',"{name}":4294967295') for name in fields) + len('{"event":"status"}\n') + 60
    assert longest <= PRINTED_BYTES
    assert rhythm_of(default_config(), load_board("mps2-an386")).printing_ms == 0.0, "its time is the host's"


def test_another_geometry_has_another_rhythm() -> None:
    other = Rhythm(8_000, 256, 80, 256, 100, 20, 0)
    assert other.hop_ms == 10.0
    assert frame_instructions(other, "dsp") < frame_instructions(RHYTHM, "dsp")


def test_the_shipped_model_on_the_nano33ble() -> None:
    compiled = compile_model("kws_ds_cnn_s", NANO)
    plan = plan_keywords(compiled.program, NANO, compiled.source.labels, compiled.source.manifest)
    assert core_clock_hz(NANO) == 64_000_000
    assert plan.load.stride_ms <= 120 and 1.2 < plan.load.real_time_factor < 3
    assert plan.values["APP_RING_SAMPLES"] == f"{plan.load.ring_samples}u"
    assert plan.values["APP_LABELS"].startswith('{"\\"yes\\"", ')
    assert plan.ram_bytes < 12_000
    assert set(plan.lights) == {0}, "the first light for every word"
    relay = replace(NANO.leds[1], name=compiled.source.labels[1], pin="P0.27")
    mine = replace(NANO, leds=(*NANO.leds, relay))
    wired = plan_keywords(compiled.program, mine, compiled.source.labels, compiled.source.manifest)
    assert wired.lights == (0, len(NANO.leds), *([0] * (len(compiled.source.labels) - 2)))
    assert wired.values["APP_LIGHTS"].count(f"{len(NANO.leds)}u") == 1
