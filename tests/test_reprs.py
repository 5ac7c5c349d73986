"""What a result shows of itself where a person types its name: a line, whatever it holds."""

import math
from dataclasses import replace

import jax
import pytest
from small_data import SMALL, lean_compilation, small_arrays, small_dataset

from jaxdeep import Dataset, Trial, compare_studies, load_images, mc_predict, run_study

LONGEST = 300
CONFIG = SMALL.updated({"train.epochs": 2, "model.dropout_sites": "head", "model.dropout_rate": 0.25})


@pytest.fixture(scope="module")
def study():
    with lean_compilation():
        yield run_study(CONFIG, small_dataset(CONFIG), seeds=2, grid={"optim.learning_rate": [1e-3, 1e-2]})


@pytest.fixture(scope="module")
def run(study):
    return study.runs[0]


def test_a_run_says_its_seed_its_best_epoch_and_its_accuracies(run) -> None:
    expected = f"Run(seed=42, best_epoch={run.best_epoch} of 2, val_accuracy={run.val_accuracy:.4f}"
    assert repr(run) == f"{expected}, test_accuracy={run.test_accuracy:.4f})"


def test_a_run_that_diverged_at_once_has_no_figures(run) -> None:
    diverged = replace(run, best_epoch=0, val_accuracy=math.nan, test_accuracy=math.nan, diverged=True)
    assert repr(diverged) == "Run(seed=42, best_epoch=none of 2, diverged)"


def test_a_data_set_says_its_sizes(run) -> None:
    assert repr(run.data) == "Dataset(arrays: 150 train, 50 valid, 60 test rows, 36 features, 4 classes)"


def test_what_is_synthetic_says_so(run) -> None:
    data = Dataset.from_arrays(*small_arrays(200), *small_arrays(60, 1), data=CONFIG.data, name="drawn", synthetic=True)
    assert repr(data).startswith("Dataset(drawn: ")
    assert repr(data).endswith(", synthetic)")
    assert repr(replace(run, data=data)).endswith(", synthetic)")


def test_a_data_set_shows_itself_within_jax_too(run) -> None:
    assert "150 train" in repr(jax.eval_shape(lambda data: data, run.data))
    assert repr(jax.tree.map(lambda _: None, run.data)).startswith("Dataset(")
    seen = []
    jax.jit(lambda data: seen.append(repr(data)))(run.data)
    assert "150 train" in seen[0]


def test_every_public_result_is_a_line(study, run) -> None:
    other = run_study(CONFIG.updated({"lr": 0.01}), run.data, seeds=2, name="other")
    one = run_study(CONFIG, run.data, seeds=2, name="one")
    compared = compare_studies([one, other])
    images = small_arrays(20, 2)[0]
    found = [
        *(study, other, compared, compared.pairs[0], run, run.data, *study.trials, *study.candidates, study.correct),
        mc_predict(run, images, jax.random.key(0), 10, keep_samples=True, check=False),
        Trial(CONFIG.updated({"model.units": (10,) * 200}), 42, {"model.units": (10,) * 200}),
        load_images("mnist", source="synthetic"),
    ]
    assert {type(of).__name__: len(repr(of)) for of in found if not 10 < len(repr(of)) <= LONGEST} == {}
    assert all("\n" not in repr(of) for of in found)
    assert len(repr(found)) <= LONGEST * len(found)
    assert repr(study).startswith("StudyResult(arrays study: 4 trials, 2 candidates, best mean test_accuracy=0.")
    assert repr(compared) == "Comparison(one, other on arrays: 1 of 1 pairs compared)"
