"""Each mistake is found where it is made, and not in what is nearly it; the chapter's recipes show what they expect."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from small_data import SMALL, small_arrays, small_dataset
from test_config import configs, cubic, sign_sgd, zeros

import jaxdeep
from experiments import cifar, fashion_mnist
from jaxdeep import Config, Data, Dataset, Model, Optim, Regularize, Schedule, Train, lint, stratified_folds
from jaxdeep.cli.recipe import Recipe
from jaxdeep.data.sources import load_images
from jaxdeep.lint import compared, lint_config, lint_rows

DATASET = small_dataset(SMALL)
ALPHA = {"dropout": "alpha_dropout", "dropout_sites": "head", "dropout_rate": 0.1}
PLAIN = {"dropout_sites": "every", "dropout_rate": 0.2}
RECIPES = {
    **{("cifar10", name): recipe for name, recipe in cifar.CONFIGS.items()},
    **{("fashion_mnist", name): recipe for name, recipe in fashion_mnist.CONFIGS.items()},
}


def names(config: Config, data: Dataset = DATASET) -> list[str]:
    return [finding.name for finding in lint_config(config, data)]


def changed(**parts: dict[str, Any]) -> Config:
    """SMALL with changes: LeCun, SELU, standardised inputs, nadam, 4 epochs of 5 steps."""
    return replace(SMALL, **{part: replace(getattr(SMALL, part), **values) for part, values in parts.items()})


def test_the_small_configuration_has_nothing_to_find():
    assert lint(SMALL, DATASET) == ()
    assert jaxdeep.lint is lint
    assert "lint" in jaxdeep.__all__


@pytest.mark.parametrize(
    ("name", "mistake", "near"),
    [
        ("selu-without-lecun", {"model": {"kernel_init": "he_normal"}}, {"model": {"kernel_init": "lecun_uniform"}}),
        ("selu-without-lecun", {"model": {"kernel_init": "glorot_uniform"}}, {"model": {"head_init": "he_normal"}}),
        (
            "selu-without-lecun",
            {"model": {"kernel_init": "variance_scaling", "init_scale": 2.0}},
            {"model": {"kernel_init": "variance_scaling", "init_distribution": "uniform"}},
        ),
        (
            "selu-without-lecun",
            {"model": {"kernel_init": "variance_scaling", "init_mode": "fan_avg"}},
            {"model": {"kernel_init": "variance_scaling", "init_mode": "fan_in"}},
        ),
        (
            "selu-without-lecun",
            {"model": {"kernel_init": "orthogonal", "units": (12, 24)}},
            {"model": {"kernel_init": "orthogonal", "units": (24, 12)}},
        ),
        (
            "selu-without-lecun",
            {"model": {"kernel_init": "he_normal"}},
            {"model": {"kernel_init": "he_normal", "activation": "elu"}},
        ),
        ("selu-without-lecun", {"model": {"kernel_init": "constant"}}, {"model": {"kernel_init": zeros}}),
        (
            "selu-without-lecun",
            {"model": {"kernel_init": "he_normal"}},
            {"model": {"kernel_init": "he_normal", "batch_norm": True}},
        ),
        (
            "selu-without-lecun",
            {"model": {"kernel_init": "he_normal", "batch_norm": (True, False, True)}},
            {"model": {"kernel_init": "he_normal", "batch_norm": (True, True, True)}},
        ),
        ("selu-with-penalty", {"regularize": {"l2": 1e-4}}, {"regularize": {"l2": 1e-4, "penalized": "head"}}),
        ("selu-with-penalty", {"regularize": {"l1": 1e-4, "penalized": (1,)}}, {"regularize": {}}),
        (
            "selu-with-penalty",
            {"regularize": {"l2": 1e-4}},
            {"regularize": {"l2": 1e-4}, "model": {"activation": "elu"}},
        ),
        (
            "selu-with-max-norm",
            {"regularize": {"max_norm": 1.0}},
            {"regularize": {"max_norm": 1.0, "constrained": "head"}},
        ),
        ("selu-with-dropout", {"model": PLAIN}, {"model": ALPHA}),
        (
            "selu-with-dropout",
            {"model": {"dropout_rate": (0.0, 0.2, 0.0, 0.0)}},
            {"model": {"dropout_rate": (0.0, 0.0, 0.0, 0.0)}},
        ),
        ("selu-with-dropout", {"model": PLAIN}, {"model": {**PLAIN, "activation": "elu"}}),
        ("alpha-dropout-without-selu", {"model": {**ALPHA, "activation": "elu"}}, {"model": ALPHA}),
        (
            "alpha-dropout-without-selu",
            {"model": {**ALPHA, "activation": "relu", "kernel_init": "he_normal"}},
            {"model": {**ALPHA, "activation": cubic}},
        ),
        (
            "alpha-dropout-without-selu",
            {"model": {**ALPHA, "activation": "tanh"}},
            {"model": {"dropout": "alpha_dropout", "activation": "tanh"}},
        ),
        ("rate-out-of-range", {"optim": {"learning_rate": 0.2}}, {"optim": {"learning_rate": 0.1}}),
        ("rate-out-of-range", {"optim": {"learning_rate": 1e-8}}, {"optim": {"learning_rate": 1e-6}}),
        (
            "rate-out-of-range",
            {"optim": {"learning_rate": 20.0, "optimizer": "sgd"}},
            {"optim": {"learning_rate": 10.0, "optimizer": "sgd"}},
        ),
        (
            "rate-out-of-range",
            {"optim": {"learning_rate": 2.0, "optimizer": "momentum"}},
            {"optim": {"learning_rate": 1.0, "optimizer": "momentum"}},
        ),
        (
            "rate-out-of-range",
            {"optim": {"learning_rate": 1e-8, "optimizer": "sgd"}},
            {
                "optim": {"learning_rate": 1e-8, "optimizer": "sgd"},
                "data": {"scaling": "none"},
                "model": {"activation": "relu"},
            },
        ),
        (
            "rate-out-of-range",
            {"optim": {"learning_rate": 5.0, "optimizer": "optax.lion"}},
            {"optim": {"learning_rate": 5.0, "optimizer": "optax.adadelta"}},
        ),
        (
            "rate-out-of-range",
            {"optim": {"learning_rate": 5.0, "optimizer": "ftrl"}},
            {"optim": {"learning_rate": 5.0, "optimizer": sign_sgd}},
        ),
        (
            "rate-out-of-range",
            {"schedule": {"kind": "piecewise", "boundaries_epochs": (2,), "factors": (1.0, 100.0)}},
            {"schedule": {"kind": "piecewise", "boundaries_epochs": (2,), "factors": (1.0, 10.0)}},
        ),
        (
            "schedule-without-effect",
            {"schedule": {"kind": "power", "decay_steps": 1_000}},
            {"schedule": {"kind": "power", "decay_steps": 100}},
        ),
        (
            "schedule-without-effect",
            {"schedule": {"kind": "exponential", "decay_epochs": 100.0}},
            {"schedule": {"kind": "exponential", "decay_epochs": 20.0}},
        ),
        (
            "schedule-without-effect",
            {"schedule": {"kind": "exponential", "decay_steps": 1_000}},
            {"schedule": {"kind": "exponential", "decay_steps": 100}},
        ),
        (
            "schedule-without-effect",
            {"schedule": {"kind": "plateau", "patience_epochs": 3}},
            {"schedule": {"kind": "plateau", "patience_epochs": 2}},
        ),
        (
            "schedule-without-effect",
            {"schedule": {"kind": "plateau", "patience_epochs": 10}, "train": {"epochs": 100, "patience": 10}},
            {"schedule": {"kind": "plateau", "patience_epochs": 9}, "train": {"epochs": 100, "patience": 10}},
        ),
        (
            "schedule-without-effect",
            {"schedule": {"kind": "plateau", "patience_epochs": 9}, "train": {"epochs": 100, "patience": 8}},
            {
                "schedule": {"kind": "plateau", "patience_epochs": 9},
                "train": {"epochs": 100, "patience": 8, "keep": "last"},
            },
        ),
        (
            "schedule-too-short",
            {"schedule": {"kind": "exponential", "decay_steps": 1}},
            {"schedule": {"kind": "exponential", "decay_steps": 4}},
        ),
        (
            "schedule-too-short",
            {"schedule": {"kind": "power", "decay_steps": 1, "exponent": 10.0}},
            {"schedule": {"kind": "power", "decay_steps": 1}},
        ),
        (
            "schedule-cut-short",
            {"schedule": {"kind": "onecycle"}, "train": {"patience": 3}},
            {"schedule": {"kind": "onecycle"}},
        ),
        (
            "schedule-cut-short",
            {"schedule": {"kind": "cosine"}, "train": {"patience": 3}},
            {"schedule": {"kind": "cosine"}, "train": {"patience": 3, "keep": "last"}},
        ),
    ],
)
def test_a_mistake_of_the_configuration_is_found_alone_and_what_is_nearly_it_is_not(name, mistake, near):
    assert names(changed(**mistake)) == [name]
    assert names(changed(**near)) == []


def test_a_finding_is_one_line_with_what_was_received_and_a_mend():
    (finding,) = lint_config(changed(model={"kernel_init": "he_normal"}), DATASET)
    assert finding.source == 2
    assert finding.message.startswith("model.kernel_init is 'he_normal' with model.activation 'selu'")
    assert finding.message.endswith("Use lecun_normal.")
    assert "\n" not in finding.message


def rows_of(make: Callable[[np.random.Generator], np.ndarray], scaling: str, rows: int = 400) -> Dataset:
    """Four classes of rows; 20 for validation, 20 for the test."""
    values = make(np.random.default_rng(0))
    return Dataset.from_arrays(values, np.arange(rows) % 4, data=Data(scaling, valid_size=20))


@pytest.mark.parametrize(
    ("scaling", "make", "is_standard"),
    [
        ("none", lambda rng: rng.normal(0, 1, (400, 12)), True),
        ("none", lambda rng: rng.normal(0, 1, (400, 12)) * (np.arange(12) > 5), True),  # constant columns do not count
        ("none", lambda rng: rng.normal(0, 3, (400, 12)), False),
        ("none", lambda rng: rng.normal(2, 1, (400, 12)), False),
        ("none", lambda rng: rng.random((400, 12)), False),
        ("none", lambda rng: rng.integers(0, 256, (400, 12), np.uint8), False),
        ("unit", lambda rng: rng.integers(0, 256, (400, 12), np.uint8), False),
        ("standardize", lambda rng: rng.integers(0, 256, (400, 12), np.uint8), True),
    ],
)
def test_selus_inputs_are_looked_at_as_they_enter(scaling, make, is_standard):
    data = rows_of(make, scaling)
    config = changed(data={"scaling": scaling, "valid_size": 20})
    assert names(config, data) == ([] if is_standard else ["selu-inputs-not-standardised"])
    assert names(replace(config, model=replace(config.model, activation="elu")), data) == []
    for norms in ({"batch_norm_input": True}, {"batch_norm": (True, False, False)}):
        assert names(replace(config, model=replace(config.model, **norms)), data) == []


@pytest.mark.parametrize("columns", [1, 3, 40])
@pytest.mark.parametrize("seed", range(5))
def test_rows_that_a_user_standardised_with_others_pass(columns, seed):
    """40 training rows of 4,000 that were standardised together are off by chance alone."""
    everything = np.random.default_rng(seed).gamma(2.0, 3.0, (4_000, columns))
    standard = (everything - everything.mean(0)) / everything.std(0)
    data = rows_of(lambda _: standard[:80], "none", rows=80)
    assert data.train.size == 40
    assert names(changed(data={"scaling": "none", "valid_size": 20}), data) == []


def test_mc_dropout_with_nothing_random_is_found_where_it_is_asked_for():
    (finding,) = lint(SMALL, DATASET, mc_dropout=True)
    assert (finding.name, finding.source) == ("mc-dropout-without-dropout", 1)
    assert lint(changed(model=ALPHA), DATASET, mc_dropout=True) == ()
    each = {"dropout": "alpha_dropout", "dropout_rate": (0.0, 0.0, 0.0, 0.1)}
    assert lint(changed(model=each), DATASET, mc_dropout=True) == ()
    (finding,) = lint(changed(model={**each, "dropout_rate": (0.0,) * 4}), DATASET, mc_dropout=True)
    assert finding.name == "mc-dropout-without-dropout"


def relabelled(part: str, labels: np.ndarray) -> Dataset:
    split = getattr(DATASET, part)
    return replace(DATASET, **{part: split._replace(labels=np.asarray(labels, np.int32))})


@pytest.mark.parametrize(("part", "word"), [("train", "training"), ("valid", "validation"), ("test", "test")])
@pytest.mark.parametrize("shift", [5, -1])
def test_labels_outside_the_classes_are_found_in_any_part(part, word, shift):
    labels = np.asarray(getattr(DATASET, part).labels)
    found = lint_rows(relabelled(part, np.where(labels == 0, shift, labels)))
    assert (found[0].name, found[0].source) == ("labels-outside-classes", 4)
    assert found[0].message.startswith(f"{(labels == 0).sum()} {word} labels are not in 0 .. 3, the first is {shift}")
    assert lint_rows(relabelled(part, labels)) == ()


def test_a_class_that_no_training_row_has_is_found():
    labels = np.asarray(DATASET.train.labels)
    found = {
        finding.name: finding.message for finding in lint_rows(relabelled("train", np.where(labels == 3, 0, labels)))
    }
    assert list(found) == ["class-without-rows"]
    assert found["class-without-rows"].startswith("1 of 4 classes have no training row (3)")
    assert lint_rows(relabelled("valid", np.zeros(50))) == ()  # a validation row of a class is no must


def copied(into: slice, of: slice, test_of: slice | None = None) -> Dataset:
    """400 rows, 100 of them validation rows and 100 test rows, some of which are copies of others."""
    images, labels = small_arrays(500)
    images[into], labels[into] = images[of], labels[of]
    test = slice(400, 500) if test_of is None else test_of
    return Dataset.from_arrays(images[:400], labels[:400], images[test], labels[test], data=Data(valid_size=100))


def test_rows_in_two_parts_are_counted():
    (found,) = lint_rows(copied(slice(0, 7), slice(200, 207)))
    assert (found.name, found.source) == ("validation-rows-in-training", 5)
    assert found.message.startswith("7 of 100 (7.0%) validation rows are copies of training rows")
    (found,) = lint_rows(copied(slice(400, 407), slice(200, 207)))
    assert (found.name, found.source) == ("test-rows-in-training", 6)
    (found,) = lint_rows(copied(slice(0, 7), slice(400, 407)))
    assert (found.name, found.source) == ("test-rows-in-validation", 6)


def test_the_test_set_as_the_validation_set_is_found():
    (found,) = lint_rows(copied(slice(0), slice(0), test_of=slice(0, 100)))
    assert found.name == "test-rows-in-validation"
    assert found.message.startswith("100 of 100 (100.0%)")


def test_one_copy_in_a_hundred_rows_is_no_finding_and_neither_is_a_copy_of_another_class():
    assert lint_rows(copied(slice(0, 1), slice(200, 201))) == ()
    data = copied(slice(0, 30), slice(200, 230))
    other = data.valid._replace(labels=np.asarray((np.asarray(data.valid.labels) + 1) % 4, np.int32))
    assert lint_rows(replace(data, valid=other)) == ()


def test_the_first_rows_five_times_are_found():
    images, labels = small_arrays(140)
    five = [np.concatenate([part[:100], *[part[100:]] * 5]) for part in (images, labels)]
    data = Dataset.from_arrays(*five, *small_arrays(60, seed=1), data=Data(valid_size=100))
    (found,) = lint_rows(data)
    assert (found.name, found.source) == ("duplicated-training-rows", 5)
    assert found.message.startswith("160 of 200 (80.0%) training rows are copies of another one")


@pytest.mark.parametrize("copies", [0, 20])
def test_folds_are_looked_at_row_by_row(copies):
    data = copied(slice(0, copies), slice(200, 200 + copies))
    for fold in stratified_folds(data, data.info.data, 2):
        found = {finding.name for finding in lint_rows(fold)}  # some of the copies come into one part
        assert found - {"duplicated-training-rows"} == ({"validation-rows-in-training"} if copies else set())


BASE = Config()


@pytest.mark.parametrize(
    ("changes", "things"),
    [
        ({}, None),
        ({"model": Model(activation="elu", kernel_init="he_normal"), "regularize": Regularize(l2=0.01)}, None),
        ({"optim": Optim("sgd", learning_rate=0.1)}, None),
        ({"optim": Optim(learning_rate=1e-4)}, None),
        ({"schedule": Schedule("onecycle"), "optim": Optim(learning_rate=1e-2)}, None),
        ({"train": Train(batch_size=128), "optim": Optim(learning_rate=1e-2)}, None),
        ({"data": Data("none"), "optim": Optim(learning_rate=1e-4)}, None),
        (
            {"model": Model(batch_norm=True), "optim": Optim(learning_rate=1e-4)},
            "the network (model.batch_norm) and the learning rate (optim.learning_rate)",
        ),
        (
            {"model": Model(batch_norm=True), "train": Train(batch_size=128)},
            "the network (model.batch_norm) and the loop (train.batch_size)",
        ),
        (
            {"model": Model(batch_norm=True), "data": Data("none")},
            "the images (data.scaling) and the network (model.batch_norm)",
        ),
        (
            {"schedule": Schedule("onecycle"), "optim": Optim("sgd", learning_rate=0.05)},
            "the optimizer (optim.learning_rate, optim.optimizer) and the schedule (schedule.kind)",
        ),
    ],
)
def test_a_comparison_in_which_more_than_one_thing_differs_lists_the_fields(changes, things):
    other = replace(BASE, **changes)
    for pair in ((BASE, other), (other, BASE)):
        found = compared(*pair)
        if things is None:
            assert found is None
        else:
            assert found.message.startswith(f"the two differ in {things}: ")
            assert (found.name, found.source) == ("more-than-one-difference", 9)


@cache
def of_full_size(name: str, data: Data) -> Dataset:
    """As many rows as the real set has, of 9 pixels."""
    rng, counts = np.random.default_rng(0), {"cifar10": (50_000, 10_000), "fashion_mnist": (60_000, 10_000)}[name]
    images = [rng.integers(0, 256, (count, 3, 3, 1), np.uint8) for count in counts]
    labels = [np.arange(count) % 10 for count in counts]
    return Dataset.from_arrays(images[0], labels[0], images[1], labels[1], data=data)


@pytest.mark.parametrize("key", RECIPES, ids="-".join)
def test_a_recipe_of_the_chapter_shows_what_it_expects_and_nothing_else(key):
    recipe = RECIPES[key]
    assert [finding.name for finding in lint(recipe.config, of_full_size(key[0], recipe.config.data))] == list(
        recipe.expected
    )


@cache
def real(name: str, data: Data) -> Dataset:
    return Dataset.from_images(load_images(name, source=name, data_dir=Path(os.environ["JAXDEEP_DATA"])), data)


@pytest.mark.parametrize("key", RECIPES, ids="-".join)
def test_so_it_does_on_the_real_images(key):
    if not os.environ.get("JAXDEEP_DATA"):
        pytest.skip("JAXDEEP_DATA does not name a folder with the real files")
    recipe = RECIPES[key]
    assert [finding.name for finding in lint(recipe.config, real(key[0], recipe.config.data))] == list(recipe.expected)


def test_the_exhibits_are_the_recipes_that_expect_something():
    expecting = {key[1]: recipe.expected for key, recipe in RECIPES.items() if recipe.expected}
    assert expecting == {
        "as_002_elu": ("test-rows-for-validation",),
        "as_002_selu": ("selu-inputs-not-standardised", "test-rows-for-validation"),
        "as_002_alpha_dropout": ("alpha-dropout-without-selu",),
        "max_norm": ("selu-with-max-norm",),
        **dict.fromkeys(
            ("transfer_a", "scratch_b", "transfer"), ("selu-without-lecun", "selu-inputs-not-standardised")
        ),
    }
    assert Recipe(BASE, "").expected == ()


@given(configs())
@example(changed(schedule={"kind": "exponential", "decay_epochs": 5e-324}))
@example(changed(schedule={"kind": "power", "decay_steps": 1, "exponent": 3e38}))
@example(changed(schedule={"kind": "exponential", "warmup_steps": 10**6}))
@example(changed(train={"epochs": 2**31 - 1}, schedule={"kind": "power", "decay_steps": 10**9}))
def test_it_never_raises_and_says_what_it_finds_in_one_line(config):
    for finding in lint(config, DATASET, mc_dropout=True):
        assert finding.name == finding.name.lower().replace(" ", "-")
        assert 1 <= finding.source <= 15
        assert finding.message
        assert "\n" not in finding.message
        assert finding.message.endswith(".")
    assert compared(config, config) is None
