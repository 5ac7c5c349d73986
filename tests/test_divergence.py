"""Runs that diverged are counted wherever their study's figures stand, and make no candidate the best."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from small_data import SMALL, lean_compilation, small_dataset

from docs.pages import studies
from docs.pages.records import Records
from docs.publish import RECORDS, cifar_table, fashion_mnist_table
from jaxdeep.errors import JaxdeepWarning
from jaxdeep.report.learning_curves import ROLES, learning_curves
from jaxdeep.report.range_test import range_test_curves
from jaxdeep.report.rate_curves import rate_curves
from jaxdeep.report.tables import NO_BEST, runs_of, study_table
from jaxdeep.run.api import run_study
from jaxdeep.study.brackets import Bracket, successive_halving
from jaxdeep.study.halving import fit_by_halving
from jaxdeep.study.ranking import standing
from jaxdeep.study.result import FIGURES, StudyResult
from jaxdeep.study.runner import fit_all
from jaxdeep.study.stored import read_study
from jaxdeep.study.summarise import summarise
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord, has_diverged
from jaxdeep.train.lr_finder import RangeTest

RATE = "optim.learning_rate"
RESULTS = Path(__file__).parent.parent / "experiments" / "results"
IDENTITY = {
    "experiment": "cifar",
    "name": "selu",
    "config": SMALL.to_dict(),
    "seeds": [0, 1, 2],
    "data": {"name": "cifar10", "source": "classic files", "synthetic": False, "digest": "2c0c68dbd4e8e639"},
}


@pytest.fixture(scope="module")
def whole() -> Run:
    with lean_compilation():
        return fit(SMALL, small_dataset(SMALL), 0)


def at_once(run: Run) -> Run:
    """A run that diverged in its first epoch."""
    nan = dict.fromkeys(("val_loss", "val_accuracy", "test_loss", "test_accuracy"), math.nan)
    first = run.history[0]._replace(train_loss=math.nan, val_loss=math.nan)
    return replace(run, history=(first,), best_epoch=0, diverged=True, **nan)


def late(run: Run) -> Run:
    """A run that diverged after an epoch that it kept: its figures are finite, and lower than any other's."""
    last = run.history[1]._replace(val_loss=math.inf)
    return replace(run, history=(run.history[0], last), best_epoch=1, diverged=True, val_loss=1e-3, test_loss=1e-3)


def at_rate(rate: float, seed: int, fold: int | None = None) -> Trial:
    return Trial(replace(SMALL, optim=replace(SMALL.optim, learning_rate=rate)), seed, {RATE: rate}, fold)


def studied(of_points: Sequence[Sequence[Run]], rates: Sequence[float] = (0.1, 0.2, 0.3)) -> StudyResult:
    """A study with a point for each list of runs, of seeds 0, 1, ...; of one list, without points."""
    rates = rates if len(of_points) > 1 else (None,)
    trials = [
        Trial(SMALL, seed) if rate is None else at_rate(rate, seed)
        for rate, runs in zip(rates, of_points, strict=False)
        for seed in range(len(runs))
    ]
    runs = [run for of_point in of_points for run in of_point]
    varied = {"grid": {RATE: list(rates[: len(of_points)])}} if len(of_points) > 1 else {}
    return summarise(IDENTITY | varied, trials, dict(enumerate(runs)), command="python", wall_seconds=1.0)


def test_the_means_figures_stay_and_the_count_stands_beside_each(whole) -> None:
    result = studied([[whole, at_once(whole), late(whole)]])
    assert (result.diverged, result.to_json()["diverged"], result.left_out) == (2, 2, 1)
    assert {result.mean[name].diverged for name in FIGURES} == {2}
    assert result.mean["val_loss"].runs == 2  # those that have a figure, as ever
    assert result.mean["val_loss"].mean == pytest.approx((whole.val_loss + 1e-3) / 2)
    assert [trial.val_loss for trial in result.trials] == [whole.val_loss, None, 1e-3]
    without = studied([[whole, whole]])
    assert {without.diverged, *(without.mean[name].diverged for name in FIGURES)} == {0}


def test_a_single_configurations_mean_says_how_many_diverged(whole) -> None:
    *_, mean = study_table(studied([[whole, at_once(whole), late(whole)]])).splitlines()
    assert mean.strip().startswith("mean (2 of 3 diverged) ")
    *_, mean = study_table(studied([[whole, whole, whole]])).splitlines()
    assert mean.strip().startswith("mean  ")
    *_, mean = study_table(studied([[at_once(whole)] * 3])).splitlines()
    assert mean.split()[:5] == ["mean", "(3", "of", "3", "diverged)"]
    assert mean.split()[7:-1] == ["-"] * 4


def test_a_point_that_lost_a_seed_is_not_best_though_its_loss_is_the_lowest(whole) -> None:
    worse = replace(whole, val_loss=9.0)
    for lost in (at_once(whole), late(whole)):
        result = studied([[whole, whole, lost], [worse] * 3])
        assert [candidate.diverged for candidate in result.candidates] == [1, 0]
        assert result.best is result.candidates[1]
        _, _, first, second = study_table(result).splitlines()
        assert "3, 1 diverged " in first
        assert "*" not in first
        assert " 3 * " in second
        assert [runs_of(result, candidate) for candidate in result.candidates] == ["3, 1 diverged", "3"]
        assert runs_of(result) == "6, 1 diverged"


@pytest.mark.parametrize("lost", [1, 3])
def test_where_each_point_lost_a_seed_none_is_best_and_the_table_says_so(whole, lost: int) -> None:
    result = studied([[whole] * (3 - lost) + [at_once(whole)] * lost, [whole, late(whole), at_once(whole)]])
    assert result.best is None
    assert study_table(result).splitlines()[-1] == NO_BEST
    assert "*" not in study_table(result).replace(NO_BEST, "")


def test_in_a_study_of_folds_a_lost_fold_counts_like_a_lost_seed(whole) -> None:
    rates = (0.1, 0.2)
    trials = [at_rate(rate, 0, fold) for rate in rates for fold in range(3)]
    runs = [whole, whole, late(whole), *[replace(whole, val_loss=9.0)] * 3]
    identity = IDENTITY | {"grid": {RATE: list(rates)}, "folds": 3}
    result = summarise(identity, trials, dict(enumerate(runs)), command="python", wall_seconds=1.0)
    assert [candidate.diverged for candidate in result.candidates] == [1, 0]
    assert result.best is result.candidates[1]


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 9)), min_size=1, max_size=9))
def test_fewer_losses_rank_before_lower_ones(found: list[tuple[int, float]]) -> None:
    places = sorted(standing([loss] * (3 - lost), lost) for lost, loss in found)
    assert [place.diverged for place in places] == sorted(lost for lost, _ in found)
    assert places[0].may_be_best == any(lost == 0 for lost, _ in found)
    without_loss = [place.loss for place in places if not place.diverged]
    assert without_loss == sorted(without_loss)


def test_what_diverges_in_training_is_counted() -> None:
    """A real study: at the second rate, every run overflows at once."""
    rates, data = (3e-3, 1e30), small_dataset(SMALL)
    config = replace(SMALL, optim=replace(SMALL.optim, optimizer="sgd"), train=replace(SMALL.train, epochs=2))
    trials = [
        Trial(replace(config, optim=replace(config.optim, learning_rate=rate)), seed, {RATE: rate})
        for rate in rates
        for seed in (0, 1)
    ]
    told = r"^2 of 4 runs diverged, first optim\.learning_rate=1e\+30,seed 0 in epoch 1: a loss is not finite\. Lower "
    with lean_compilation(), pytest.warns(JaxdeepWarning, match=told) as warned:
        runs = fit_all(trials, data)
    assert [warning.filename for warning in warned] == [__file__]
    assert [has_diverged(run.history) for run in runs] == [run.diverged for run in runs] == [False, False, True, True]
    identity = IDENTITY | {"grid": {RATE: list(rates)}}
    result = summarise(identity, trials, dict(enumerate(runs)), command="python", wall_seconds=1.0)
    assert [candidate.diverged for candidate in result.candidates] == [0, 2]
    assert result.best is result.candidates[0]


# ---- pictures


@pytest.fixture
def drawn(monkeypatch, tmp_path) -> tuple[Path, list[Figure]]:
    """Where to save a picture, and what was saved."""
    figures: list[Figure] = []

    def keep(self: Figure, *_: object, format: str, **__: object) -> None:
        if format == "png":
            self.canvas.draw()
            figures.append(self)

    monkeypatch.setattr(Figure, "savefig", keep)
    return tmp_path / "picture.png", figures


def legend_of(figure: Figure) -> tuple[str, list[str]]:
    (legend,) = figure.legends
    return legend.get_title().get_text(), [text.get_text() for text in legend.get_texts()]


def named_in(figure: Figure) -> list[str]:
    """What the legend names beside the kinds of marks: runs, or candidates."""
    return [label for label in legend_of(figure)[1] if label not in ROLES.values()]


def crosses(figure: Figure) -> list[float]:
    """Where crosses stand on the x axis of the last panel."""
    lines = [line for line in figure.axes[-1].lines if line.get_marker() == "x"]
    return [float(x) for line in lines for x in line.get_xdata()]


def test_learning_curves_show_the_runs_that_diverged(whole, drawn) -> None:
    path, figures = drawn
    one, other, third = whole.history, late(whole).history, at_once(whole).history
    learning_curves(path, {"": {0: one, 1: other, 2: third}}, "by seed")
    learning_curves(path, {"": dict(enumerate([one, other, third, one, one]))}, "a band")
    learning_curves(path, {"wild": {0: third, 1: other}, "tame": {0: one, 1: one}}, "two")
    learning_curves(path, {"": {0: one, 1: one}}, "none")
    learning_curves(path, {"": {0: third, 1: third}}, "all")
    by_seed, band, two, none, everyone = map(named_in, figures)
    assert ROLES["diverged"] in legend_of(figures[0])[1]
    assert ROLES["diverged"] not in legend_of(figures[3])[1]
    assert by_seed == ["seed 0", "seed 1, diverged", "seed 2, diverged"]
    assert band == ["2 of 5 runs diverged"]  # of the mean nothing is left: one run diverged in its first epoch
    assert two == ["wild (2 of 2 diverged)", "tame"]
    assert none == ["seed 0", "seed 1"]
    assert everyone == ["seed 0, diverged", "seed 1, diverged"]
    assert [sorted(crosses(figure)) for figure in figures] == [[1, 2], [1, 2], [1, 2], [], [1, 1]]


def test_the_epoch_marked_as_best_is_one_that_was_kept(whole, drawn) -> None:
    """Its validation loss is the lowest, but its training loss is not finite."""
    path, figures = drawn
    first, last = whole.history[0], whole.history[1]._replace(train_loss=math.nan, val_loss=0.0)
    learning_curves(path, {"": {0: (first, last)}}, "one")
    (dot,) = [line for line in figures[0].axes[0].lines if line.get_gid() == "best"]
    assert dot.get_xdata() == [1]


@pytest.mark.parametrize("is_best_left", [True, False])
def test_rates_at_which_runs_diverged_are_drawn_as_such(whole, drawn, is_best_left: bool) -> None:
    path, figures = drawn
    last = [whole] * 3 if is_best_left else [whole, whole, late(whole)]
    result = studied([[whole, at_once(whole), late(whole)], [at_once(whole)] * 3, last])
    range_test = {"seeds": [0, 1, 2, 3, 4], "suggestion": 0.1, "without_suggestion": 2}
    rate_curves(path, replace(result, range_test=range_test), "rates")
    (axes,) = figures[0].axes
    _, labels = legend_of(figures[0])
    shares = ["2/3", "3/3"] + ([] if is_best_left else ["1/3"])
    assert [text.get_text() for text in axes.texts] == shares
    assert crosses(figures[0]) == [0.1, 0.2, 0.3][: len(shares)]
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert [line.get_xdata() for line in hollow] == [[0.1]] + ([] if is_best_left else [[0.3]])
    assert ("1/3: 1 of 3 runs diverged" in labels) == is_best_left
    assert ("1/3: 1 of 3 runs diverged (so that\nnone is best)" in labels) != is_best_left
    assert ("lowest val_loss" in labels) == is_best_left
    assert "finder: 1.0e-01\n(2 of 5 without)" in labels


def test_rates_without_divergence_are_drawn_without_a_word_of_it(whole, drawn) -> None:
    path, figures = drawn
    range_test = {"seeds": [0, 1], "suggestion": 0.1}
    rate_curves(path, replace(studied([[whole] * 3] * 2), range_test=range_test), "rates")
    _, labels = legend_of(figures[0])
    assert not any("diverged" in label for label in labels)
    assert "finder: 1.0e-01" in labels
    assert not figures[0].axes[0].texts


@pytest.mark.parametrize(
    ("suggestions", "title"),
    [
        ([1e-2, 1e-4], "suggested: 1.0e-03 in the mean"),
        ([1e-2, np.nan], "suggested: 1.0e-02 in the mean\n(1 of 2 seeds without)"),
        ([np.nan, np.nan], "no seed suggests a rate"),
    ],
)
def test_seeds_without_a_suggestion_are_counted_beside_the_mean(drawn, suggestions: list[float], title: str) -> None:
    path, figures = drawn
    losses = np.ones((2, 9))
    found = np.asarray(suggestions)
    range_test_curves(path, RangeTest((0, 1), np.geomspace(1e-5, 1, 9), losses, losses, found, found, "a rule"), "test")
    key, labels = legend_of(figures[0])
    assert title in (key, *labels)
    assert len([label for label in labels if "suggest" in label]) == (title in labels)


# ---- documents


def of_one(result: StudyResult) -> Records:
    """Records that hold this one, of the configuration `selu`."""

    class OfOne(Records):
        def studies(self, experiment: str, *, grids: bool = False) -> dict[str, StudyResult]:
            return {"selu": result}

    return OfOne(RECORDS.recipes, RECORDS.folder)


def test_the_documents_tables_count_what_diverged(whole) -> None:
    chapter = ({"val_loss": 1.0, "val_accuracy": 0.5, "source": "000"},)
    for runs, count in (([whole, late(whole), at_once(whole)], "3, 2 diverged"), ([whole] * 3, "3")):
        study = replace(studied([runs]), reported=chapter)
        for table in (cifar_table(of_one(study)), fashion_mnist_table(of_one(study))):
            assert table.splitlines()[2].split(" | ")[:2] == ["| `selu`", count]
        assert f" | {count} | " in studies.costs_table([study])


def test_a_configuration_that_diverged_wholly_is_a_row_without_figures(whole) -> None:
    chapter = ({"val_loss": 1.0, "val_accuracy": 0.5, "source": "000"},)
    study = replace(studied([[at_once(whole)] * 2]), reported=chapter)
    for table in (cifar_table(of_one(study)), fashion_mnist_table(of_one(study))):
        assert "| 2, 2 diverged |" in table
        assert "nan" not in table
        assert " - |" in table


@pytest.mark.parametrize("is_best_left", [True, False])
def test_the_page_of_studies_has_no_bold_row_that_lost_a_run(whole, is_best_left: bool) -> None:
    last = [replace(whole, val_loss=9.0)] * 2 if is_best_left else [at_once(whole), whole]
    found = {"seeds": [0, 1], "suggestion": 0.1, "without_suggestion": 1}
    study = replace(studied([[whole, late(whole)], last]), grid={RATE: (0.1, 0.2)}, range_test=found)
    text = "\n".join(studies.grid_section(study, "selu"))
    assert "| 0.1 | 2, 1 diverged |" in text
    assert ("| **0.2** | 2 |" in text) == is_best_left
    assert ("Bold: the lowest mean validation loss. " in text) == is_best_left
    assert ("None is bold: each lost a run (diverged). " in text) != is_best_left
    assert "The finder suggests 1.0e-01 (1 of its 2 seeds have no suggestion)." in text


def test_no_committed_record_has_a_run_that_diverged() -> None:
    """So that no figure of theirs depends on what is done with one."""
    found = list(map(read_study, RECORDS.summaries()))
    assert len(found) > 20
    assert sum(result.diverged for result in found) == 0


def test_a_history_has_diverged_if_any_loss_is_not_finite() -> None:
    fine = EpochRecord(1, 0.5, 0.5, 0.5, 0.5, 1e-3, 1.0)
    assert not has_diverged([])
    assert not has_diverged([fine, fine._replace(val_accuracy=math.nan)])
    for figure in ("train_loss", "val_loss"):
        for value in (math.nan, math.inf, -math.inf):
            assert has_diverged([fine, fine._replace(**{figure: value})])


def test_a_study_from_python_warns_once_with_the_count() -> None:
    config = SMALL.updated({"optim.optimizer": "sgd", "train.epochs": 2})
    with lean_compilation(), pytest.warns(JaxdeepWarning, match="^2 of 4 runs diverged") as warned:
        result = run_study(config, small_dataset(config), seeds=2, grid={RATE: [3e-3, 1e30]})
    assert (len(warned), warned[0].filename, result.diverged) == (1, __file__, 2)


def test_a_search_from_python_warns_once_with_the_count() -> None:
    config = SMALL.updated({"optim.optimizer": "sgd", "train.epochs": 3})
    trials = [Trial(config.updated({RATE: rate}), 0, {RATE: rate}) for rate in (3e-3, 1e-3, 1e30)]
    brackets = [Bracket(tuple(trial.candidate for trial in trials), successive_halving(3, 3))]
    with lean_compilation(), pytest.warns(JaxdeepWarning, match="^1 of 3 runs diverged") as warned:
        fit_by_halving(trials, small_dataset(config), brackets)
    assert [warning.filename for warning in warned] == [__file__]
