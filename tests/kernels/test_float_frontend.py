"""MLPerf Tiny's MFCC: TensorFlow's definition, NumPy's, and the C in single precision within one step of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.core_build import Machine, compile_core
from tests.support.frontend_build import host_frontend, run_frontend
from tests.support.shared import require_module, require_shared, require_tool
from tests.unit.features.sounds import extremes, speech_like
from tinyml.data import open_dataset
from tinyml.data.base import TEST
from tinyml.errors import UsageError
from tinyml.features.audio import audio_config, audio_features
from tinyml.features.c_mfcc import mfcc_source
from tinyml.features.mfcc import MfccConfig, mfcc_process, mfcc_values
from tinyml.paths import templates_dir
from tinyml.pipeline import Options
from tinyml.pipeline.sound import ears, reference_network

REFERENCE_MODEL = MfccConfig(input_scale=0.5847029, input_zero_point=83)
WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "_silence_", "_unknown_")
CONFIGS = {
    "benchmark": REFERENCE_MODEL,
    "wide": MfccConfig(window_samples=1000, hop_samples=400, fft_size=1024, bands=30, coefficients=20, input_scale=0.2),
    "small": MfccConfig(window_samples=100, hop_samples=80, fft_size=128, bands=12, coefficients=12, low_hz=200),
}


def sound() -> NDArray[np.int16]:
    """Without the loudest of all, a full-scale tone in the last bin: what it leaves elsewhere is rounding alone."""
    loudest = {name: clip for name, clip in extremes(4_000).items() if name != "alternating"}
    return np.concatenate([*(speech_like(seed) >> (seed % 5) for seed in range(40)), *loudest.values()])


@pytest.mark.parametrize("name", CONFIGS)
def test_the_c_is_within_one_step_of_the_definition(tmp_path: Path, name: str) -> None:
    config = CONFIGS[name]
    got = run_frontend(host_frontend(config, tmp_path), sound(), config.features)
    wanted = mfcc_process(sound(), config)
    difference = np.abs(got.astype(np.int64) - wanted)
    assert got.shape == wanted.shape and difference.max() <= 1
    assert (difference > 0).mean() < 0.01


@pytest.mark.parametrize(("compiler", "bar"), [("gcc", 53_000), ("zig", 60_000)])
def test_a_frame_on_a_core_with_an_fpu(tmp_path: Path, compiler: str, bar: int) -> None:
    made = mfcc_source(REFERENCE_MODEL)
    main = "int16_t ring[1024];\nint8_t out[10];\nvoid one(void);\n"
    main += "void one(void) { frontend_frame(ring, 1024u, 3u, out); }\n"
    stages = (templates_dir() / "frontend" / "tml_frontend_float.h").read_text(encoding="utf-8")
    headers = {"frontend.h": made.files["frontend.h"], "tml_frontend_float.h": stages}
    elf = compile_core(
        made.files["frontend.c"] + main,
        "cortex-m4",
        tmp_path,
        entries=("one", "ring", "out"),
        compiler=compiler,
        optimise="-Os" if compiler == "gcc" else "-O3",
        headers=headers,
    )
    machine = Machine(elf, "cortex-m4")
    clip = speech_like(7)[6_000:7_024]
    machine.write("ring", clip.tobytes())
    assert machine.count("one") < bar
    got = np.frombuffer(machine.read("out", 10), np.int8).astype(np.int64)
    assert np.abs(got - mfcc_process(clip[3:483], REFERENCE_MODEL)[0]).max() <= 1
    assert machine.size("bins") + machine.size("logs") == made.ram_bytes <= 6 * 1024


@pytest.mark.train
def test_the_definition_is_tensorflows() -> None:
    require_module("tensorflow")
    import tensorflow as tf

    clip = speech_like(3)
    spectrum = tf.abs(tf.signal.stft(tf.constant(clip / 32768.0, tf.float32), 480, 320, None, tf.signal.hann_window))
    mel = tf.signal.linear_to_mel_weight_matrix(40, spectrum.shape[-1], 16_000, 20.0, 4_000.0)
    logs = tf.math.log(tf.tensordot(spectrum, mel, 1) + 1e-6)
    wanted = tf.signal.mfccs_from_log_mel_spectrograms(logs)[..., :10].numpy()
    assert np.abs(mfcc_values(clip, MfccConfig()) - wanted).max() < 1e-4


def reference_clips() -> tuple[list[NDArray[np.int16]], list[str]]:
    dataset = open_dataset(require_shared("data/speech_commands"))
    chosen = [s for s in dataset.samples(TEST) if not dataset.classes[s.label].startswith("_")][::12]
    return [sample.decode() for sample in chosen], [dataset.classes[sample.label] for sample in chosen]


def test_the_benchmarks_model_knows_its_words_by_it() -> None:
    """With each clip divided by its own peak, as the benchmark's training data was."""
    network = reference_network(require_shared("models/kws_ref_model.tflite").read_bytes())
    right = 0
    clips, words = reference_clips()
    for clip, word in zip(clips, words, strict=True):
        values = mfcc_values(clip, REFERENCE_MODEL, full_scale=float(max(1, clip.max())))
        steps = np.floor(values / REFERENCE_MODEL.input_scale + 0.5) + REFERENCE_MODEL.input_zero_point
        right += WORDS[int(network(np.clip(steps, -128, 127).astype(np.int8)).argmax())] == word
    assert right > 0.85 * len(clips)


def test_the_firmware_of_the_benchmarks_model_hears_within_the_tolerance(tmp_path: Path) -> None:
    require_tool("qemu-system-arm")
    model = tmp_path / "kws.tflite"
    shutil.copy(require_shared("models/kws_ref_model.tflite"), model)
    frontend = MfccConfig(full_scale=8_000.0, input_scale=0.5847029, input_zero_point=83).to_json()
    manifest = {"labels": WORDS, "frontend": frontend, "threshold": 0.6}
    model.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")
    clips, _ = reference_clips()
    with ears(str(model), "netduinoplus2", Options(emulator="qemu")) as firmware:
        listened = firmware.hear(np.concatenate(clips[:12]), "twelve clips")
    assert listened.done["dropped_frames"] == 0 and len(listened.heard.detections) > 1


def test_a_manifests_kind_decides() -> None:
    assert audio_config(REFERENCE_MODEL.to_json()) == REFERENCE_MODEL
    assert audio_features(np.zeros(100, np.int16), REFERENCE_MODEL).shape == (0, 10)
    with pytest.raises(UsageError, match="unknown kind 'plp'"):
        audio_config({"kind": "plp"})
    with pytest.raises(UsageError, match="unknown key 'floor_power'"):
        audio_config({"kind": "mlperf_mfcc", "floor_power": 3})
    with pytest.raises(UsageError, match="bands must be a number, got '40'"):
        audio_config({"kind": "mlperf_mfcc", "bands": "40"})
    with pytest.raises(UsageError, match="coefficients is 41, not 1 to 40"):
        audio_config({"kind": "mlperf_mfcc", "coefficients": 41})
