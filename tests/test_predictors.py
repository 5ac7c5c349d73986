"""What networks say: MC dropout block by block, ensembles and temperatures, each from its definition in NumPy."""

import math
from collections.abc import Iterator
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from small_data import SMALL, lean_compilation, small_arrays, small_dataset

from jaxdeep.analysis import predictors
from jaxdeep.analysis.predictors import (
    Answers,
    McSamples,
    Predictor,
    at_temperature,
    counts_of,
    ensemble_of,
    mc_samples_of,
    plain_predictor,
)
from jaxdeep.analysis.uncertainty import Uncertainty, mc_dropout, mc_of_stored_rows, mc_predict, pooled
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.forward import model_of

CONFIG = replace(SMALL, model=replace(SMALL.model, dropout="alpha_dropout", dropout_sites="head", dropout_rate=0.4))
SAMPLES = 23
ROWS = small_arrays(30, seed=2)[0].reshape(30, -1)
IMAGES = {"valid": ROWS, "test": ROWS, "others": ROWS}


@pytest.fixture(scope="module")
def runs() -> Iterator[list[Run]]:
    with lean_compilation():
        yield fit_all([Trial(CONFIG, seed) for seed in (5, 6)], small_dataset(CONFIG))


class Recorded:
    """MC dropout in blocks of at most ten samples, each of which is kept."""

    def __init__(self, runs: list[Run]) -> None:
        self.blocks: list[Uncertainty] = []

        def record(*given, **options) -> Uncertainty:
            wanted = options.pop("keep_samples")
            self.blocks.append(mc_of_stored_rows(*given, **options, keep_samples=True))
            return self.blocks[-1] if wanted else self.blocks[-1]._replace(samples=None)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(predictors, "BLOCK", 10)
            patch.setattr(predictors, "mc_of_stored_rows", record)
            self.draws: McSamples = mc_samples_of(iter(runs), IMAGES, SAMPLES)
        kept = [np.asarray(block.samples, np.float64) for block in self.blocks]
        assert [len(of) for of in kept] == [8, 8, 7] * len(runs) * len(IMAGES)
        whole = iter([np.concatenate(kept[first : first + 3]) for first in range(0, len(kept), 3)])
        self.samples = [{name: next(whole) for name in IMAGES} for _ in runs]
        """Of each network and set, [M, N, C]."""


@pytest.fixture(scope="module")
def recorded(runs: list[Run]) -> Recorded:
    return Recorded(runs)


def entropies(probabilities: np.ndarray) -> np.ndarray:
    return special.entr(probabilities).sum(-1)


def test_a_trained_network_is_asked_with_its_own_scaling_and_rate(runs: list[Run]) -> None:
    of, key = runs[0], jax.random.key(3)
    found = mc_predict(of, ROWS.reshape(30, *of.data.image_shape), key, 5)
    inputs = (ROWS - np.asarray(of.data.mean)) * np.asarray(of.data.scale)
    given = (model_of(CONFIG, of.data), of.params, of.batch_stats, jnp.asarray(inputs, "float32"), key, 5)
    expected = mc_dropout(*given, dropout_rate=0.4)
    for name in ("mean", "std", "entropy", "mutual_information"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5)


def test_an_answer_is_the_mean_over_all_blocks_and_its_information_theirs(recorded: Recorded) -> None:
    for name in IMAGES:
        found = recorded.draws.predictor.answers[name]
        for index, of_sets in enumerate(recorded.samples):
            mean = of_sets[name].mean(0)
            np.testing.assert_allclose(found.probabilities[index], mean, atol=1e-6)
            information = entropies(mean) - entropies(of_sets[name]).mean(0)
            np.testing.assert_allclose(found.information[index], information, atol=1e-6)


def test_the_means_of_the_first_samples_are_followed_through_the_blocks(recorded: Recorded) -> None:
    draws = recorded.draws
    assert sorted(draws.means) == ["test", "valid"]
    for name, by_count in draws.means.items():
        assert list(by_count) == [1, 2, 5, 10, 20, 23]
        for count, found in by_count.items():
            expected = [of_sets[name][:count].mean(0) for of_sets in recorded.samples]
            np.testing.assert_allclose(found, np.stack(expected), rtol=1e-6)
    assert draws.first.shape == (2, SAMPLES, 4)
    np.testing.assert_array_equal(draws.first, [of_sets["test"][:, 0] for of_sets in recorded.samples])


def test_every_sample_of_every_network_and_set_has_masks_of_its_own(runs: list[Run], recorded: Recorded) -> None:
    """Of the first image, which is the same in all sets; a network under another seed is the same but for its masks."""
    twin = replace(runs[0], seed=99)
    again = mc_samples_of([runs[0], twin, runs[0]], IMAGES, 8).first
    assert np.array_equal(again[0], again[2])
    assert not (again[0][:, None] == again[1][None]).all(-1).any()
    for of_sets in recorded.samples:
        first = np.concatenate([of[:, 0] for of in of_sets.values()])
        assert len(np.unique(first, axis=0)) == 3 * SAMPLES


def test_the_answers_to_a_set_do_not_depend_on_the_sets_beside_it(runs: list[Run]) -> None:
    whole, part = (
        mc_samples_of(runs, images, 8) for images in (IMAGES, {name: IMAGES[name] for name in ("test", "valid")})
    )
    for name in ("test", "valid"):
        one, other = (of.predictor.answers[name].probabilities for of in (whole, part))
        assert np.array_equal(one, other)


@pytest.mark.parametrize("samples", [2, 3, 99, 100, 101, 102, 199, 200, 201, 250, 301, 1_000])
def test_blocks_have_at_most_a_hundred_samples_and_never_a_single_one(samples: int) -> None:
    sizes = predictors._sizes(samples)
    assert sum(sizes) == samples
    assert 2 <= min(sizes) <= max(sizes) <= 100
    assert len(sizes) == math.ceil(samples / 100)
    assert len(set(sizes)) <= 2  # each size is a compiled program


def test_pooled_moments_are_those_of_all_samples() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.dirichlet(np.full(4, 0.5), (size, 9)) for size in (2, 7, 30)]
    moments = [
        Uncertainty(
            *(of.astype(np.float32) for of in (part.mean(0), part.std(0), entropies(part.mean(0)))),
            (entropies(part.mean(0)) - entropies(part).mean(0)).astype(np.float32),
        )
        for part in parts
    ]
    found, whole = pooled(moments, [2, 7, 30]), np.concatenate(parts)
    np.testing.assert_allclose(found.mean, whole.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.std, whole.std(0), atol=1e-6)
    np.testing.assert_allclose(found.entropy, entropies(whole.mean(0)), atol=1e-6)
    expected = entropies(whole.mean(0)) - entropies(whole).mean(0)
    np.testing.assert_allclose(found.mutual_information, expected, atol=1e-6)
    assert found.samples is None
    alone = pooled(moments[1:2], [7])
    np.testing.assert_allclose(alone.std, moments[1].std, atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(2, [1, 2]), (10, [1, 2, 5, 10]), (11, [1, 2, 5, 10, 11]), (250, [1, 2, 5, 10, 20, 50, 100, 200, 250])],
)
def test_the_counts_end_with_the_number_itself(samples: int, expected: list[int]) -> None:
    assert counts_of(samples) == expected


def test_the_plain_predictor_is_what_each_run_predicts(runs: list[Run]) -> None:
    found = plain_predictor(runs, IMAGES)
    assert (found.is_ensemble, found.temperatures) == (False, None)
    for name, rows in IMAGES.items():
        assert found.answers[name].information is None
        np.testing.assert_array_equal(found.answers[name].probabilities, [run.predict(rows) for run in runs])


def networks(count: int, sharpness: float = 1.0) -> tuple[Predictor, np.ndarray]:
    """Made up: networks that know something, and the labels of their validation images."""
    rng = np.random.default_rng(count)
    probabilities = rng.dirichlet(np.ones(3), 4_000)
    labels = (rng.random(len(probabilities))[:, None] > probabilities.cumsum(1)).sum(1)
    logits = sharpness * (np.log(probabilities) + rng.normal(0, 0.01, (count, *probabilities.shape)))
    valid = special.softmax(logits, -1).astype(np.float32)
    return Predictor("plain", {"valid": Answers(valid), "test": Answers(valid[:, ::-1][:, :500])}), labels


@pytest.mark.parametrize("count", [2, 3, 5])
def test_an_ensemble_is_that_of_all_and_those_of_all_but_one(count: int) -> None:
    single, _ = networks(count)
    found = ensemble_of(single)
    assert found.is_ensemble
    for name, of in single.answers.items():
        groups = [list(range(count))]
        if count > 2:
            groups += [[index for index in range(count) if index != left_out] for left_out in range(count)]
        answers = found.answers[name]
        assert answers.probabilities.shape == (len(groups), *of.probabilities.shape[1:])
        for group, probabilities, information in zip(groups, answers.probabilities, answers.information, strict=True):
            members = of.probabilities[group].astype(np.float64)
            np.testing.assert_allclose(probabilities, members.mean(0), atol=1e-6)
            expected = entropies(members.mean(0)) - entropies(members).mean(0)
            np.testing.assert_allclose(information, expected, atol=1e-6)
    figure = np.arange(10.0, 11 + (count if count > 2 else 0))
    assert found.jackknifed(figure).estimate == 10
    assert len(found.jackknifed(figure).leave_one_out) == (count if count > 2 else 0)


@pytest.mark.parametrize("true", [0.5, 2.5])
def test_a_temperature_of_each_predictor_undoes_its_sharpening_and_moves_no_hit(true: float) -> None:
    single, labels = networks(3, true)
    mixed = Predictor(
        "plain",
        {name: Answers(np.concatenate([of.probabilities, softened(of)])) for name, of in single.answers.items()},
    )
    found = at_temperature(mixed, labels)
    np.testing.assert_allclose(found.temperatures, [true] * 3 + [true / 2] * 3, rtol=0.05)
    assert found.name == "plain, scaled"
    for name, of in mixed.answers.items():
        scaled = found.answers[name].probabilities
        powers = np.maximum(of.probabilities.astype(np.float64), 1e-12) ** (1 / found.temperatures[:, None, None])
        np.testing.assert_allclose(scaled, powers / powers.sum(-1, keepdims=True), rtol=1e-9)
        np.testing.assert_array_equal(scaled.argmax(-1), of.probabilities.argmax(-1))
        assert found.answers[name].information is None


def softened(of: Answers) -> np.ndarray:
    """At a temperature of 2."""
    return special.softmax(np.log(of.probabilities) / 2, -1)


def test_an_ensemble_at_a_temperature_is_one_still() -> None:
    single, labels = networks(3, 2.0)
    together = ensemble_of(single)
    found = at_temperature(together, labels)
    assert (found.is_ensemble, found.name) == (True, "ensemble, scaled")
    assert found.temperatures.shape == (4,)
    assert found.jackknifed(found.temperatures).estimate == found.temperatures[0]
    np.testing.assert_array_equal(found.over_networks(found.temperatures[:, None]), found.temperatures[:1])
    np.testing.assert_array_equal(single.over_networks(np.array([[1.0, 4.0], [2.0, 4.0]])), [1.5, 4.0])


def test_probabilities_of_0_are_scaled_too() -> None:
    certain = np.tile(np.eye(3, dtype=np.float32)[[0, 1, 2, 0]], (2, 1, 1))
    found = at_temperature(Predictor("plain", {"valid": Answers(certain)}), np.array([0, 1, 2, 1]))
    assert np.isfinite(found.answers["valid"].probabilities).all()
    assert (found.temperatures > 1).all()
