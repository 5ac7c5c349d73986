"""Paired comparisons of finished studies. `jaxdeep.report.comparison_text` puts them in words."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Final

from jaxdeep.analysis.differences import Difference, by_fold, paired, paired_correct
from jaxdeep.analysis.evidence import SMALLEST_EFFECT, judge
from jaxdeep.config import differences
from jaxdeep.config.choices import check
from jaxdeep.config.identity import comparable
from jaxdeep.config.values import shown
from jaxdeep.errors import UserError
from jaxdeep.study.comparison import (
    BETTER,
    IDENTICAL,
    NOT_COMPARED,
    WORSE,
    Comparison,
    FigureComparison,
    Losses,
    Pair,
)
from jaxdeep.study.reported import on_test_rows
from jaxdeep.study.result import FIGURES, StudyResult

PARTS_OF_ROWS: Final = {"val_accuracy": "valid", "test_accuracy": "test"}
"""Figures that are compared row by row, with the part of `Correct` that holds these rows."""
Key = tuple[int, int | None]
"""Seed and fold of a trial. The fold is None without cross-validation."""


def compare_studies(
    studies: Sequence[StudyResult],
    names: Sequence[str] | None = None,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    smallest_effect: float = SMALLEST_EFFECT,
) -> Comparison:
    """Compare studies in pairs, over common seeds and common rows.

    A verdict is about the two recipes as wholes: all fields in which they differ. It holds for networks that are
    trained on these training rows.

    Accuracies are compared over seeds and rows (`paired_correct`). Losses are compared over seeds (`paired`). So are
    all figures of a cross-validation, after the seeds of a fold are averaged. So are accuracies of validation rows that
    each seed draws anew. Such trials share most of their training rows, which the variance allows for.

    Intervals and p-values of a figure are corrected for the number of compared pairs (Bonferroni). A pair that is equal
    in every trial does not count. The answer is "different", "equivalent" or "undecided" (`judge`).

    A trial that diverged before its first usable epoch counts for neither study of a pair. The pair holds the number of
    such trials. If fewer than two common trials are left, the verdict is "not compared" and the figures are None.

    Args:
        studies: Two or more results on the same rows, each of one configuration. They hold the correctly classified
            rows of each trial.
        names: Name of each study. None takes the names of their configurations.
        pairs: Names of the studies of each pair. None compares every study with every other study. Fewer pairs need a
            smaller correction. Choose them before you know the figures.
        smallest_effect: Smallest effect of interest, above 0. The default is half a point of accuracy, or 0.005 nats of
            loss.

    Returns:
        Means of each study, and the comparison of each pair.

    Raises:
        UserError: The rows differ, two studies have fewer than two common seeds or the same name, a study varies a
            field, a pair names no two studies, or the smallest effect is not above 0.
    """
    is_size = isinstance(smallest_effect, Real) and 0 < smallest_effect < float("inf")
    check("smallest_effect", smallest_effect, is_size, "a number above 0")
    smallest_effect = float(smallest_effect)
    if names is not None:
        studies = [replace(study, name=name) for study, name in zip(studies, names, strict=True)]
    _check(studies)
    chosen = _pairs(studies, pairs)
    figures: list[dict[str, FigureComparison]] = [{} for _ in chosen]
    for figure in FIGURES:
        compared = [_compared(*pair, figure) for pair in chosen]
        tested = sum(difference is not None and not difference.is_identity for difference, _ in compared)
        for by_figure, pair, (difference, common) in zip(figures, chosen, compared, strict=True):
            by_figure[figure] = _with_verdict(pair, figure, difference, common, tested, smallest_effect)
    return Comparison(
        names=tuple(study.name for study in studies),
        data=dict(studies[0].data),
        means={study.name: {name: study.mean[name] for name in FIGURES} for study in studies},
        diverged={study.name: _losses(study) for study in studies},
        pairs=tuple(
            Pair(
                first.name,
                second.name,
                studies[0].folds,
                differing_fields(first.config, second.config),
                {study.name: _losses(study) for study in (first, second)},
                by_figure,
            )
            for (first, second), by_figure in zip(chosen, figures, strict=True)
        ),
        metric=studies[0].metric,
    )


def differing_fields(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the fields in which two configurations differ.

    Args:
        one: First configuration as JSON values, as in summary.json. A field that an earlier version lacked has its
            default.
        other: Second configuration as JSON values, as in summary.json.

    Returns:
        Both values of each differing field by dotted name.
    """
    complete = [comparable({"config": config})["config"] for config in (one, other)]
    return {name: list(values) for name, values in differences(*complete).items()}


def _pairs(
    studies: Sequence[StudyResult], pairs: Sequence[tuple[str, str]] | None
) -> list[tuple[StudyResult, StudyResult]]:
    """Return the studies of each pair."""
    if pairs is None:
        return list(itertools.combinations(studies, 2))
    by_name = {study.name: study for study in studies}
    for pair in pairs:
        if len(pair) != 2 or pair[0] == pair[1] or not {*pair} <= by_name.keys():
            raise UserError(f"pairs has {shown(pair)}. Give two different names of {', '.join(by_name)}.")
    check("pairs", pairs, len(pairs) > 0, "one or more pairs of names, or None")
    return [(by_name[first], by_name[second]) for first, second in pairs]


def _check(studies: Sequence[StudyResult]) -> None:
    first, names = studies[0], [study.name for study in studies]
    if len(studies) < 2 or len(set(names)) < len(names):
        raise UserError(f"{len(studies)} studies named {', '.join(names)}. Give two or more, each with its own name.")
    for study in studies:
        if study.varied:
            raise UserError(
                f"{study.name} varies {', '.join(study.varied)}. Compare studies of one configuration each."
            )
        if study.correct is None:
            raise UserError(f"{study.name} holds no rows that are classified correctly. Read it with its hits.npz.")
        if (first_rows := _rows(first)) != (rows := _rows(study)):
            raise UserError(
                f"{first.name} and {study.name} were run on different images: {first_rows} and {rows}. "
                "Compare studies on the same rows."
            )


def _losses(study: StudyResult) -> Losses:
    return Losses(len(study.trials), study.diverged, study.left_out)


def _rows(study: StudyResult) -> dict[str, Any]:
    """Return the identity of the rows that a study used. The first seed deals the folds."""
    assert study.correct is not None
    sizes = {part: getattr(study.correct, part).shape[1] for part in PARTS_OF_ROWS.values()}
    dealt = {"folds": study.folds, "dealt by seed": study.seeds[0]} if study.folds else {}
    resampled = {"resampled": True} if _is_resampled(study) else {}
    return {"digest": study.data["digest"], **sizes, **dealt, **resampled, **_chosen(study)}


def _chosen(study: StudyResult) -> dict[str, Any]:
    """Return the fields that choose the validation and the test rows. Training rows may differ."""
    data = comparable({"config": study.config})["config"]["data"]
    classes = {"classes": list(data["classes"])} if data["classes"] else {}
    drawn = {} if data["valid_per_class"] is None else {"validation draw": data["draw"]}
    return {**classes, **drawn, **({"validated on": "test rows"} if data["validate_on_test"] else {})}


def _common(first: StudyResult, second: StudyResult, figure: str) -> list[Key]:
    """Return the seeds and folds with which both studies have a figure. Diverged trials have none."""
    indices = [_keys(study) for study in (first, second)]
    if (count := len(indices[0].keys() & indices[1].keys())) < 2:
        raise UserError(f"{first.name} and {second.name} have {count} seeds in common. Give 2 or more common seeds.")
    return [
        key
        for key in indices[0]
        if all(
            key in by_key and getattr(study.trials[by_key[key]], figure) is not None
            for by_key, study in zip(indices, (first, second), strict=True)
        )
    ]


def _compared(first: StudyResult, second: StudyResult, figure: str) -> tuple[Difference | None, Sequence[Key]]:
    """Return the difference of a figure and the common trials. It is None if fewer than two are common."""
    common = _common(first, second, figure)
    if len(common) < 2:
        return None, common
    indices = [[by_key[key] for key in common] for by_key in map(_keys, (first, second))]
    pairs = list(zip((first, second), indices, strict=True))
    overlap = first.overlap
    if _rows_compared(first, figure) is not None:
        correct = [getattr(study.correct, PARTS_OF_ROWS[figure])[rows] for study, rows in pairs]
        return paired_correct(correct[0], correct[1], overlap), common
    values = [[float(getattr(study.trials[row], figure)) for row in rows] for study, rows in pairs]
    if first.folds is None:
        return paired(values[0], values[1], overlap), common
    of_folds = [by_fold([fold for _, fold in common], of_study) for of_study in values]
    overlap = overlap or 1 / (first.folds - 1)  # version 0.1 did not write it
    return (paired(of_folds[0], of_folds[1], overlap) if len(of_folds[0]) > 1 else None), common


def _rows_compared(study: StudyResult, figure: str) -> int | None:
    """Return the number of rows that all trials share, or None for a figure that is compared over trials alone.

    The other study of a pair shares its rows, as `_check` demands.
    """
    if figure not in PARTS_OF_ROWS or study.folds or (figure.startswith("val") and _is_resampled(study)):
        return None
    return getattr(study.correct, PARTS_OF_ROWS[figure]).shape[1]


def _is_resampled(study: StudyResult) -> bool:
    """Return whether each seed has validation rows of its own."""
    return bool(study.config.get("data", {}).get("resample", False))


def _with_verdict(
    pair: tuple[StudyResult, StudyResult],
    figure: str,
    difference: Difference | None,
    common: Sequence[Key],
    comparisons: int,
    smallest_effect: float,
) -> FigureComparison:
    chose_epoch = any(_chose_epoch(study) for study in pair if figure.startswith("val") or on_test_rows(study))
    if difference is None:
        return FigureComparison(NOT_COMPARED, len(common), chose_epoch=chose_epoch)
    found = FigureComparison(
        IDENTICAL,
        len(common),
        difference.difference,
        difference.low,
        difference.high,
        difference.p_value,
        rows=_rows_compared(pair[0], figure),
        chose_epoch=chose_epoch,
    )
    if difference.is_identity:
        return found
    evidence = judge(difference, comparisons, smallest_effect)
    verdict: str = evidence.answer
    if evidence.answer == "different":
        verdict = BETTER if (difference.difference < 0) == figure.endswith("loss") else WORSE
    return replace(found, verdict=verdict, **evidence._asdict())


def _chose_epoch(study: StudyResult) -> bool:
    """Return whether the validation rows chose the epoch of a trial: its weights, its end or its learning rate."""
    config = comparable({"config": study.config})["config"]
    train = config["train"]
    stops_early = train["patience"] < train["epochs"]
    return train["keep"] != "last" or stops_early or config["schedule"]["kind"] == "plateau"


def _keys(study: StudyResult) -> dict[Key, int]:
    """Return the index of each trial by seed and fold."""
    return {(trial.seed, trial.fold): index for index, trial in enumerate(study.trials)}
