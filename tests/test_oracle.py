"""Every configuration of the chapter against the same network in Keras 3, in float64, on the same rows and masks.

The images are random: Keras and jaxdeep are to compute the same numbers, whatever the images are.
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

from experiments.cifar import CONFIGS
from jaxdeep.config import Config, Data, Model, Optim, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.train import step
from jaxdeep.train.state import TrainState, init_state

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
}


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
    data, images, labels = some_data(config.data)
    model = step.model_of(config, data)
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    drawn = model._replace(init=lambda key: some_weights(config, shapes))
    return Case(
        config,
        data,
        by_numpy(config.data, images),
        labels,
        init_state(config, drawn, config.hyper(), jax.random.key(0)),
        jax.jit(step.train_step, static_argnums=0),
        keras_oracle.build(config.model, images.shape[1], CLASSES),
    )


def some_weights(config: Config, shapes: Any) -> Any:
    """Kernels of the configuration's size, and biases, scales and moving statistics near 0 or 1, but not at it."""
    rng = np.random.default_rng(9)
    gain = {"he_normal": 2, "lecun_normal": 1}[config.model.kernel_init]

    def draw(path: Any, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        assert leaf.dtype == np.float64
        centre, spread = {
            "kernel": (0, (gain / leaf.shape[-1]) ** 0.5),
            "bias": (0, 0.02),
            "scale": (1, 0.02),
            "mean": (0, 0.02),
            "var": (1, 0.02),
        }[path[-1].key]
        return jnp.asarray(rng.normal(centre, spread, leaf.shape))

    return jax.tree.map_with_path(draw, shapes)


@cache
def some_data(data: Data) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Random images; the training rows and labels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (VALID + 240 + TEST, *SHAPE), dtype=np.uint8)
    labels = rng.permutation(np.arange(len(images)) % CLASSES)
    labels[:VALID], labels[-TEST:] = np.arange(VALID) % CLASSES, np.arange(TEST) % CLASSES
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
    if not config.model.batch_norm:
        return []
    dense = [f"{layer}/dense/bias" for layer in range(len(config.model.units))]
    return dense + ["0/norm_input/bias"] * config.model.batch_norm_input


def gradients_of_step(case: Case, batch: step.Batch, key: jax.Array) -> tuple[Any, Any, dict, dict]:
    """Summed loss, hits, gradients and new moving statistics: Nadam's first moment starts as (1 - beta_1) gradient."""
    config, hyper = case.config, case.config.hyper()
    after, (loss, hits) = case.step(config, case.start, hyper, case.data, batch, key)
    moments = keras_oracle.per_layer(optax.tree_utils.tree_get(after.opt_state, "mu"))
    gradients = {name: moment / (1 - config.optim.beta_1) for name, moment in moments.items()}
    return loss, hits, gradients, keras_oracle.per_layer(after.batch_stats)


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
    loss, hits, gradients, stats = gradients_of_step(of, step.Batch(jnp.asarray(rows)), key)
    expected_loss, logits, expected, expected_stats = gradients_of_keras(of, rows, uniforms_of(of, key))
    assert loss / BATCH == pytest.approx(float(expected_loss), rel=1e-9)
    assert hits == np.sum(np.argmax(logits, -1) == of.labels[rows])
    noise = biases_before_norm(of.config)
    assert keras_oracle.difference(gradients, expected, noise) < 1e-9
    assert all(np.abs(gradients[name]).max() < 1e-12 for name in noise)
    assert keras_oracle.difference(stats, expected_stats) < 1e-9


@pytest.mark.parametrize(
    ("name", "steps", "tolerance"),
    [  # measured, in this order: 3e-11, 1e-12, 3e-13, 1e-10, 2e-10, 2e-12, 3e-12
        ("selu", 50, 1e-8),
        ("alpha_dropout", 50, 1e-8),
        ("sanity", 50, 1e-8),
        ("elu", 15, 1e-8),  # raw inputs make it chaotic: 1e-3 after 50 steps, in any two programs
        ("swish", 15, 1e-8),  # likewise
        ("bn", 50, 1e-8),
        ("bn_swish", 10, 1e-8),  # 1e-8 after 15, 1e-4 after 50
    ],
)
def test_a_trajectory_is_that_of_keras_and_its_nadam(name, steps, tolerance):
    """Biases before a BN are left out, with the moving means behind them: Nadam makes steps of their rounding noise."""
    of = case(name)
    config, hyper = of.config, of.config.hyper()
    state = of.start
    weights, stats = keras_oracle.per_layer(state.params), keras_oracle.per_layer(state.batch_stats)
    nadam, optimize = keras_oracle.optimize(keras.optimizers.Nadam(config.optim.learning_rate), weights)
    rng = np.random.default_rng(3)
    for index in range(steps):
        rows, key = rng.permutation(len(of.x))[:BATCH], jax.random.fold_in(jax.random.key(4), index)
        state, (loss, _) = of.step(config, state, hyper, of.data, step.Batch(jnp.asarray(rows)), key)
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


@pytest.mark.parametrize("name", ["sanity", "small_bn", "dropout_everywhere"])
def test_a_filled_up_batch_is_the_batch_of_its_counted_rows_alone(name):
    of = case(name)
    rng, key = np.random.default_rng(5), jax.random.key(6)
    rows, counted = rng.permutation(len(of.x))[:BATCH], rng.permutation(BATCH) < 8
    batch = step.Batch(jnp.asarray(rows), jnp.asarray(counted))
    loss, hits, gradients, stats = gradients_of_step(of, batch, key)
    alone = [draw[counted] for draw in uniforms_of(of, key)]
    expected_loss, logits, expected, expected_stats = gradients_of_keras(of, rows[counted], alone)
    assert loss / 8 == pytest.approx(float(expected_loss), rel=1e-9)
    assert hits == np.sum(np.argmax(logits, -1) == of.labels[rows[counted]])
    assert keras_oracle.difference(gradients, expected, biases_before_norm(of.config)) < 1e-9
    assert keras_oracle.difference(stats, expected_stats) < 1e-9


def test_an_epoch_takes_every_row_once_whatever_is_left_for_the_last_batch():
    of = case("sanity")
    rows = 3 * BATCH + 8
    part = step.Split(of.data.train.images[:rows], of.data.train.labels[:rows])
    data = replace(of.data, train=part)
    hyper = of.config.hyper()._replace(learning_rate=0.0)
    state, (loss, accuracy) = jax.jit(step.train_epoch, static_argnums=0)(of.config, of.start, hyper, data)
    mean_loss, mean_accuracy = step.evaluate(of.config, of.start.params, of.start.batch_stats, data, part)
    assert loss == pytest.approx(float(mean_loss), rel=1e-12)
    assert accuracy == pytest.approx(float(mean_accuracy), rel=1e-12)
    assert keras_oracle.difference(*map(keras_oracle.per_layer, (state.params, of.start.params))) == 0


@pytest.mark.parametrize(("name", "rows"), [("selu", 100), ("bn", 1_000), ("dropout_everywhere", 100)])
def test_evaluation_is_inference_in_keras(name, rows, monkeypatch):
    monkeypatch.setattr(step, "EVALUATION_ROWS", rows)
    of = case(name)
    split = of.data.train
    params, stats = of.start.params, of.start.batch_stats
    loss, accuracy = jax.jit(partial(step.evaluate, of.config))(params, stats, of.data, split)
    logits = np.asarray(of.oracle.logits(keras_oracle.per_layer(params), keras_oracle.per_layer(stats), of.x))
    losses = keras.losses.sparse_categorical_crossentropy(of.labels, logits, from_logits=True)
    assert loss == pytest.approx(float(np.mean(losses)), rel=1e-9)
    assert accuracy == np.mean(logits.argmax(-1) == of.labels)


@pytest.mark.parametrize("scaling", ["none", "unit", "standardize"])
def test_inputs_are_scaled_by_the_training_rows(scaling):
    config = Config(Data(scaling=scaling, valid_size=VALID), train=Train(dtype="float64"))
    data, images, _ = some_data(config.data)
    for split in (data.train, data.valid):
        expected = by_numpy(config.data, np.asarray(split.images), images)
        np.testing.assert_allclose(step.scaled(config, data, split.images), expected, rtol=1e-10, atol=1e-10)


def test_standardised_pixels_have_mean_0_and_variance_1_over_many_rows():
    config = Config(Data(valid_size=10), train=Train(dtype="float64"))
    rng = np.random.default_rng(7)
    images = rng.integers(0, rng.integers(2, 256, 12), (4_510, 12), dtype=np.uint8)
    data = Dataset.from_arrays(images, np.arange(4_510) % 2, data=config.data)
    scaled = np.asarray(step.scaled(config, data, data.train.images))
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
    scaled = np.asarray(step.scaled(config, data, data.train.images))
    np.testing.assert_allclose(scaled[:, 2], 0, atol=1e-6)
    np.testing.assert_allclose(scaled[:, [0, 1, 3]].std(0), 1, atol=1e-10)
