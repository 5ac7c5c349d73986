"""Every configuration, and the toolbox's parts, against the same network in Keras 3, in float64, on the same rows.

Dropout masks and RReLU's slopes are the same too. The images are random: Keras and jaxdeep are to compute the same
numbers, whatever the images are.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import keras_oracle
import numpy as np
import optax
import pytest
from small_data import QUICK

from experiments.cifar import CONFIGS
from jaxdeep.config import Config, Data, Model, Optim, Regularize, Schedule, Train
from jaxdeep.data.dataset import Dataset, Split
from jaxdeep.optim.schedules import Rates
from jaxdeep.train import evaluate, forward, step
from jaxdeep.train.state import TrainState, init_state, transformation

pytestmark = pytest.mark.usefixtures("x64")

CLASSES, BATCH, VALID, TEST = 10, 32, 100, 20
SHAPE = (32, 32, 3)
SMALL = Model(units=(30, 30, 30), activation="relu", kernel_init="he_normal")
EXTRA = {
    "small_bn": Config(
        Data(scaling="none"), replace(SMALL, batch_norm=True, batch_norm_input=True), Optim(learning_rate=5e-4)
    ),
    "dropout_everywhere": Config(
        Data(scaling="unit"), replace(SMALL, dropout_sites="every", dropout_rate=0.2), Optim(learning_rate=1e-3)
    ),
    "alpha_dropout_everywhere": Config(
        Data(), replace(SMALL, dropout="alpha_dropout", dropout_sites="every", dropout_rate=0.1), Optim()
    ),
    "dropout_after_hidden": Config(model=replace(SMALL, dropout_sites="after_hidden", dropout_rate=0.3)),
    "bn_no_bias": Config(model=replace(SMALL, batch_norm=True, batch_norm_input=True, use_bias=False)),
    "bn_after": Config(
        model=replace(SMALL, batch_norm=True, batch_norm_place="after", batch_norm_input=True, activation="elu")
    ),
    "bn_after_no_bias": Config(model=replace(SMALL, batch_norm=True, batch_norm_place="after", use_bias=False)),
    "bn_each": Config(model=replace(SMALL, batch_norm=(True, False, True), batch_norm_input=True)),
    "bn_after_each": Config(model=replace(SMALL, batch_norm=(False, True, True), batch_norm_place="after")),
    "dropout_each": Config(model=replace(SMALL, dropout_rate=(0.0, 0.3, 0.2, 0.1))),
    # digits 0-4: batch normalisation, dense and ELU, dropout, batch normalisation, dense and ELU, ...
    "bn_of_inputs": Config(
        Data("unit"),
        replace(SMALL, activation="elu", batch_norm=True, batch_norm_place="input", dropout_rate=(0.0, 0.2, 0.2, 0.2)),
    ),
    "bn_of_some_inputs": Config(
        model=replace(
            SMALL, batch_norm=(True, False, True), batch_norm_place="input", dropout_rate=(0.3, 0.0, 0.2, 0.0)
        )
    ),
    "dropout_then_bn": Config(model=replace(SMALL, batch_norm=True, dropout_rate=(0.3, 0.0, 0.0, 0.0))),
    "skip": Config(model=replace(SMALL, units=(30, 30, 30, 20, 20), activation="elu", skip=True)),
    "skip_bn_dropout": Config(
        model=replace(SMALL, skip=True, batch_norm=True, dropout_sites="after_hidden", dropout_rate=0.2)
    ),
    "skip_bn_after": Config(model=replace(SMALL, skip=True, batch_norm=True, batch_norm_place="after")),
    "thresholded_relu": Config(model=replace(SMALL, activation="thresholded_relu", alpha=0.2)),
    "glu": Config(model=replace(SMALL, activation="glu"), regularize=Regularize(l2=1e-2, max_norm=0.5)),
    "glu_bn_skip": Config(model=replace(SMALL, activation="glu", batch_norm=True, skip=True)),
    "sigmoid_head": Config(model=replace(SMALL, head="sigmoid", dropout_sites="every", dropout_rate=0.2)),
    "prelu": Config(model=replace(SMALL, activation="prelu")),
    "leaky_relu": Config(model=replace(SMALL, activation="leaky_relu", alpha=0.3)),
    "elu_alpha": Config(model=replace(SMALL, activation="elu", alpha=0.5)),
    "rrelu": Config(model=replace(SMALL, activation="rrelu", dropout_sites="every", dropout_rate=0.2)),
    "l1_l2": Config(
        model=replace(SMALL, units=(30, 20, 20, 20)), regularize=Regularize(l1=1e-3, l2=1e-2, penalized=(0, 2, 4))
    ),
    "max_norm": Config(model=SMALL, regularize=Regularize(max_norm=1.0)),
    "some_max_norm": Config(model=SMALL, regularize=Regularize(l2=1e-2, max_norm=0.5, constrained=(0, 2, 3))),
    # the output layer is like the hidden ones here, and stands in one stack with them
    "linear": Config(
        model=Model(units=(CLASSES,) * 3, activation="linear", kernel_init="glorot_uniform"),
        regularize=Regularize(l2=1e-2, penalized="head", max_norm=0.5, constrained="hidden"),
    ),
}

FILLED = ("bn_of_inputs", "bn_of_some_inputs", "dropout_then_bn", "skip_bn_dropout", "sigmoid_head")

compiled = partial(jax.jit, static_argnums=0, compiler_options=QUICK)


class Case(NamedTuple):
    """A configuration, its data, and the two programs to compare.

    Attributes:
        x: [N, D], the training rows as the network is to see them, scaled by NumPy.
        labels: [N].
        start: the first state, with `some_weights`.
        step: our compiled `train_step`.
        oracle: the Keras network.
    """

    config: Config
    data: Dataset
    x: np.ndarray
    labels: np.ndarray
    start: TrainState
    step: Callable
    oracle: keras_oracle.Oracle


@cache
def case(name: str) -> Case:
    config = EXTRA[name] if name in EXTRA else CONFIGS[name].config
    config = replace(
        config,
        data=replace(config.data, valid_size=VALID, train_size=None),
        train=Train(batch_size=BATCH, dtype="float64"),
    )
    classes = 2 if config.model.head == "sigmoid" else CLASSES
    data, images, labels = some_data(config.data, classes)
    model = forward.model_of(config, data)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    drawn = model._replace(init=lambda key: some_weights(config, shapes))
    return Case(
        config,
        data,
        by_numpy(config.data, images),
        labels,
        init_state(config, drawn, config.hyper(), jax.random.key(0)),
        compiled(step.train_step),
        keras_oracle.build(config, images.shape[1], classes),
    )


def some_weights(config: Config, shapes: Any) -> Any:
    """Kernels of the configuration's size, and biases, scales and moving statistics near 0 or 1, but not at it."""
    rng = np.random.default_rng(9)
    gain = 2 if config.model.kernel_init == "he_normal" else 1

    def draw(path: Any, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        assert leaf.dtype == np.float64
        centre, spread = {
            "kernel": (0, (gain / leaf.shape[-1]) ** 0.5),
            "bias": (0, 0.02),
            "scale": (1, 0.02),
            "mean": (0, 0.02),
            "var": (1, 0.02),
            "slope": (0.25, 0.1),
        }[path[-1].key]
        return jnp.asarray(rng.normal(centre, spread, leaf.shape))

    return jax.tree.map_with_path(draw, shapes)


@cache
def some_data(data: Data, classes: int = CLASSES) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Random images; the training rows and labels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (VALID + 240 + TEST, *SHAPE), dtype=np.uint8)
    labels = rng.permutation(np.arange(len(images)) % classes)
    labels[:VALID], labels[-TEST:] = np.arange(VALID) % classes, np.arange(TEST) % classes
    dataset = Dataset.from_arrays(images[:-TEST], labels[:-TEST], images[-TEST:], labels[-TEST:], data=data)
    return dataset, images[VALID:-TEST].reshape(240, -1), labels[VALID:-TEST]


def by_numpy(data: Data, images: np.ndarray, train: np.ndarray | None = None) -> np.ndarray:
    """Rows as the chapter scales them, by the statistics of the training rows."""
    train = np.float64(images if train is None else train)
    match data.scaling:
        case "none":
            return np.float64(images)
        case "unit":
            return np.float64(images) / 255
        case "standardize":
            return (np.float64(images) - train.mean(0)) / train.std(0)


def biases_before_norm(config: Config) -> list[str]:
    """Biases that the next BN subtracts again: their gradient is 0, and what is computed for it is rounding noise.

    The bias of the input's BN is one of them: behind it stand the first dense layer and that layer's BN.
    """
    model = config.model
    if model.batch_norm_place != "before":
        return []
    dense = [f"{layer}/dense/bias" for layer, is_normed in enumerate(model.normed) if is_normed and model.use_bias]
    return dense + ["0/norm_input/bias"] * (model.batch_norm_input and model.normed[0])


def gradients_of_step(case: Case, batch: forward.Batch, key: jax.Array) -> tuple[Any, Any, dict, dict]:
    """Summed loss, hits, gradients and new moving statistics: after one step, SGD's momentum is -rate x gradient."""
    config = replace(case.config, optim=Optim("momentum", learning_rate=1.0))
    hyper, params = config.hyper(), case.start.params
    model = forward.model_of(config, case.data)
    fresh = transformation(config, model, hyper, rates_of(config)).init(params)
    before = case.start._replace(opt_state=fresh)
    after, (loss, hits) = case.step(config, before, hyper, rates_of(config), case.data, batch, key)
    momentum = keras_oracle.per_layer(optax.tree_utils.tree_get(after.opt_state, "trace"))
    gradients = {name: -value for name, value in momentum.items()}
    return loss, hits, gradients, keras_oracle.per_layer(after.batch_stats)


def predicted(logits: Any) -> np.ndarray:
    """The class of each row, from a logit of each class or one of class 1."""
    logits = np.asarray(logits)
    return np.argmax(logits, -1) if logits.shape[1] > 1 else (logits[:, 0] > 0).astype(int)


def rates_of(config: Config) -> Rates:
    return Rates(config.optim.learning_rate, config.optim.beta_1)


def gradients_of_keras(case: Case, rows: np.ndarray, uniforms: list) -> tuple[Any, Any, dict, dict]:
    weights, stats = keras_oracle.per_layer(case.start.params), keras_oracle.per_layer(case.start.batch_stats)
    return case.oracle.gradients(weights, stats, case.x[rows], case.labels[rows], uniforms)


def uniforms_of(case: Case, key: jax.Array) -> list[jax.Array]:
    return keras_oracle.uniforms(case.config.model, case.x.shape[1], BATCH, key)


@pytest.mark.parametrize("name", [*CONFIGS, *EXTRA])
def test_one_step_has_the_loss_the_gradients_and_the_moving_statistics_of_keras(name):
    # measured: loss 1e-15, gradients 3e-14, moving statistics 3e-16, biases before a BN 1e-15 (absolute)
    of = case(name)
    rows, key = np.random.default_rng(1).permutation(len(of.x))[:BATCH], jax.random.key(2)
    loss, hits, gradients, stats = gradients_of_step(of, forward.Batch(jnp.asarray(rows)), key)
    expected_loss, logits, expected, expected_stats = gradients_of_keras(of, rows, uniforms_of(of, key))
    assert loss / BATCH == pytest.approx(float(expected_loss), rel=1e-9)
    assert hits == np.sum(predicted(logits) == of.labels[rows])
    noise = biases_before_norm(of.config)
    assert keras_oracle.difference(gradients, expected, noise) < 1e-9
    assert all(np.abs(gradients[name]).max() < 1e-12 for name in noise)
    assert keras_oracle.difference(stats, expected_stats) < 1e-9


@pytest.mark.parametrize(
    ("name", "steps", "tolerance"),
    [  # measured: 3e-11, 1e-12, 3e-13, 1e-10, 2e-10, 2e-12, 3e-11; 1e-12, 1e-13, 5e-13, 3e-13, 2e-12, 2e-14
        ("selu", 50, 1e-8),
        ("alpha_dropout", 50, 1e-8),
        ("sanity", 50, 1e-8),
        ("elu", 15, 1e-8),  # raw inputs make it chaotic: 1e-3 after 50 steps, in any two programs
        ("swish", 15, 1e-8),  # likewise
        ("bn", 50, 1e-8),
        ("bn_swish", 10, 1e-8),  # 1e-8 after 15, 1e-4 after 50
        ("bn_after", 50, 1e-11),
        ("prelu", 50, 1e-11),
        ("l1_l2", 50, 1e-11),
        ("max_norm", 50, 1e-11),
        ("some_max_norm", 50, 1e-11),
        ("linear", 50, 1e-11),
        ("bn_of_inputs", 50, 1e-8),
        ("skip_bn_after", 50, 1e-8),
        ("glu", 50, 1e-8),
        ("sigmoid_head", 50, 1e-8),
    ],
)
def test_a_trajectory_is_that_of_keras_and_its_nadam(name, steps, tolerance):
    """Biases before a BN are left out, with the moving means behind them: Nadam makes steps of their rounding noise."""
    of = case(name)
    config, hyper = of.config, of.config.hyper()
    state = of.start
    weights, stats = keras_oracle.per_layer(state.params), keras_oracle.per_layer(state.batch_stats)
    reference = keras.optimizers.Nadam(config.optim.learning_rate)
    nadam, optimize = keras_oracle.optimize(reference, weights, of.oracle.constraints)
    rng = np.random.default_rng(3)
    for index in range(steps):
        rows, key = rng.permutation(len(of.x))[:BATCH], jax.random.fold_in(jax.random.key(4), index)
        batch = forward.Batch(jnp.asarray(rows))
        state, (loss, _) = of.step(config, state, hyper, rates_of(config), of.data, batch, key)
        expected_loss, _, gradients, stats = of.oracle.gradients(
            weights, stats, of.x[rows], of.labels[rows], uniforms_of(of, key)
        )
        weights, nadam = optimize(nadam, gradients, weights)
    assert loss / BATCH == pytest.approx(float(expected_loss), rel=tolerance)
    noise = biases_before_norm(config)
    left_out = {*noise, *(bias.replace("dense/bias", "norm/mean") for bias in noise)}
    ours = keras_oracle.per_layer(state.params) | keras_oracle.per_layer(state.batch_stats)
    kept = [name for name in ours if name not in left_out]
    theirs = weights | stats
    assert (
        keras_oracle.difference({name: ours[name] for name in kept}, {name: theirs[name] for name in kept}) < tolerance
    )


@pytest.mark.parametrize("name", ["sanity", "small_bn", "bn_after", "rrelu", "l1_l2", *FILLED])
def test_a_filled_up_batch_is_the_batch_of_its_counted_rows_alone(name):
    of = case(name)
    rng, key = np.random.default_rng(5), jax.random.key(6)
    rows, counted = rng.permutation(len(of.x))[:BATCH], rng.permutation(BATCH) < 8
    batch = forward.Batch(jnp.asarray(rows), jnp.asarray(counted))
    loss, hits, gradients, stats = gradients_of_step(of, batch, key)
    alone = [draw[counted] for draw in uniforms_of(of, key)]
    expected_loss, logits, expected, expected_stats = gradients_of_keras(of, rows[counted], alone)
    assert loss / 8 == pytest.approx(float(expected_loss), rel=1e-9)
    assert hits == np.sum(predicted(logits) == of.labels[rows[counted]])
    assert keras_oracle.difference(gradients, expected, biases_before_norm(of.config)) < 1e-9
    assert keras_oracle.difference(stats, expected_stats) < 1e-9


def test_an_epoch_takes_every_row_once_whatever_is_left_for_the_last_batch():
    of = case("sanity")
    rows = 3 * BATCH + 8
    part = Split(of.data.train.images[:rows], of.data.train.labels[:rows])
    data = replace(of.data, train=part)
    hyper = of.config.hyper()._replace(learning_rate=0.0)
    rates = step.epoch_rates(of.config, of.start, hyper, data)
    state, (loss, accuracy) = compiled(step.train_epoch)(of.config, of.start, hyper, rates, data)
    weights = (of.start.params, of.start.batch_stats)
    mean_loss, mean_accuracy, _ = compiled(evaluate.evaluate)(of.config, *weights, hyper, data, part)
    assert loss == pytest.approx(float(mean_loss), rel=1e-12)
    assert accuracy == pytest.approx(float(mean_accuracy), rel=1e-12)
    assert keras_oracle.difference(*map(keras_oracle.per_layer, (state.params, of.start.params))) == 0


EPOCHS, EPOCH_STEPS = 5, 8  # of the 240 training rows in batches of 32
SGD, NADAM = partial(keras.optimizers.SGD, 0.0), partial(keras.optimizers.Nadam, 0.0)


class Scheduled(NamedTuple):
    """A schedule, and what it means for Keras.

    Attributes:
        optimizer: ours.
        schedule: ours.
        reference: Keras's optimizer.
        factor: (step, epoch) -> factor of the learning rate.
        momentum: step -> momentum, where it changes.
    """

    optimizer: Any
    schedule: Schedule
    reference: Callable
    factor: Callable
    momentum: Callable | None = None


def cycle(t: int, _: int) -> float:
    """1cycle over 40 steps: the last 40 // 10 + 1, and the one that is left, lead down to nearly 0."""
    return float(np.interp(t, [0, 17, 34, 40], [0.1, 1, 0.1, 1e-4]))


SCHEDULED = {
    "power": Scheduled("sgd", Schedule("power", decay_steps=10, exponent=0.7), SGD, lambda t, _: (1 + t / 10) ** -0.7),
    "exponential_by_epoch": Scheduled(
        "nadam", Schedule("exponential", decay_epochs=2.0), NADAM, lambda _, epoch: 0.1 ** (epoch / 2)
    ),
    "exponential_by_step": Scheduled(
        "nadam", Schedule("exponential", 0.3, decay_steps=9), NADAM, lambda t, _: 0.3 ** (t / 9)
    ),
    "piecewise": Scheduled(
        "nadam",
        Schedule("piecewise", boundaries_epochs=(1, 4), factors=(1.0, 0.5, 0.1)),
        NADAM,
        lambda _, epoch: 1.0 if epoch < 1 else 0.5 if epoch < 4 else 0.1,
    ),
    "onecycle": Scheduled("sgd", Schedule("onecycle"), SGD, cycle),
    "onecycle_momentum": Scheduled(
        "momentum",
        Schedule("onecycle"),
        partial(SGD, 0.95),
        cycle,
        lambda t: np.interp(t, [0, 17, 34], [0.95, 0.85, 0.95]),
    ),
    "cosine_warmed_up": Scheduled(
        "nesterov",
        Schedule("cosine", warmup_steps=6),
        partial(SGD, 0.9, nesterov=True),
        lambda t, _: t / 6 if t < 6 else (1 + np.cos(np.pi * (t - 6) / 34)) / 2,
    ),
}


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_trajectory_with_a_schedule_is_that_of_keras_with_the_rates_of_its_formula(name):
    # measured: 2e-14 with Nadam, else 6e-16
    named, schedule, reference, factor, momentum = SCHEDULED[name]
    of = case("elu_alpha")
    rate = 1e-3 if named == "nadam" else 1e-2
    train = replace(of.config.train, epochs=EPOCHS)
    config = replace(of.config, optim=Optim(named, learning_rate=rate), schedule=schedule, train=train)
    hyper, start = config.hyper(), of.start
    fresh = transformation(config, forward.model_of(config, of.data), hyper, rates_of(config)).init(start.params)
    state = start._replace(opt_state=fresh)
    weights, optimizer = keras_oracle.per_layer(start.params), reference()
    variables = keras_oracle.keras_variables(weights, {})
    rng, key = np.random.default_rng(6), jax.random.key(0)
    for epoch in range(EPOCHS):
        rates = step.epoch_rates(config, state._replace(epoch=jnp.asarray(epoch, jnp.int32)), hyper, of.data)
        assert rates.learning_rate.shape == rates.beta_1.shape == (EPOCH_STEPS,)
        for index, now in enumerate(map(Rates, *rates)):
            rows, t = rng.permutation(len(of.x))[:BATCH], epoch * EPOCH_STEPS + index
            state, _ = of.step(config, state, hyper, now, of.data, forward.Batch(jnp.asarray(rows)), key)
            _, _, gradients, _ = of.oracle.gradients(weights, {}, of.x[rows], of.labels[rows], [])
            with keras_oracle.relaxed():
                optimizer.learning_rate = rate * factor(t, epoch)
                if momentum is not None:
                    optimizer.momentum = momentum(t)
                optimizer.apply([gradients[name] for name in weights], variables)
            weights = {name: variable.value for name, variable in zip(weights, variables, strict=True)}
    assert keras_oracle.difference(keras_oracle.per_layer(state.params), weights) < 1e-13


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("selu", 100),
        ("bn", 1_000),
        ("bn_after", 100),
        ("rrelu", 100),
        ("l1_l2", 100),
        ("linear", 100),
        ("sigmoid_head", 100),
        ("bn_of_inputs", 100),
        ("glu_bn_skip", 100),
    ],
)
def test_evaluation_is_that_of_keras_penalties_and_all(name, rows, monkeypatch):
    monkeypatch.setattr(evaluate, "EVALUATION_ROWS", rows)
    of = case(name)
    params, stats = of.start.params, of.start.batch_stats
    evaluated = jax.jit(partial(evaluate.evaluate, of.config), compiler_options=QUICK)
    loss, accuracy, hits = evaluated(params, stats, of.config.hyper(), of.data, of.data.train)
    named = (keras_oracle.per_layer(params), keras_oracle.per_layer(stats))
    expected_loss, expected_accuracy = of.oracle.evaluate(*named, of.x, of.labels)
    assert loss == pytest.approx(expected_loss, rel=1e-9)
    assert accuracy == pytest.approx(expected_accuracy, rel=1e-9)
    assert accuracy == pytest.approx(np.asarray(hits).mean(), rel=1e-12)


@pytest.mark.parametrize("scaling", ["none", "unit", "standardize"])
def test_inputs_are_scaled_by_the_training_rows(scaling):
    config = Config(Data(scaling=scaling, valid_size=VALID), train=Train(dtype="float64"))
    data, images, _ = some_data(config.data)
    for split in (data.train, data.valid):
        expected = by_numpy(config.data, np.asarray(split.images), images)
        np.testing.assert_allclose(forward.scaled(config, data, split.images), expected, rtol=1e-10, atol=1e-10)


def test_standardised_pixels_have_mean_0_and_variance_1_over_many_rows():
    config = Config(Data(valid_size=10), train=Train(dtype="float64"))
    rng = np.random.default_rng(7)
    images = rng.integers(0, rng.integers(2, 256, 12), (4_510, 12), dtype=np.uint8)
    data = Dataset.from_arrays(images, np.arange(4_510) % 2, data=config.data)
    scaled = np.asarray(forward.scaled(config, data, data.train.images))
    assert len(scaled) == 4_490
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-10)
    np.testing.assert_allclose(scaled.var(0), 1, atol=1e-10)


@pytest.mark.parametrize("value", [0, 1, 255, 0.1])
def test_a_constant_pixel_becomes_0_and_no_nan(value):
    config = Config(Data(valid_size=10), train=Train(dtype="float64"))
    rng = np.random.default_rng(8)
    images = rng.integers(0, 256, (3_030, 4)).astype(np.uint8 if value != 0.1 else np.float32)
    images[:, 2] = value
    data = Dataset.from_arrays(images, np.arange(3_030) % 2, data=config.data)
    scaled = np.asarray(forward.scaled(config, data, data.train.images))
    np.testing.assert_allclose(scaled[:, 2], 0, atol=1e-6)
    np.testing.assert_allclose(scaled[:, [0, 1, 3]].std(0), 1, atol=1e-10)
