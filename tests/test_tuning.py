"""Tuning: the ladder of learning rates, the budget, the regrets, and the whole from Python."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from small_data import SMALL, lean_compilation, small_dataset

import jaxdeep.run.rate_search
from jaxdeep import Budget, Dataset, StudyResult, Tuning, TuningResult, UserError, compare_studies, table, tune
from jaxdeep.report.tuning_text import budget_line, edge_lines, rate_text, regret_rows, tuning_rows, tuning_text
from jaxdeep.run.rate_search import SEARCH
from jaxdeep.study.budget import SEEDS_APART
from jaxdeep.study.ladder import best_rung, first_rungs, is_bracketed, nearest_rung, next_rung, rate_of
from jaxdeep.study.ranking import Standing
from jaxdeep.study.tuned import RATE, TriedRate, Tuned

DATA = {"name": "arrays", "source": "arrays", "synthetic": False, "digest": "0"}


@pytest.fixture(scope="module", autouse=True)
def lean():
    """Compile quickly, and draw nothing: the pictures would take most of the time."""
    with lean_compilation(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda self, file, **_: file.write(b"a picture"))
        yield


@pytest.mark.parametrize(
    ("rate", "nearest"),
    [
        (1e-4, 1e-4),
        (1.7e-4, 1e-4),
        (1.8e-4, 3e-4),
        (5e-4, 3e-4),
        (5.5e-4, 1e-3),
        (0.042, 0.03),
        (1.0, 1.0),
        (9.0, 10.0),
    ],
)
def test_a_rate_is_snapped_by_its_ratio_to_the_rungs(rate: float, nearest: float) -> None:
    assert rate_of(nearest_rung(rate)) == nearest


def test_the_rungs_are_half_decades_that_are_found_again() -> None:
    rates = [rate_of(rung) for rung in range(-12, 4)]
    assert rates[:4] == [1e-6, 3e-6, 1e-5, 3e-5]
    assert rates[-4:] == [1.0, 3.0, 10.0, 30.0]
    assert [nearest_rung(rate) for rate in rates] == list(range(-12, 4))


def test_a_ladder_stays_within_float32() -> None:
    for extreme in (1e-38, 3e38):
        rates = [rate_of(nearest_rung(extreme) + step) for step in (-30, 30)]
        assert all(0 < np.float32(rate) < np.inf for rate in rates)


def losses(*values: float | None, first: int = 0) -> dict[int, Standing]:
    """Standings of neighbouring rungs. None stands for a rung that lost a trial."""
    return {
        first + index: Standing(1, 0.1) if value is None else Standing(0, value) for index, value in enumerate(values)
    }


@pytest.mark.parametrize(
    ("tried", "best", "following"),
    [
        (losses(0.5, 0.4, 0.6), 1, -1),
        (losses(0.6, 0.4, 0.5), 1, 3),
        (losses(0.5, 0.4, 0.5), 1, -1),
        (losses(0.3, 0.4, 0.5), 0, -1),
        (losses(0.5, 0.4, 0.3), 2, 3),
        (losses(0.5, 0.4, None), 1, -1),
        (losses(None, 0.4, 0.9), 1, 3),
        (losses(None, None, None), 0, -1),
        (losses(0.9, 0.5, 0.4, 0.45, 0.7), 2, 5),
        (losses(0.9, 0.45, 0.4, 0.5, 0.7, first=-5), -3, -6),
        ({0: Standing(2, 0.1), 1: Standing(1, 0.9), 2: Standing(3, np.inf)}, 1, -1),
    ],
)
def test_the_next_rung_lies_beyond_the_better_side(tried: dict[int, Standing], best: int, following: int) -> None:
    assert best_rung(tried) == best
    assert next_rung(tried) == following
    assert is_bracketed(tried) == (min(tried) < best < max(tried))


@pytest.mark.parametrize("lowest", [-20, -9, -6, 0, 15])
@pytest.mark.parametrize("rates", [3, 4, 7])
def test_a_search_has_no_gap_no_repetition_and_its_exact_number_of_rates(lowest: int, rates: int) -> None:
    tried = list(first_rungs(-6))
    while len(tried) < rates:
        tried.append(next_rung({rung: Standing(0, abs(rung - lowest)) for rung in tried}))
    assert len(set(tried)) == rates
    assert sorted(tried) == list(range(min(tried), max(tried) + 1))
    assert (lowest in tried) == (abs(lowest + 6) <= 1 + rates - 3)


@pytest.mark.parametrize("seeds", [(42,), range(42, 52), range(7, 7 + SEEDS_APART)])
def test_the_seeds_of_a_search_are_never_fresh_and_do_not_depend_on_their_number(seeds) -> None:
    found = Budget(seeds=5).search_seeds(seeds)
    assert not set(found) & set(seeds)
    assert found == Budget(seeds=5).search_seeds(seeds[:1])
    assert found[:3] == Budget().search_seeds(seeds)


def test_seeds_that_would_overlap_or_exceed_the_largest_are_refused() -> None:
    with pytest.raises(UserError, match=r"seed 10002 is a fresh seed and one of the search.*Give 10,000 fresh"):
        Budget().search_seeds((1, 10_002))
    with pytest.raises(UserError, match=r"the seeds of the search begin at 4294977285: .*Allowed"):
        Budget().search_seeds((2**32 - 11,))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rates": 2}, "rates is 2. Allowed: 3 or more."),
        ({"rates": 31}, r"rates is 31. Allowed: a whole number in 3 .. 30"),
        ({"seeds": 0}, "seeds is 0. Allowed: 1 or more."),
        ({"epochs": 0}, "epochs is 0. Allowed: 1 or more."),
        ({"rates": "5"}, "rates is '5'. Allowed: "),
    ],
)
def test_a_budget_out_of_its_range_is_refused(values, message) -> None:
    with pytest.raises(UserError, match=message):
        Budget(**values)


def test_epochs_of_a_budget_are_never_more_than_the_configuration_has() -> None:
    assert [Budget(epochs=epochs).epochs_of(15) for epochs in (None, 10, 15, 100)] == [15, 10, 15, 15]


def tried(rate: float, loss, accuracy, *, searched: bool = True) -> TriedRate:
    diverged = tuple(value is None for value in loss)
    return TriedRate(rate, searched, tuple(loss), tuple(accuracy), (4,) * len(loss), diverged)


def tuned(name: str, best: float, rates: tuple[TriedRate, ...], *, optimizer="nadam", kind="constant") -> Tuned:
    config = {"optim": {"optimizer": optimizer, "learning_rate": 0.01}, "schedule": {"kind": kind}}
    return Tuned(name, config, 0.01, None, (None, None), 0.01, "own rate", 4, rates, best, name == "a", None, "train")


@pytest.fixture
def tuning() -> Tuning:
    rates = (
        tried(0.003, (0.9, 0.7), (0.5, 0.6)),
        tried(0.01, (0.5, 0.3), (0.7, 0.9)),
        tried(0.03, (1.0, None), (0.4, None)),
    )
    other = (*rates[:2], tried(0.03, (0.1, 0.1), (0.95, 0.95)), tried(0.1, (None, None), (None, None), searched=False))
    return Tuning(
        "cifar",
        DATA,
        Budget(rates=3, seeds=2),
        (10_042, 10_043),
        (42, 43),
        (
            tuned("a", 0.01, rates),
            tuned("b", 0.03, other),
            tuned("c", 0.1, other, optimizer="sgd"),
            tuned("d", 0.1, other, kind="onecycle"),
        ),
    )


def test_a_regret_is_what_is_lost_at_another_rate(tuning: Tuning) -> None:
    regret = tuning.regret("b", "a")
    assert regret is not None
    assert regret.val_accuracy == pytest.approx((0.25, 0.05))
    assert regret.mean == pytest.approx(0.15)
    assert regret.val_loss == pytest.approx((0.4, 0.2))
    assert regret.mean_loss == pytest.approx(0.3)
    assert (regret.rate, regret.diverged) == (0.01, 0)


def test_a_regret_counts_the_seeds_that_diverged(tuning: Tuning) -> None:
    regret = tuning.regret("a", "b")
    assert regret is not None
    assert regret.val_accuracy == (pytest.approx(0.3), None)
    assert (regret.mean, regret.diverged) == (pytest.approx(0.3), 1)


def test_rates_of_other_optimizers_and_schedules_have_no_regret(tuning: Tuning) -> None:
    pairs = [pair for pair in itertools.permutations("abcd", 2) if tuning.regret(*pair) is not None]
    assert pairs == [("a", "b"), ("b", "a")]
    assert [(regret.name, regret.other) for regret in tuning.regrets] == pairs


def test_the_text_of_a_tuning(tuning: Tuning) -> None:
    text = tuning_text(tuning, 80).splitlines()
    assert text[0] == budget_line(tuning) == ("budget: 3 rates x 2 seeds x at most 4 epochs each, then 2 fresh seeds")
    assert all(len(line) <= 80 for line in text if not line.startswith("warning"))
    assert tuning_rows(tuning)[1] == ("a", "1e-02", "-", "3e-03 - 3e-02", "1e-02", "24")
    assert tuning_rows(tuning)[2][4] == "3e-02, edge"
    assert tuning_rows(tuning)[3][4] == "1e-01, edge, 2 diverged"
    assert edge_lines(tuning) == [
        "warning: the best rates of b, c, d lie at the edge of the rates tried. Try more than 3 rates."
    ]
    assert regret_rows(tuning)[:3] == [
        ("", "a 1e-02", "b 3e-02", "c 1e-01", "d 1e-01"),
        ("a", "", "+30.00, 1 diverged", "-", "-"),
        ("b", "+15.00", "", "-", "-"),
    ]


def test_a_tuning_is_read_as_it_was_written(tuning: Tuning) -> None:
    content = json.loads(json.dumps(tuning.to_json(), allow_nan=False))
    assert Tuning.from_json(content) == tuning
    assert content["configurations"][0]["own_regret"]["mean_val_accuracy"] == 0
    assert content["configurations"][0]["rates"][2]["runs_diverged"] == 1
    assert content["configurations"][1]["epochs_spent"] == 24
    for damage in ({"budget": {"rates": 1}}, {"configurations": [{}]}, {"schema_version": 99}):
        with pytest.raises(UserError):
            Tuning.from_json({**content, **damage})
    with pytest.raises(UserError, match=r"it is no tuning of configurations \(no 'budget'\)"):
        Tuning.from_json({})


def test_rates_are_shown_with_their_digits() -> None:
    assert [rate_text(rate) for rate in (1e-4, 7.25e-4, 0.0123456)] == ["1e-04", "7.25e-04", "1.2e-02"]


CONFIG = SMALL.updated({"model.units": (8,), "train.epochs": 2})
WIDER = CONFIG.updated({"model.batch_norm": True, "optim.learning_rate": 0.03})
BUDGET = Budget(rates=4, seeds=2, epochs=1)


def figures(result: TuningResult) -> list[Tuned]:
    return [replace(found, wall_seconds=None) for found in result.tuning.configurations]


@pytest.fixture(scope="module")
def pair():
    data = small_dataset(CONFIG)
    return {"plain": (CONFIG, data), "bn": (WIDER, data)}


@pytest.fixture(scope="module")
def kept(pair, tmp_path_factory) -> tuple[TuningResult, Path]:
    folder = tmp_path_factory.mktemp("kept") / "tuned"
    return tune(pair, seeds=2, budget=BUDGET, folder=folder), folder


def test_every_configuration_gets_the_same_budget_and_fresh_seeds(kept) -> None:
    result, folder = kept
    assert [[len(found.searched), found.epochs, found.epochs_spent] for found in result.tuning.configurations] == [
        [4, 1, 8]
    ] * 2
    assert (result.tuning.search_seeds, result.tuning.fresh_seeds) == ((10_042, 10_043), (42, 43))
    for name, rate in result.tuning.best_rates.items():
        study = result.studies[name]
        assert study.config["optim"]["learning_rate"] == rate
        assert (study.seeds, study.config["train"]["epochs"]) == ((42, 43), 2)
    for found in result.tuning.configurations:
        search = json.loads((folder / found.name / SEARCH / "summary.json").read_text())
        by_rate = {point["values"][RATE]: point["mean"]["val_loss"]["mean"] for point in search["points"]}
        searched = {tried.rate: by_rate[tried.rate] for tried in found.searched}
        assert found.best_rate == min(searched, key=lambda rate: searched[rate])
        assert set(by_rate) == {tried.rate for tried in found.rates} >= set(result.tuning.best_rates.values())
        assert search["range_test"]["seeds"] == [10_042, 10_043]
    assert Tuning.from_json(json.loads((folder / "tune.json").read_text())) == result.tuning
    assert table(result) == tuning_text(result.tuning)
    assert table(compare_studies(list(result.studies.values())))


def test_a_tuning_in_memory_has_the_same_figures(pair, kept) -> None:
    result = tune(pair, seeds=2, budget=BUDGET, verbose=False)
    assert figures(result) == figures(kept[0])


def test_more_fresh_seeds_train_no_search_again(pair, kept, monkeypatch) -> None:
    before, folder = kept
    times = {path: path.stat().st_mtime_ns for path in folder.glob(f"*/{SEARCH}/summary.json")}
    monkeypatch.setattr(jaxdeep.run.rate_search, "find_learning_rate", None)
    result = tune(pair, seeds=3, budget=BUDGET, folder=folder)
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert figures(result) == figures(before)
    assert result.studies["bn"].seeds == (42, 43, 44)
    assert [trial.test_loss for trial in result.studies["bn"].trials[:2]] == [
        trial.test_loss for trial in before.studies["bn"].trials
    ]


def test_a_smaller_budget_of_rates_and_another_partner_take_a_part_of_the_search(pair, kept) -> None:
    _, folder = kept
    result = tune({"bn": pair["bn"]}, seeds=2, budget=replace(BUDGET, rates=3), folder=folder)
    (found,) = result.tuning.configurations
    (before,) = (one for one in kept[0].tuning.configurations if one.name == "bn")
    assert len(found.rates) == 3
    assert set(found.rates) <= {replace(tried, is_searched=True) for tried in before.rates}


class Killed(BaseException):
    """An end that nothing catches."""


@pytest.mark.parametrize("call", [1, 4, 6])
def test_a_tuning_goes_on_where_it_was_stopped(pair, kept, tmp_path, monkeypatch, call: int) -> None:
    train, calls = jaxdeep.run.rate_search.run_design, itertools.count(1)

    def stop(*args, **kwargs) -> StudyResult:
        result = train(*args, **kwargs)
        if next(calls) == call:
            raise Killed
        return result

    with monkeypatch.context() as patch:
        patch.setattr(jaxdeep.run.rate_search, "run_design", stop)
        try:
            tune(pair, seeds=2, budget=BUDGET, folder=tmp_path)
        except Killed:
            assert not (tmp_path / "tune.json").exists()
    assert figures(tune(pair, seeds=2, budget=BUDGET, folder=tmp_path)) == figures(kept[0])


def test_own_rate_is_the_centre_if_the_range_test_suggests_nothing(pair, monkeypatch) -> None:
    find = jaxdeep.run.rate_search.find_learning_rate

    def nothing(*args):
        test = find(*args)
        return test._replace(suggestions=np.full(len(test.seeds), np.nan))

    monkeypatch.setattr(jaxdeep.run.rate_search, "find_learning_rate", nothing)
    result = tune({"bn": pair["bn"]}, seeds=1, budget=Budget(rates=3, seeds=1, epochs=1))
    (found,) = result.tuning.configurations
    assert (found.suggestion, found.suggestions, found.centre_from) == (None, (None,), "own rate")
    assert found.centre == found.own_rate == 0.03
    assert [tried.rate for tried in found.rates] == [0.01, 0.03, 0.1]


def test_what_cannot_be_tuned_is_refused(pair) -> None:
    config, data = pair["plain"]
    for studies, message in (
        ({}, "one or more configurations by name"),
        ([], "a dictionary such as"),
        ({"a": config}, r"studies\['a'\] is .* Allowed: a Config and a Dataset"),
        ({"a/b": (config, data)}, "a name without / and"),
    ):
        with pytest.raises(UserError, match=message):
            tune(studies)
    with pytest.raises(UserError, match=r"budget is 3. Allowed: a Budget"):
        tune(pair, budget=3)
    pixels = np.broadcast_to(np.arange(200, dtype=np.uint8)[:, None, None, None], (200, 6, 6, 1))
    rows = Dataset.from_arrays(pixels, np.arange(200) % 4, data=config.data)
    with pytest.raises(UserError, match=r"are given 2 different sets of rows. Give all the same rows."):
        tune({"a": (config, data), "b": (config, rows)})
