"""The network: sizes, initialisation, ranges of layers, and what a key does."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import get_args

import jax
import jax.numpy as jnp
import keras_oracle
import numpy as np
import pytest
from small_data import QUICK

from experiments.cifar import CONFIGS
from jaxdeep.config import Model
from jaxdeep.config.choices import Dropout, DType
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import dnn

pytestmark = pytest.mark.usefixtures("x64")

INPUTS, CLASSES = 12, 4
PLAIN = Model(units=(8, 8, 8, 6), activation="elu", kernel_init="he_normal")
NORMED = replace(PLAIN, batch_norm=True, batch_norm_input=True)
DROPPED = replace(NORMED, dropout="alpha_dropout", dropout_sites="every", dropout_rate=0.4)
DROPPED_HEAD = replace(PLAIN, dropout_sites="head", dropout_rate=0.4)
RANDOM_SLOPES = replace(PLAIN, activation="rrelu", batch_norm=True, batch_norm_place="after", use_bias=False)
LEARNT_SLOPES = replace(PLAIN, activation="prelu", dropout_sites="after_hidden", dropout_rate=0.4)

EACH = replace(PLAIN, batch_norm=(True, True, False, True), dropout_rate=(0.0, 0.0, 0.3, 0.3, 0.4))
OF_INPUTS = replace(PLAIN, batch_norm=True, batch_norm_place="input", dropout_rate=(0.0, 0.2, 0.3, 0.4, 0.0))
SKIPS = replace(NORMED, batch_norm_input=False, skip=True)
GATED = replace(PLAIN, activation="glu", skip=True)

quick = partial(jax.jit, compiler_options=QUICK)


@cache
def network(model: Model) -> tuple[Callable, dict, dict]:
    """`apply`, compiled, and weights and moving statistics that are not those of the start."""
    net = dnn(model, INPUTS, CLASSES, "float64")
    rng = np.random.default_rng(0)
    drawn = quick(net.init)(jax.random.key(0))
    shifted = jax.tree.map(lambda leaf: jnp.asarray(leaf + rng.uniform(0.1, 0.4, leaf.shape)), drawn)
    return quick(net.apply, static_argnames=("start", "stop", "update_stats")), *shifted


def rows(count: int = 16) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (count, INPUTS))


def differ(one: dict, other: dict) -> bool:
    return keras_oracle.difference(keras_oracle.per_layer(one), keras_oracle.per_layer(other)) > 0


@pytest.mark.parametrize(
    ("name", "trained", "moving"),
    [
        ("elu", 500_210, 0),
        ("swish", 500_210, 0),
        ("selu", 500_210, 0),
        ("alpha_dropout", 500_210, 0),
        # a BN has scale, bias, moving mean and moving variance: 20 x 100 x 4 = 8,000; of the input 3,072 x 4 = 12,288
        ("bn", 500_210 + 4_000 + 6_144, 4_000 + 6_144),
        ("sanity", 3_072 * 100 + 100 + 2 * (100 * 100 + 100) + 100 * 10 + 10, 0),
    ],
)
def test_the_chapters_networks_have_the_chapters_sizes(name, trained, moving):
    net = dnn(CONFIGS[name].config.model, 3_072, 10)
    params, batch_stats = jax.eval_shape(net.init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == trained
    assert sum(leaf.size for leaf in jax.tree.leaves(batch_stats)) == moving


@pytest.mark.parametrize(
    ("model", "inputs", "size", "moving"),
    [
        (replace(CONFIGS["bn"].config.model, batch_norm_input=False), 3_072, 500_210 + 8_000, 4_000),
        (replace(CONFIGS["bn"].config.model, use_bias=False), 3_072, 500_210 - 2_000 + 8_000 + 12_288, 4_000 + 6_144),
        # the chapter's own count: BN, 300 ReLU, BN, 100 ReLU, BN, 10 on Fashion-MNIST
        (
            Model((300, 100), "relu", batch_norm=True, batch_norm_input=True, batch_norm_place="after"),
            784,
            271_346,
            2_368,
        ),
        (replace(CONFIGS["elu"].config.model, activation="prelu"), 3_072, 500_210 + 2_000, 0),
        # digits 0-4 with batch normalisation before each of five layers: 4 values for each of 784 + 400 inputs
        (Model((100,) * 5, batch_norm=True, batch_norm_place="input"), 784, 119_910 + 4 * 1_184, 2 * 1_184),
        (Model((100,) * 5, batch_norm=(False, True, False, False, True)), 784, 119_910 + 800, 400),
        (Model((100,) * 5, "glu"), 784, 2 * 118_900 + 1_010, 0),
        (Model((100,) * 5, skip=True), 784, 119_910, 0),
    ],
)
def test_biases_norms_and_slopes_are_there_where_they_are_asked_for(model, inputs, size, moving):
    params, batch_stats = jax.eval_shape(dnn(model, inputs, 10).init, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves((params, batch_stats))) == size
    assert sum(leaf.size for leaf in jax.tree.leaves(batch_stats)) == moving


def test_stacks_are_runs_of_equal_layers_and_hold_every_layer_once():
    model = Model((8, 8, 8, 6, 6), kernel_init="glorot_uniform", activation="linear")
    net = dnn(model, INPUTS, 6)
    found = [(stack.name, stack.inputs, stack.block.units, stack.first, stack.length) for stack in net.stacks]
    # the output layer has the same initialiser here, and no activation either
    assert found == [
        ("layer_0", 12, 8, 0, 1),
        ("layers_1_2", 8, 8, 1, 2),
        ("layer_3", 8, 6, 3, 1),
        ("layers_4_5", 6, 6, 4, 2),
    ]
    assert net.layers == 6
    params, _ = jax.eval_shape(net.init, jax.random.key(0))
    assert {name: stack["dense"]["kernel"].shape for name, stack in params.items()} == {
        name: (length, units, inputs) for name, inputs, units, _, length in found
    }


@pytest.mark.parametrize("dtype", get_args(DType))
@pytest.mark.parametrize("model", [PLAIN, DROPPED, RANDOM_SLOPES, LEARNT_SLOPES, EACH, OF_INPUTS, SKIPS, GATED])
def test_parameters_statistics_and_logits_have_the_configured_type(model, dtype):
    net = dnn(model, INPUTS, CLASSES, dtype)
    train = partial(net.apply, key=jax.random.key(1), update_stats=True)
    variables = jax.eval_shape(net.init, jax.random.key(0))
    logits, updated = jax.eval_shape(train, *variables, jax.ShapeDtypeStruct((16, INPUTS), dtype))
    assert {leaf.dtype.name for leaf in jax.tree.leaves((variables, logits, updated))} == {dtype}
    assert logits.shape == (16, CLASSES)


def test_every_layer_is_drawn_by_itself_with_the_fan_of_its_own():
    net = dnn(Model(units=(100,) * 20, kernel_init="he_normal"), 3_072, 10)
    params, _ = jax.jit(net.init)(jax.random.key(0))
    kernels = layers_of(params, "kernel")
    assert len(kernels) == 21
    for kernel in kernels[:-1]:
        expected = np.sqrt(2 / kernel.shape[0])
        # a normal truncated at 2 sigma has kurtosis 2.4: its std is known to sqrt((2.4 - 1) / 4 n), here 0.6%
        assert np.std(kernel) == pytest.approx(expected, rel=5 * np.sqrt(1.4 / 4 / kernel.size))
        assert np.abs(kernel).max() <= 2 * expected / 0.87962566 * (1 + 1e-6)
    for one, other in ((a, b) for i, a in enumerate(kernels[1:-1]) for b in kernels[i + 2 : -1]):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(one.size)
    limit = np.sqrt(6 / (100 + 10))
    assert 0.9 * limit < np.abs(kernels[-1]).max() <= limit
    assert all(np.all(bias == 0) for bias in layers_of(params, "bias"))


def layers_of(params: dict, leaf: str) -> list[np.ndarray]:
    named = keras_oracle.per_layer(params)
    found = {int(name.split("/")[0]): array for name, array in named.items() if name.endswith(f"dense/{leaf}")}
    return [np.asarray(found[layer]) for layer in range(len(found))]


def test_initialisation_is_a_function_of_the_key():
    init = jax.jit(dnn(PLAIN, INPUTS, CLASSES, "float64").init)
    once, again, other = (init(jax.random.key(seed))[0] for seed in (2, 2, 3))
    assert not differ(once, again)
    assert all((a != b).all() for a, b in zip(layers_of(once, "kernel"), layers_of(other, "kernel"), strict=True))


@pytest.mark.parametrize("model", [PLAIN, NORMED])
def test_the_stacks_are_a_plain_loop_over_layers(model):
    apply, params, batch_stats = network(model)
    logits, _ = apply(params, batch_stats, rows())
    np.testing.assert_allclose(logits, by_loop(model, params, batch_stats), rtol=1e-12)


def by_loop(model: Model, params: dict, batch_stats: dict) -> np.ndarray:
    """Inference in NumPy, with ELU."""
    value = keras_oracle.per_layer(params) | keras_oracle.per_layer(batch_stats)

    def norm(x: np.ndarray, at: str) -> np.ndarray:
        unit = (x - value[f"{at}/mean"]) / np.sqrt(value[f"{at}/var"] + 1e-3)
        return unit * value[f"{at}/scale"] + value[f"{at}/bias"]

    x = np.asarray(rows())
    if model.batch_norm_input:
        x = norm(x, "0/norm_input")
    for layer in range(len(model.units) + 1):
        x = x @ value[f"{layer}/dense/kernel"] + value[f"{layer}/dense/bias"]
        if layer < len(model.units):
            x = norm(x, f"{layer}/norm") if model.batch_norm else x
            x = np.where(x > 0, x, np.expm1(x))
    return x


@pytest.mark.parametrize(
    ("model", "training", "stops"),
    [
        (NORMED, False, (0, 2, 5)),
        (DROPPED, True, (0, 2, 5)),
        (DROPPED, True, (0, 0, 1, 3, 4, 5)),
        (RANDOM_SLOPES, True, (0, 2, 5)),
        (LEARNT_SLOPES, True, (0, 1, 5)),
        (EACH, True, (0, 2, 3, 5)),
        (OF_INPUTS, True, (0, 2, 5)),
        (SKIPS, True, (0, 1, 2, 5)),
        (GATED, True, (0, 2, 5)),
    ],
)
def test_ranges_of_layers_compose_to_the_whole(model, training, stops):
    apply, params, batch_stats = network(model)
    rate = model.dropout_rate if isinstance(model.dropout_rate, tuple) else 0.4
    given = {"key": jax.random.key(4), "dropout_rate": rate, "update_stats": True} if training else {}
    whole, whole_stats = apply(params, batch_stats, rows(), **given)
    x, found = rows(), batch_stats
    for start, stop in pairwise(stops):
        x, found = apply(params, found, x, start=start, stop=stop, **given)
    np.testing.assert_allclose(x, whole, rtol=1e-12)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(whole_stats), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 6)])
def test_a_range_outside_the_network_is_refused(start, stop):
    _, params, batch_stats = network(PLAIN)
    with pytest.raises(ValueError, match=rf"layers {start}..{stop} of a network of 5 layers"):
        dnn(PLAIN, INPUTS, CLASSES, "float64").apply(params, batch_stats, rows(), start=start, stop=stop)


def test_a_key_switches_dropout_on_and_leaves_the_statistics_alone():
    apply, params, batch_stats = network(DROPPED)
    plain, _ = apply(params, batch_stats, rows(), dropout_rate=0.4)
    one, untouched = apply(params, batch_stats, rows(), key=jax.random.key(5), dropout_rate=0.4)
    again, _ = apply(params, batch_stats, rows(), key=jax.random.key(5), dropout_rate=0.4)
    other, _ = apply(params, batch_stats, rows(), key=jax.random.key(6), dropout_rate=0.4)
    assert not differ(untouched, batch_stats)
    np.testing.assert_array_equal(one, again)
    assert np.all(one != other)
    assert np.all(one != plain)


def test_the_statistics_follow_the_batch_without_a_key_and_without_dropout():
    apply, params, batch_stats = network(DROPPED)
    of_batch, updated = apply(params, batch_stats, rows(), update_stats=True, dropout_rate=0.4)
    without, _ = network(NORMED)[0](params, batch_stats, rows(), update_stats=True)
    np.testing.assert_allclose(of_batch, without, rtol=1e-12)
    before, after = keras_oracle.per_layer(batch_stats), keras_oracle.per_layer(updated)
    assert all(np.all(before[name] != after[name]) for name in before)
    mean = 0.99 * before["0/norm_input/mean"] + 0.01 * np.mean(rows(), 0)
    np.testing.assert_allclose(after["0/norm_input/mean"], mean, rtol=1e-12)


@pytest.mark.parametrize("model", [DROPPED, DROPPED_HEAD, RANDOM_SLOPES, LEARNT_SLOPES])
def test_without_a_key_nothing_is_random(model):
    apply, params, batch_stats = network(model)
    none, _ = apply(params, batch_stats, rows(), dropout_rate=0.0)
    much, _ = apply(params, batch_stats, rows(), dropout_rate=0.9)
    np.testing.assert_array_equal(none, much)
    program = jax.make_jaxpr(dnn(model, INPUTS, CLASSES, "float64").apply)(params, batch_stats, rows())
    assert "random" not in str(program)


@pytest.mark.parametrize("model", [PLAIN, NORMED, replace(LEARNT_SLOPES, dropout_sites="none", dropout_rate=0.0)])
def test_a_key_changes_nothing_where_there_is_no_dropout(model):
    apply, params, batch_stats = network(model)
    plain, _ = apply(params, batch_stats, rows())
    with_key, _ = apply(params, batch_stats, rows(), key=jax.random.key(7), dropout_rate=0.5)
    np.testing.assert_array_equal(plain, with_key)


def test_layers_of_one_kind_and_of_other_rates_are_one_stack():
    names = [stack.name for stack in dnn(EACH, INPUTS, CLASSES).stacks]
    assert names == ["layer_0", "layer_1", "layer_2", "layer_3", "layer_4"]
    other_rates = replace(PLAIN, units=(8,) * 4, dropout_rate=(0.0, 0.2, 0.3, 0.4, 0.0))
    assert [stack.name for stack in dnn(other_rates, INPUTS, CLASSES).stacks] == ["layer_0", "layers_1_3", "layer_4"]


@pytest.mark.parametrize("kind", get_args(Dropout))
@pytest.mark.parametrize(("sites", "entries"), [("head", 1), ("after_hidden", 4), ("every", 5)])
def test_an_entry_for_each_layer_gives_the_bits_of_the_same_rate_at_sites(kind, sites, entries):
    by_sites = replace(PLAIN, dropout=kind, dropout_sites=sites, dropout_rate=0.25)
    by_layers = replace(PLAIN, dropout=kind, dropout_rate=(0.0,) * (5 - entries) + (0.25,) * entries)
    (one, params, stats), (other, same, _) = network(by_sites), network(by_layers)
    assert not differ(params, same)
    key = jax.random.key(2)
    logits, _ = one(params, stats, rows(), key=key, dropout_rate=0.25)
    for rates in (by_layers.dropout_rate, jnp.asarray(by_layers.dropout_rate), 0.25):
        np.testing.assert_array_equal(other(params, stats, rows(), key=key, dropout_rate=rates)[0], logits)


def test_each_layer_has_the_rate_of_its_entry():
    """A rate of nearly 1 drops all inputs of its layer, which then gives its biases only."""
    model = replace(PLAIN, units=(8, 8, 8, 8), dropout_rate=(0.0, 0.5, 0.5, 0.5, 0.0))
    apply, params, stats = network(model)
    for layer in (1, 2, 3):
        rates = tuple(1 - 1e-15 if index == layer else 1e-15 * (0 < index < 4) for index in range(5))
        given = {"key": jax.random.key(3), "dropout_rate": rates}
        y, _ = apply(params, stats, rows(), stop=layer + 1, **given)
        bias = keras_oracle.per_layer(params)[f"{layer}/dense/bias"]
        np.testing.assert_allclose(y, np.broadcast_to(np.where(bias > 0, bias, np.expm1(bias)), y.shape), rtol=1e-12)
        before, _ = apply(params, stats, rows(), stop=layer, **given)
        np.testing.assert_allclose(before, apply(params, stats, rows(), stop=layer)[0], rtol=1e-12)


@pytest.mark.parametrize("rates", [(0.1, 0.2), jnp.ones((5, 1))])
def test_rates_for_another_number_of_layers_are_refused(rates):
    _, params, batch_stats = network(PLAIN)
    with pytest.raises(ValueError, match=r"dropout_rate has the shape .*Give one rate or 5, one a layer"):
        dnn(PLAIN, INPUTS, CLASSES, "float64").apply(params, batch_stats, rows(), dropout_rate=rates)


def test_a_skip_adds_the_input_of_each_layer_as_wide_as_the_one_before():
    model = replace(PLAIN, skip=True)  # 8, 8, 8, 6
    apply, params, stats = network(model)
    plain, _, _ = network(PLAIN)
    x = rows()
    for layer in range(5):
        y, _ = apply(params, stats, x, start=layer, stop=layer + 1)
        without, _ = plain(params, stats, x, start=layer, stop=layer + 1)
        np.testing.assert_allclose(y, without + x if layer in (1, 2) else without, rtol=1e-14)
        x = y


SIGMOID = replace(PLAIN, head="sigmoid", dropout_sites="head", dropout_rate=0.4)


def test_a_sigmoid_head_has_one_unit_and_gives_the_logits_0_and_z():
    net, plain = (dnn(model, INPUTS, 2, "float64") for model in (SIGMOID, replace(SIGMOID, head="softmax")))
    params, stats = net.init(jax.random.key(0))
    assert net.stacks[-1].block.units == 1
    assert params["layer_4"]["dense"]["kernel"].shape == (1, 1, 6)
    hidden, _ = net.apply(params, stats, rows(), stop=4)
    z = hidden @ params["layer_4"]["dense"]["kernel"][0].T
    for logits in (net.apply(params, stats, rows())[0], net.apply(params, stats, hidden, start=4)[0]):
        np.testing.assert_array_equal(logits[:, 0], 0)
        np.testing.assert_allclose(logits[:, 1:], z, rtol=1e-14)
    whole, _ = net.apply(params, stats, rows())
    np.testing.assert_array_equal(net.apply(params, stats, whole, start=5)[0], whole)  # no layer, nothing added
    assert plain.stacks[-1].block.units == 2


def test_a_sigmoid_head_for_another_number_of_classes_is_refused():
    with pytest.raises(UserError, match=r"'sigmoid', which tells two classes apart, and the data have 4"):
        dnn(SIGMOID, INPUTS, 4)
