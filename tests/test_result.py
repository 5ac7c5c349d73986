"""Results go to JSON and come back as they were, those of version 0.1 too, and what is no result is refused."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs import publish
from jaxdeep.config import Config
from jaxdeep.errors import UserError
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.comparison import Comparison, FigureComparison, Losses, Pair
from jaxdeep.study.files import read_json
from jaxdeep.study.result import FIGURES, MEANS, SCHEMA_VERSION, StudyResult
from jaxdeep.study.stored import read_study
from jaxdeep.study.trial_result import Candidate, MeanFigure, TrialResult

RATE, UNITS = "optim.learning_rate", "model.units"
RECORDS = publish.RECORDS.summaries()

FINITE = st.floats(-1e6, 1e6)
FIGURE = st.none() | FINITE
INTERVAL = st.none() | st.tuples(FINITE, FINITE)
MEAN = st.builds(MeanFigure, FIGURE, FIGURE, FIGURE, FIGURE, st.integers(0, 9), INTERVAL, st.integers(0, 9))


def trials_of(values: Mapping[str, Any], fold: st.SearchStrategy[int | None]) -> st.SearchStrategy[TrialResult]:
    return st.builds(
        TrialResult,
        seed=st.integers(0, 2**32 - 1),
        fold=fold,
        values=st.just(values),
        best_epoch=st.integers(0, 9),
        epochs=st.integers(1, 9),
        **dict.fromkeys(FIGURES, FIGURE),
        seconds=FINITE,
        diverged=st.booleans(),
        checkpoint_seconds=FIGURE,
        highest_val_accuracy=FIGURE,
        val_accuracy_interval=INTERVAL,
        test_accuracy_interval=INTERVAL,
    )


def trial(seed: int = 1, loss: float | None = 1.0, *, diverged: bool = False, **values: Any) -> TrialResult:
    return TrialResult(
        seed=seed,
        fold=None,
        values=values,
        best_epoch=0 if loss is None else 1,
        epochs=2,
        val_loss=loss,
        val_accuracy=loss,
        test_loss=loss,
        test_accuracy=loss,
        seconds=1.0,
        diverged=diverged,
    )


def mean(loss: float | None, diverged: int = 0) -> dict[str, MeanFigure]:
    return dict.fromkeys(MEANS, MeanFigure(loss, None, None, None, 1, diverged=diverged))


PLAIN = StudyResult(
    experiment="cifar",
    name="selu",
    config=Config().to_dict(),
    seeds=(1, 2),
    data={"name": "cifar10", "source": "classic files", "synthetic": False, "digest": "2c0c68dbd4e8e639"},
    trials=(trial(1), trial(2, 3.0)),
    candidates=(Candidate({}, mean(2.0), 0),),
    parameters=7,
    command="python -m experiments.cifar --config selu --seeds 2",
    device="1 x cpu",
    versions={"jax": "0.10.2"},
)
GRID = replace(
    PLAIN,
    seeds=(1,),
    grid={RATE: [0.1, 0.2], UNITS: [[8, 8]]},
    trials=tuple(trial(1, rate, **{RATE: rate, UNITS: [8, 8]}) for rate in (0.1, 0.2)),
    candidates=tuple(Candidate({RATE: rate, UNITS: [8, 8]}, mean(rate), 0) for rate in (0.1, 0.2)),
)
FOLDS = replace(
    PLAIN, seeds=(1,), folds=2, trials=tuple(replace(trial(1, loss), fold=fold) for fold, loss in enumerate((1.0, 3.0)))
)
KINDS = {
    "plain": PLAIN,
    "of a grid": GRID,
    "of folds": FOLDS,
    "of samples": replace(GRID, grid={UNITS: [[8, 8]]}, space={RATE: "0.1:0.3"}, samples=2),
    "of halving": replace(GRID, halving="successive"),
    "with a range test": replace(GRID, range_test={"seeds": [1], "suggestion": None, "without_suggestion": 1}),
    "with uncertainty": replace(PLAIN, uncertainty={"mc_samples": 3, "ensemble": True, "left_out": {"mnist": "none"}}),
    "of a whole folder": replace(
        PLAIN, wall_seconds=9.5, compile_seconds=3.0, processor="a", commit="b", files={"hits.npz": "c"}
    ),
    "beside the chapter's": replace(PLAIN, reported=({"source": "000", "val_loss": 1.4, "test_loss": None},)),
    "without a command": replace(PLAIN, command=None),
}


def written(content: Mapping[str, Any]) -> dict[str, Any]:
    """What comes back from a file."""
    return json.loads(json.dumps(content, allow_nan=False))


# ---- there and back


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_comes_back_from_json(kind: str) -> None:
    result = KINDS[kind]
    content = result.to_json()
    assert StudyResult.from_json(written(content)) == result
    assert written(StudyResult.from_json(written(content)).to_json()) == written(content)


@given(
    trials=st.lists(trials_of({RATE: 0.1, UNITS: [8, 8]}, st.none() | st.integers(0, 9)), min_size=1, max_size=4),
    means=st.fixed_dictionaries(dict.fromkeys(MEANS, MEAN)),
    wall=FIGURE,
)
def test_whatever_its_figures_are_a_result_comes_back(trials, means, wall) -> None:
    lost = sum(of.diverged for of in trials)
    candidate = Candidate({RATE: 0.1, UNITS: [8, 8]}, means, lost)
    grid = {RATE: [0.1], UNITS: [[8, 8]]}
    result = replace(PLAIN, grid=grid, trials=tuple(trials), candidates=(candidate,), wall_seconds=wall)
    assert StudyResult.from_json(written(result.to_json())) == result


@given(trials_of({RATE: 0.1}, st.integers(0, 9)))
def test_a_trial_comes_back_and_keeps_its_name_group_and_key(row: TrialResult) -> None:
    found = TrialResult.from_json(written(row.to_json()))
    assert found == row
    assert found.name == f"{RATE}=0.1,seed_{row.seed},fold_{row.fold}"
    assert (found.candidate, found.key) == (f"{RATE}=0.1", f"{row.seed} fold {row.fold}")


def test_what_belongs_to_no_json_is_neither_written_nor_compared() -> None:
    with_more = replace(PLAIN, histories=((), ()), runs={})
    assert with_more == PLAIN
    assert with_more.to_json() == PLAIN.to_json()


def test_nan_is_refused_where_json_is_written_and_none_is_read_back() -> None:
    """A figure that is not finite is None from the first, so a NaN is a mistake that is seen."""
    lost = replace(
        PLAIN, trials=(trial(1, None, diverged=True), trial(2)), candidates=(Candidate({}, mean(1.0, 1), 1),)
    )
    assert "NaN" not in json.dumps(lost.to_json(), allow_nan=False)
    assert StudyResult.from_json(written(lost.to_json())).trials[0].val_loss is None
    with pytest.raises(ValueError, match="not JSON compliant"):
        written(replace(PLAIN, wall_seconds=math.nan).to_json())


# ---- the records of earlier versions


def without(content: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def holds(found: Any, record: Any) -> bool:
    """Whether a record is found again, digit by digit. What is found may have more keys."""
    if isinstance(record, dict):
        return all(name in found and holds(found[name], value) for name, value in record.items())
    if isinstance(record, list):
        return len(found) == len(record) and all(map(holds, found, record))
    return found == record and type(found) is type(record)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_figure_of_a_committed_record_is_what_it_was(path: Path) -> None:
    record = read_json(path)
    found = written(read_study(path).to_json())
    assert holds(found["runs"], record["runs"])
    for part in ("mean", "points"):
        assert (part in found) == (part in record)
        assert holds(found.get(part, {}), record.get(part, {}))
    assert holds(found, record)


def test_there_are_records_of_many_kinds() -> None:
    found = list(map(read_json, RECORDS))
    assert len(found) > 20
    for name in ("grid", "uncertainty", "range_test", "mean", "points"):
        assert any(name in record for record in found)


def test_what_version_0_1_did_not_write_is_none_or_counted() -> None:
    old = without(written(GRID.to_json()), "schema_version", "processor", "commit", "diverged", "command")
    old["runs"] = [without(row, "val_accuracy_interval", "test_accuracy_interval") for row in old["runs"]]
    old["runs"][1]["diverged"] = True
    old["points"] = [
        {
            "values": point["values"],
            "mean": {name: without(of, "bootstrap", "diverged") for name, of in point["mean"].items()},
        }
        for point in old["points"]
    ]
    found = StudyResult.from_json(old)
    assert (found.schema_version, found.processor, found.commit, found.command) == (0, None, None, None)
    assert found.trials[0].val_accuracy_interval is None
    assert [candidate.diverged for candidate in found.candidates] == [0, 1]
    assert [candidate.mean["val_loss"].diverged for candidate in found.candidates] == [0, 1]
    assert found.candidates[0].mean["val_loss"].bootstrap is None


# ---- what is refused


def refusal(content: Mapping[str, Any], kind: type[StudyResult] | type[Comparison] = StudyResult) -> str:
    with pytest.raises(UserError) as caught:
        kind.from_json(content)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, "2", None, 1.5])
def test_another_versions_schema_is_refused_by_its_number(version: Any) -> None:
    for result in (PLAIN, compared()):
        content = result.to_json() | {"schema_version": version}
        expected = f"it has schema_version {version}. Read it with a later version of jaxdeep"
        assert refusal(content, type(result)) == expected


TITLE = ("experiment", "name", "config", "seeds", "data", "chapter")
NEEDED = (*TITLE, "runs", "mean", "parameters", "device", "versions")


@pytest.mark.parametrize("name", NEEDED)
def test_a_summary_that_lacks_something_is_refused_in_a_line(name: str) -> None:
    content = written(PLAIN.to_json())
    assert refusal(without(content, name)).startswith("it is no summary of a study (")
    assert refusal(content | {name: None}).startswith("it is no summary of a study (")


@pytest.mark.parametrize("name", ["seed", "epochs", "best_epoch", "diverged", "seconds", *FIGURES])
def test_a_trial_that_lacks_something_is_refused_in_a_line(name: str) -> None:
    content = written(PLAIN.to_json())
    rows = [without(content["runs"][0], name), *content["runs"][1:]]
    assert refusal(content | {"runs": rows}).startswith("it is no summary of a study (")


@pytest.mark.parametrize("content", [{}, {"runs": []}, {"runs": 3}, {"runs": [3]}, {"runs": {}}, {"points": []}])
def test_what_is_no_summary_is_refused_in_a_line(content: dict[str, Any]) -> None:
    assert refusal(content).startswith("it is no summary of a study (")
    assert refusal(content, Comparison).startswith("it is no comparison of studies (")


def test_a_file_that_is_refused_is_named(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    for content in ("{}", "[]", "{", '{"schema_version": 9}'):
        path.write_text(content)
        with pytest.raises(UserError) as caught:
            read_study(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


# ---- what is asked of a result


def test_the_best_has_the_lowest_mean_loss_of_those_that_lost_no_trial() -> None:
    def best_of(losses: Mapping[float, float | None], lost: tuple[float, ...] = ()) -> Any:
        result = replace(
            GRID,
            grid={RATE: list(losses)},
            trials=tuple(trial(1, loss, diverged=rate in lost, **{RATE: rate}) for rate, loss in losses.items()),
            candidates=tuple(Candidate({RATE: rate}, mean(loss), int(rate in lost)) for rate, loss in losses.items()),
        )
        return None if result.best is None else result.best.values[RATE]

    assert best_of({0.1: 3.0, 0.2: 1.0, 0.3: 2.0}) == 0.2
    assert best_of({0.1: 3.0, 0.2: 1.0, 0.3: 2.0}, lost=(0.2,)) == 0.3
    assert best_of({0.1: 3.0, 0.2: None}, lost=(0.2,)) == 0.1
    assert best_of({0.1: 3.0, 0.2: 1.0}, lost=(0.1, 0.2)) is None
    assert best_of({0.1: 1.0, 0.2: 1.0}) == 0.1
    assert PLAIN.best is PLAIN.candidates[0]


@pytest.mark.parametrize("result", [GRID, PLAIN, FOLDS], ids=["grid", "plain", "folds"])
def test_every_trial_is_of_one_candidate(result: StudyResult) -> None:
    of_candidates = [result.trials_of(candidate) for candidate in result.candidates]
    assert sorted((of for rows in of_candidates for of in rows), key=result.trials.index) == list(result.trials)
    assert sum(map(len, of_candidates)) == len(result.trials)


def test_candidates_are_told_apart_by_all_their_values_lists_too() -> None:
    values = [{RATE: rate, UNITS: units} for rate in (0.1, 0.2) for units in ([8, 8], [6])]
    result = replace(
        GRID,
        trials=tuple(trial(seed, 1.0, **of) for of in values for seed in (1, 2)),
        candidates=tuple(Candidate(of, mean(1.0), 0) for of in values),
    )
    for of in (result, StudyResult.from_json(written(result.to_json()))):
        assert [[row.seed for row in of.trials_of(candidate)] for candidate in of.candidates] == [[1, 2]] * 4
        assert [[row.values for row in of.trials_of(candidate)] for candidate in of.candidates] == [
            [candidate.values] * 2 for candidate in of.candidates
        ]


def test_the_mean_is_that_of_the_only_candidate() -> None:
    assert PLAIN.mean["val_loss"].mean == 2.0
    with pytest.raises(UserError, match=r"the study has 2 candidates\. Take"):
        _ = GRID.mean


def test_the_identity_names_what_is_given_of_the_design_and_no_figure() -> None:
    common = {"experiment", "name", "config", "seeds", "data"}
    assert PLAIN.identity().keys() == common
    assert GRID.identity().keys() == common | {"grid"}
    assert FOLDS.identity().keys() == common | {"folds"}
    assert KINDS["of samples"].identity().keys() == common | {"grid", "space", "samples"}
    assert KINDS["of halving"].identity()["halving"] == "successive"
    for result in KINDS.values():
        assert StudyResult.from_json(written(result.to_json())).identity() == result.identity()
        assert written(result.identity()) == result.identity()
        other = replace(result, wall_seconds=1.0, command=None, commit="other", trials=result.trials[:1])
        assert other.identity() == result.identity()


def test_trials_that_diverged_are_counted() -> None:
    rows = (trial(1), trial(2, None, diverged=True), trial(3, 1.0, diverged=True))
    result = replace(PLAIN, trials=rows)
    assert (result.diverged, result.left_out) == (2, 1)
    assert repr(result) == "StudyResult(cifar selu: 3 trials, 2 diverged)"


# ---- comparisons


def compared(**figure: Any) -> Comparison:
    """A comparison of two studies, one figure of which is as given."""
    found = FigureComparison(**{"verdict": "better", "pairs": 2, "difference": 0.5, "p_value": 0.01, **figure})
    losses = {"one": Losses(2, 1, 0), "other": Losses(2, 0, 0)}
    pair = Pair("one", "other", None, {RATE: [0.1, 0.2]}, losses, dict.fromkeys(FIGURES, found))
    means = {study: {name: mean(1.0)[name] for name in FIGURES} for study in ("one", "other")}
    return Comparison(("one", "other"), dict(PLAIN.data), means, losses, (pair,))


@pytest.mark.parametrize("answer", [None, "different", "equivalent", "undecided"])
def test_a_comparison_comes_back_from_json_with_its_answers(answer: Any) -> None:
    comparison = compared(answer=answer)
    content = written(comparison.to_json())
    assert Comparison.from_json(content) == comparison
    assert {of["answer"] for of in content["pairs"][0]["figures"].values()} == {answer}
    assert content["schema_version"] == SCHEMA_VERSION


@given(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("low", "high", "low_corrected", "high_corrected", "p_corrected"), FIGURE),
            **dict.fromkeys(("p_equivalence", "smallest_effect", "detectable"), FIGURE),
            **dict.fromkeys(("comparisons", "rows"), st.none() | st.integers(1, 10_000)),
            "more": st.none() | st.sampled_from(["seeds", "rows"]),
            "chose_epoch": st.booleans(),
        }
    )
)
def test_whatever_its_figures_are_a_comparison_comes_back(figure) -> None:
    comparison = compared(**figure)
    content = written(comparison.to_json())
    assert Comparison.from_json(content) == comparison
    for of in content["pairs"][0]["figures"].values():
        assert {name: of[name] for name in figure} == figure
        assert of.keys().isdisjoint({"p_holm", "pairs_to_tell"})


def test_a_comparison_of_version_0_1_has_no_answers() -> None:
    content = written(compared(answer="different").to_json())
    del content["schema_version"]
    for of in content["pairs"][0]["figures"].values():
        for name in of.keys() - {"verdict", "pairs", "difference", "low", "high", "p_value"}:
            del of[name]
        of |= {"verdict": "not distinguishable", "p_holm": 0.08, "pairs_to_tell": 12}
    found = Comparison.from_json(content)
    assert found.schema_version == 0
    old = FigureComparison("not distinguishable", 2, 0.5, None, None, 0.01)
    assert list(found.pairs[0].figures.values()) == [old] * len(FIGURES)
    assert (old.answer, old.p_corrected, old.comparisons, old.chose_epoch) == (None, None, None, False)
    assert old.is_compared


@pytest.mark.parametrize("name", ["names", "data", "means", "pairs"])
def test_a_comparison_that_lacks_something_is_refused_in_a_line(name: str) -> None:
    content = written(compared().to_json())
    assert refusal(without(content, name), Comparison).startswith("it is no comparison of studies (")


def test_a_committed_record_without_its_rows_is_not_compared() -> None:
    with pytest.raises(UserError, match=r"holds no rows that are classified correctly\. Read it with its hits\.npz"):
        compare_studies([PLAIN, replace(PLAIN, name="other")])
