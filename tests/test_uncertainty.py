"""MC dropout against a plain loop over keys; ensembles against NumPy."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import CLASSES, SHAPE, SMALL

from jaxdeep.analysis import uncertainty
from jaxdeep.analysis.ensembles import ensemble
from jaxdeep.analysis.uncertainty import entropy, features, mc_dropout
from jaxdeep.config import Config
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import dnn
from jaxdeep.nn.layers import alpha_dropout, dropout, dropout_mask

INPUTS, IMAGES, RATE = int(np.prod(SHAPE)), 53, 0.3
NETWORKS = {
    "head": {"dropout": "alpha_dropout", "dropout_sites": "head"},
    "after_hidden": {"dropout": "dropout", "dropout_sites": "after_hidden"},
    "every, normed": {"dropout": "dropout", "dropout_sites": "every", "batch_norm": True},
}


class Network:
    """A network with weights and images."""

    def __init__(self, **changes: Any) -> None:
        rate = RATE if changes else 0.0
        self.model = dnn(replace(SMALL.model, dropout_rate=rate, **changes), INPUTS, CLASSES)
        self.params, self.stats = jax.jit(self.model.init)(jax.random.key(0))
        self.stats = jax.tree.map(lambda leaf: leaf + 0.3, self.stats)  # as if trained
        self.images = jax.random.normal(jax.random.key(1), (IMAGES, INPUTS))

    def sampled(self, samples: int, key: int = 2, **options: Any) -> uncertainty.Uncertainty:
        given = (self.model, self.params, self.stats, self.images, jax.random.key(key))
        return mc_dropout(*given, samples, **{"dropout_rate": RATE, **options})


@lru_cache
def network(name: str) -> Network:
    return Network(**NETWORKS[name])


@lru_cache
def loop(name: str, samples: int = 1_000) -> np.ndarray:
    """[M, N, C]: a plain pass for each key, all layers, masks of 32 bits."""
    of = network(name)

    @jax.jit
    def one(key: jax.Array) -> jax.Array:
        return jax.nn.softmax(of.model.apply(of.params, of.stats, of.images, key=key, dropout_rate=RATE)[0])

    return np.stack([np.asarray(one(key)) for key in jax.random.split(jax.random.key(7), samples)])


@pytest.mark.parametrize("name", ["head", "every, normed"])
def test_the_moments_are_those_of_its_own_samples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncertainty, "_rows_at_a_time", lambda _: 20)  # three chunks, the last one padded
    found = network(name).sampled(33, keep_samples=True)  # of four groups the last one is not full
    assert found.samples is not None
    samples = np.asarray(found.samples, np.float64)
    assert samples.shape == (33, IMAGES, CLASSES)
    np.testing.assert_allclose(samples.sum(2), 1, rtol=1e-6)
    np.testing.assert_allclose(found.mean, samples.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.std, samples.std(0), atol=1e-6)
    of_mean = -(samples.mean(0) * np.log(samples.mean(0))).sum(1)
    of_samples = -(samples * np.log(samples)).sum(2).mean(0)
    np.testing.assert_allclose(found.entropy, of_mean, atol=1e-6)
    np.testing.assert_allclose(found.mutual_information, of_mean - of_samples, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("head", 8),
        pytest.param("head", 32, marks=pytest.mark.slow),
        pytest.param("after_hidden", 16, marks=pytest.mark.slow),
        ("every, normed", 16),
    ],
)
def test_its_distribution_is_that_of_a_plain_loop_over_keys(name: str, bits: Any) -> None:
    """Each mean within 5 of its standard errors, which all these means are at random; spreads alike."""
    expected, found = loop(name), network(name).sampled(1_000, mask_bits=bits)
    error = np.sqrt(2) * expected.std(0) / np.sqrt(len(expected))
    slack = {8: 5e-3, 16: 2e-5, 32: 0.0}[bits]  # for the rate's own error
    assert (np.abs(np.asarray(found.mean) - expected.mean(0)) < 5 * error + slack).all()
    assert float(found.std.mean()) == pytest.approx(expected.std(0).mean(), rel=0.02)


@pytest.mark.slow
def test_the_mean_converges_like_the_root_of_the_samples() -> None:
    of, expected = network("after_hidden"), loop("after_hidden").mean(0)
    errors = [
        np.sqrt(np.mean([np.square(np.asarray(of.sampled(samples, key).mean) - expected) for key in range(8)]))
        for samples in (10, 160)
    ]
    assert 3 < errors[0] / errors[1] < 5.3  # 4, but for the loop's own error


def test_masks_differ_between_samples_and_between_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uncertainty, "_rows_at_a_time", lambda _: 10)
    alike = Network(**NETWORKS["every, normed"])
    alike.images = jnp.broadcast_to(alike.images[:1], alike.images.shape)
    samples = np.asarray(alike.sampled(20, keep_samples=True).samples).reshape(20 * IMAGES, CLASSES)
    assert len(np.unique(samples, axis=0)) == len(samples)


def test_the_same_key_gives_the_same_and_another_key_does_not() -> None:
    of = network("head")
    one, again, other = of.sampled(10), of.sampled(10), of.sampled(10, key=3)
    assert np.array_equal(one.mean, again.mean)
    assert not np.array_equal(one.mean, other.mean)


def test_the_layers_before_the_first_dropout_are_run_once() -> None:
    of = network("head")
    assert of.model.first_dropout == 3
    assert network("after_hidden").model.first_dropout == 1
    assert network("every, normed").model.first_dropout == 0
    hidden = features(of.model, of.params, of.stats, of.images, 3)
    rest, _ = of.model.apply(of.params, of.stats, hidden, start=3)
    whole, _ = of.model.apply(of.params, of.stats, of.images)
    np.testing.assert_allclose(rest, whole, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {}, "without dropout"),
        (NETWORKS["head"], {"dropout_rate": 0.0}, "dropout_rate 0.0"),
        (NETWORKS["head"], {"samples": 1}, "1 samples. Give 2 or more"),
    ],
)
def test_where_nothing_would_be_random_it_is_refused(changes: Any, options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Network(**changes).sampled(**{"samples": 10, **options})


def test_rates_for_each_layer_give_the_bits_of_the_same_rate_at_sites() -> None:
    rates = (0.0, RATE, RATE, RATE)
    given = (of := network("after_hidden")).params, of.stats, of.images, jax.random.key(2), 20
    by_sites = mc_dropout(of.model, *given, dropout_rate=RATE)
    model = dnn(replace(SMALL.model, dropout_rate=rates), INPUTS, CLASSES)
    for each in (rates, list(rates), np.asarray(rates)):
        jax.tree.map(np.testing.assert_array_equal, mc_dropout(model, *given, dropout_rate=each), by_sites)
    assert np.all(mc_dropout(model, *given, dropout_rate=(0.0, 0.1, RATE, 0.0)).mean != by_sites.mean)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ((0.0, 0.0, 0.3), r"has 3 rates. Give 4, one for each dense layer"),
        ((0.1, 0.1, 0.3, 0.3), "a layer with a rate above 0 has no dropout. Give it the rate 0"),
        ((0.0, 0.0, 0.0, 0.0), "every pass would be the same. Give a layer with dropout a rate above 0"),
        ((0.0, 0.1, 0.3, 1.0), "Give a rate above 0 and below 1"),
        ((0.0, 0.1, 0.3, "half"), "Give a number"),
    ],
)
def test_rates_that_are_not_of_the_layers_with_dropout_are_refused(rates: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        network("after_hidden").sampled(10, dropout_rate=rates)


def test_a_sigmoid_unit_is_two_units_one_of_which_is_0() -> None:
    model = replace(SMALL.model, dropout_sites="head", dropout_rate=RATE)
    one, two = (dnn(replace(model, head=head), INPUTS, 2) for head in ("sigmoid", "softmax"))
    params, stats = one.init(jax.random.key(0))
    head = jax.tree.map(lambda leaf: jnp.concatenate([jnp.zeros_like(leaf), leaf], 1), params["layer_3"])
    given = stats, jax.random.normal(jax.random.key(1), (IMAGES, INPUTS)), jax.random.key(2), 30
    found = mc_dropout(one, params, *given, dropout_rate=RATE)
    expected = mc_dropout(two, {**params, "layer_3": head}, *given, dropout_rate=RATE)
    assert found.mean.shape == (IMAGES, 2)
    np.testing.assert_allclose(found.mean.sum(1), 1, rtol=1e-6)
    for ours, theirs in zip(found[:-1], expected[:-1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 10.0}, "10.0 samples. Give an integer"),
        ({"samples": True}, "True samples. Give an integer"),
        ({"samples": "10"}, "'10' samples. Give an integer"),
        ({"dropout_rate": 1.0}, "dropout_rate 1.0. Give a rate above 0 and below 1"),
        ({"dropout_rate": 30}, "dropout_rate 30. Give a rate"),
        ({"dropout_rate": np.nan}, "dropout_rate nan. Give a rate"),
        ({"dropout_rate": -0.1}, "dropout_rate -0.1"),
        ({"dropout_rate": "half"}, "dropout_rate 'half'. Give a number"),
        ({"mask_bits": 4}, "mask_bits is 4. Give one of 8, 16, 32"),
        ({"mask_bits": 64}, "mask_bits is 64. Give one of 8, 16, 32"),
    ],
)
def test_numbers_that_draw_no_masks_are_refused(options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        network("head").sampled(**{"samples": 10, **options})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (0, "key of MC dropout is 0. Give one key"),
        (None, "key of MC dropout is None"),
        (np.zeros(2), r"key of MC dropout is float64 \(2,\)"),
        (lambda: jax.random.PRNGKey(0), r"uint32 \(2,\). Give one key, such as jax.random.key"),
        (lambda: jax.random.split(jax.random.key(0), 3), r"key<fry> \(3,\). Give one key"),
    ],
)
def test_what_is_not_one_key_is_refused(key: Any, message: str) -> None:
    of = network("head")
    with pytest.raises(UserError, match=message):
        mc_dropout(of.model, of.params, of.stats, of.images, key() if callable(key) else key, 2, dropout_rate=RATE)


def test_a_numpy_integer_counts_samples() -> None:
    of = network("head")
    found = of.sampled(np.int64(10))  # type: ignore
    np.testing.assert_array_equal(found.mean, of.sampled(10).mean)


IMAGES_OF = np.zeros((3, INPUTS), np.float32)
NOT_INPUTS: dict[str, tuple[Any, str]] = {
    "bytes, whose rate would be 0": (IMAGES_OF.astype(np.uint8), "are uint8. Give floats as they enter"),
    "a list": (IMAGES_OF.tolist(), "are list"),
    "one row": (IMAGES_OF[0], r"shape \(36,\). Give \[N, 36\]"),
    "narrow": (IMAGES_OF[:, :9], r"shape \(3, 9\)"),
    "empty": (IMAGES_OF[:0], r"shape \(0, 36\)"),
    "images": (IMAGES_OF.reshape(3, *SHAPE), r"shape \(3, 6, 6, 1\)"),
    "nan": (np.where(np.arange(INPUTS) == 7, np.float32(np.nan), IMAGES_OF), "3 values .* are not finite"),
    "infinite": (np.where(np.arange(INPUTS) == 7, np.float32(np.inf), IMAGES_OF), "3 values .* are not finite"),
}


@pytest.mark.parametrize("name", NOT_INPUTS)
def test_what_does_not_enter_the_network_is_refused(name: str) -> None:
    of, (images, message) = network("head"), NOT_INPUTS[name]
    with pytest.raises(UserError, match=message):
        mc_dropout(of.model, of.params, of.stats, images, jax.random.key(0), 2, dropout_rate=RATE)


def test_mc_dropout_can_be_traced() -> None:
    of = network("head")

    def mean(images: jax.Array, key: jax.Array) -> jax.Array:
        return mc_dropout(of.model, of.params, of.stats, images, key, 10, dropout_rate=RATE).mean

    np.testing.assert_allclose(jax.jit(mean)(of.images, jax.random.key(2)), of.sampled(10).mean, atol=1e-6)


@pytest.mark.parametrize("drop", [dropout, alpha_dropout])
@pytest.mark.parametrize("bits", [8, 16])
def test_fewer_bits_drop_at_the_nearest_rate_they_have_and_keep_the_mean(drop: Any, bits: Any) -> None:
    rate, x = 0.1, jnp.ones(400_000) if drop is dropout else jnp.resize(jnp.asarray([1.0, -1.0]), 400_000)
    masked = jax.jit(lambda key, x, rate: drop(x, *dropout_mask(key, x.shape, "float32", rate, bits)))
    found = np.asarray(masked(jax.random.key(1), x, rate))
    lowest = 0.0 if drop is dropout else found.min()
    share = np.mean(np.isclose(found, lowest, atol=1e-5))
    assert share == pytest.approx(round(rate * 2**bits) / 2**bits, abs=4 * np.sqrt(0.09 / len(x)))
    assert found.mean() == pytest.approx(float(x.mean()), abs=0.01)


def test_an_ensemble_is_the_mean_of_its_members() -> None:
    samples = loop("head")[:7]
    found = ensemble(samples)
    np.testing.assert_allclose(found.mean, samples.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.std, samples.std(0), atol=1e-6)
    np.testing.assert_allclose(found.entropy, entropy(jnp.asarray(samples.mean(0))), atol=1e-6)
    assert (np.asarray(found.mutual_information) >= 0).all()
    with pytest.raises(UserError, match=r"1 networks\. Give 2 or more"):
        ensemble(samples[:1])


HALVES = np.full((2, 5, 4), 0.25)
NOT_MEMBERS: dict[str, tuple[Any, str]] = {
    "one network's": (HALVES[0], r"have the shapes \(4,\)"),
    "other images": ([HALVES[0], HALVES[1, :3]], r"\(5, 4\), \(3, 4\)"),
    "other classes": ([HALVES[0], HALVES[1, :, :3]], r"\(5, 4\), \(5, 3\)"),
    "no images": (HALVES[:, :0], r"\(0, 4\)"),
    "logits": (HALVES * 7, "10 of 10 rows are negative, not finite or do not sum to 1"),
    "a negative one": (HALVES + np.array([1, -1, 0, 0]), "10 of 10 rows"),
    "nan": (np.where(np.arange(10).reshape(2, 5, 1) == 7, np.nan, HALVES), "1 of 10 rows .* row 2 of member 1"),
    "infinite": (np.where(np.arange(10).reshape(2, 5, 1) == 7, np.inf, HALVES), "1 of 10 rows"),
    "classes": (np.eye(4, dtype=int)[None].repeat(2, 0), "probabilities are int64. Give floats"),
    "ragged": ([[[0.5, 0.5], [1.0]]] * 2, "are not arrays"),
    "a number": (0.5, "are not arrays"),
    "none": ([], "0 networks. Give 2 or more"),
}


@pytest.mark.parametrize("name", NOT_MEMBERS)
def test_what_is_not_probabilities_of_several_networks_is_no_ensemble(name: str) -> None:
    probabilities, message = NOT_MEMBERS[name]
    with pytest.raises(UserError, match=message) as caught:
        ensemble(probabilities)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", jnp.bfloat16])
def test_probabilities_of_every_precision_are_an_ensemble(dtype: Any) -> None:
    probabilities = jax.nn.softmax(jax.random.normal(jax.random.key(0), (3, 50, 10)) * 3).astype(jnp.float32)
    assert ensemble(np.asarray(probabilities).astype(dtype)).mean.shape == (50, 10)


def test_a_configuration_says_whether_it_has_dropout() -> None:
    assert dnn(Config().model, INPUTS, CLASSES).first_dropout is None
