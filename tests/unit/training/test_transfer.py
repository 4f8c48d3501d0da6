"""Transfer learning: what is taken, what is frozen when, how fast it learns, what is forgotten."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.shared import require_module
from tests.unit.training.conftest import SIDE, bars, build_network
from tinyml.errors import UsageError
from tinyml.models.trained import TRAINED_DIR, trained_models
from tinyml.tflite.quiet import import_keras
from tinyml.training.examples import TrainingData
from tinyml.training.fit import FitOptions, fit, seed_everything
from tinyml.training.runs import Run
from tinyml.training.stages import Schedule, make_optimizer, make_schedule
from tinyml.training.transfer import (
    Source,
    TransferOptions,
    check_transfer,
    definition_of,
    fill_statistics,
    open_source,
    take,
    transfer_options,
)

TAKEN = ("stem", "stem_bn", "block1_conv", "block1_bn", "block2_conv", "block3_conv")


def test_release_frees_the_part_next_to_the_head_first() -> None:
    schedule = make_schedule(TAKEN, ("stem",), (2, 5), 0.1)
    assert schedule.frozen_in(0) == set(TAKEN)
    assert schedule.frozen_in(2) == {"stem", "stem_bn", "block1_conv", "block1_bn", "block2_conv"}
    assert schedule.frozen_in(5) == {"stem", "stem_bn"}
    assert make_schedule(TAKEN, (), (), 0.1).frozen_in(0) == frozenset()
    assert make_schedule(TAKEN, ("all",), (), 0.1).frozen_in(99) == set(TAKEN)
    with pytest.raises(UsageError, match="no stage 'block9'"):
        make_schedule(TAKEN, ("block9",), (), 0.1)
    with pytest.raises(UsageError, match="5 epochs to release 4 stages"):
        make_schedule(TAKEN, (), (1, 2, 3, 4, 5), 0.1)


@pytest.mark.parametrize(
    "options",
    [
        TransferOptions("x", release=(5, 5)),
        TransferOptions("x", release=(0,)),
        TransferOptions("x", freeze=("all",), release=(1,)),
        TransferOptions("x", rate_share=0.0),
    ],
)
def test_options_that_make_no_sense(options: TransferOptions) -> None:
    with pytest.raises(UsageError):
        check_transfer(options)


def test_options_survive_the_manifest(tmp_path: Path) -> None:
    options = TransferOptions("run", ("stem",), (3, 4), 0.2, tmp_path)
    assert transfer_options(options.to_json()) == options


@pytest.mark.train
def test_taken_by_name_and_shape_with_a_new_head() -> None:
    require_module("tensorflow")
    old = build_network(3)
    source = Source(old, ("a", "b", "c"), "bars")
    new = definition_of(source).build(classes=2)
    assert new.output_shape == (None, 2)
    found = take(new, source, ("x", "y"))
    assert found.taken == ("stem", "stem_bn")
    assert found.new == (("classes", "the head, for other classes"),)
    np.testing.assert_array_equal(new.get_layer("stem").get_weights()[0], old.get_layer("stem").get_weights()[0])
    assert take(build_network(3), source, ("a", "b", "c")).new == ()

    keras = import_keras()
    inputs = keras.Input((SIDE, SIDE, 1))
    x = keras.layers.Conv2D(5, 3, name="stem")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    other = keras.Model(inputs, keras.layers.Dense(2, name="say")(x), name="other")
    with pytest.raises(UsageError, match=r"stem: 3x3x1x6 there, 3x3x1x5 here; say: no layer of that name"):
        take(other, source, ("x", "y"))


@pytest.mark.train
def test_frozen_layers_stay_and_released_ones_learn_slower(data: TrainingData, tmp_path: Path) -> None:
    require_module("tensorflow")

    def stem(model: Any) -> list[np.ndarray[Any, Any]]:
        return [np.array(w) for name in ("stem", "stem_bn") for w in model.get_layer(name).get_weights()]

    options = FitOptions(epochs=2, batch_size=16, learning_rate=0.01, patience=9)
    taken = ("stem", "stem_bn")
    seed_everything(1)
    model = build_network()
    before = stem(model)
    fit(model, data, options, Run.create(tmp_path / "a", {}), schedule=make_schedule(taken, ("all",), (), 0.1))
    for one, two in zip(before, stem(model), strict=True):
        np.testing.assert_array_equal(one, two)

    moved = {}
    for share in (1.0, 0.1):
        seed_everything(1)
        model = build_network()
        run = Run.create(tmp_path / f"share-{share}", {})
        state = fit(model, data, options, run, schedule=make_schedule(taken, (), (1,), share))
        assert state.epoch == 2
        moved[share] = float(np.abs(stem(model)[0] - before[0]).mean())
    assert 0 < moved[0.1] < 0.3 * moved[1.0]


@pytest.mark.train
def test_a_run_with_a_schedule_resumes_to_the_same_weights(data: TrainingData, tmp_path: Path) -> None:
    require_module("tensorflow")
    schedule = make_schedule(("stem", "stem_bn"), (), (1,), 0.1)
    options = FitOptions(epochs=3, batch_size=16, patience=9, seed=3)
    states = []
    for name, stops in (("whole", (3,)), ("cut", (1, 2, 3))):
        run = Run.create(tmp_path / name, {})
        for _ in stops:
            seed_everything(3)
            network = build_network()
            limited = StopAfter(1) if len(stops) > 1 else None
            with contextlib.suppress(KeyboardInterrupt):
                fit(network, data, options, run, limited, schedule=schedule)
        states.append(run.load_state())
    whole, cut = states
    assert whole is not None
    assert cut is not None
    assert (whole.epoch, cut.epoch) == (3, 3)
    for one, two in zip(whole.variables, cut.variables, strict=True):
        np.testing.assert_array_equal(one, two)


class StopAfter:
    """Ends a run behind so many epochs, as a lost process would."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def note(self, message: str) -> None:
        """Nothing to say."""

    def batch(self, epoch: int, done: int, total: int) -> None:
        """Nothing to count."""

    def epoch(self, row: dict[str, float], best: bool) -> None:
        """Stop behind the last."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.train
def test_the_optimiser_decays_what_learns_slower_less() -> None:
    require_module("tensorflow")
    keras = import_keras()
    model = build_network()
    schedule = Schedule(("stem", "stem_bn"), (), (), 0.25)
    optimizer = make_optimizer(model, schedule, 0.1, 0.5)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimizer.build(model.trainable_variables)
    before = {v.path: np.array(v) for v in model.trainable_variables}
    zeros = [keras.ops.zeros(v.shape) for v in model.trainable_variables]
    optimizer.apply_gradients(zip(zeros, model.trainable_variables, strict=True))
    for variable in model.trainable_variables:
        layer, name = variable.path.split("/")[-2:]
        decay = 0.0 if name != "kernel" else 0.05 * (0.25 if layer == "stem" else 1.0)
        np.testing.assert_allclose(np.array(variable), before[variable.path] * (1 - decay), rtol=1e-5, atol=1e-7)


@pytest.mark.train
def test_statistics_are_filled_in_without_changing_what_is_computed(data: TrainingData) -> None:
    require_module("tensorflow")
    model = build_network()
    kernel, norm = model.get_layer("stem"), model.get_layer("stem_bn")
    one = np.full(6, np.sqrt(1 + norm.epsilon))
    norm.set_weights([one, np.linspace(-1, 1, 6), np.zeros(6), np.ones(6)])
    inputs = data.real(data.test.codes)
    before = np.asarray(model(inputs, training=False))
    fill_statistics(model, data, ["stem", "stem_bn"])
    np.testing.assert_allclose(np.asarray(model(inputs, training=False)), before, atol=1e-5)
    seen = np.asarray(kernel(data.real(data.plain.codes))).reshape(-1, 6)
    np.testing.assert_allclose(norm.get_weights()[2], seen.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(norm.get_weights()[3], seen.var(axis=0), rtol=1e-3)


@pytest.mark.train
def test_forgetting_is_the_old_head_on_the_new_layers(data: TrainingData) -> None:
    require_module("tensorflow")
    from tinyml.training.evaluate import evaluate_float
    from tinyml.training.forgetting import measure

    old, new = build_network(), build_network()
    source = Source(old, data.labels, "bars")
    before = evaluate_float(old, data, data.test).value
    found = measure(source, ("stem", "stem_bn"), new, replace(data, test=bars(60, 3)), Path("old"))
    assert found.before == before
    assert found.after == evaluate_float(old, data, data.test).value
    np.testing.assert_array_equal(old.get_layer("stem").get_weights()[0], new.get_layer("stem").get_weights()[0])
    assert not np.array_equal(old.get_layer("classes").get_weights()[0], new.get_layer("classes").get_weights()[0])
    assert found.to_json()["lost"] == found.before - found.after


@pytest.mark.train
@pytest.mark.parametrize("name", sorted(trained_models()))
def test_trained_models_come_back_from_their_int8_files(name: str) -> None:
    require_module("tensorflow")
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    source = open_source(name)
    content = (TRAINED_DIR / f"{name}.tflite").read_bytes()
    runner = Interpreter(model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    runner.allocate_tensors()
    one, out = runner.get_input_details()[0], runner.get_output_details()[0]
    codes = np.random.default_rng(5).normal(0, 40, (24, *one["shape"][1:])).clip(-128, 127).astype(np.int8)
    scale, zero_point = one["quantization"]
    reals = ((codes.astype(np.float64) - zero_point) * scale).astype(np.float32)
    floats = np.asarray(source.model(reals, training=False), np.float64)
    quantised = np.empty_like(floats)
    for row, example in enumerate(codes):
        runner.set_tensor(one["index"], example[np.newaxis])
        runner.invoke()
        real_scale, real_zero = out["quantization"]
        quantised[row] = (runner.get_tensor(out["index"])[0].astype(np.float64) - real_zero) * real_scale
    assert np.abs(floats - quantised).mean() < 0.05 * np.ptp(quantised)
    assert source.folded
    assert source.labels == trained_models()[name].labels


def test_a_trained_model_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="nothing trained at 'kws_nothing'"):
        open_source("kws_nothing")
