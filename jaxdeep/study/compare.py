"""Paired comparisons of finished studies. `jaxdeep.report.comparison_text` has the words."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from jaxdeep.analysis.statistics import SIGNIFICANCE, holm, paired, paired_correct
from jaxdeep.config import differences
from jaxdeep.config.identity import comparable
from jaxdeep.errors import UserError
from jaxdeep.study.comparison import INDISTINCT, NOT_COMPARED, Comparison, FigureComparison, Losses, Pair
from jaxdeep.study.result import FIGURES, StudyResult

PARTS_OF_ROWS: Final = {"val_accuracy": "valid", "test_accuracy": "test"}
"""The figures that are compared row by row, and the part of `Correct` that has these rows."""
Key = tuple[int, int | None]
"""The seed and the fold of a trial."""


def compare_studies(studies: Sequence[StudyResult], names: Sequence[str] | None = None) -> Comparison:
    """Compare every study with every other one, over common seeds and common rows.

    Accuracies are compared over seeds and rows (`paired_correct`), losses over seeds (`paired`), and so is all of
    cross-validation, whose folds have rows of their own. The p-values of a figure are corrected for the number of
    pairs that are compared (Holm). A seed that diverged with one of two before it had an epoch to keep counts for
    neither, and the pair says how many did. Where fewer than two common trials are left, the verdict is "not compared"
    and its figures are None.

    Args:
        studies: two or more results of the same rows, each of one configuration. They hold which rows each trial
            classifies correctly.
        names: name of each study, or None for the names of their configurations.

    Raises:
        UserError: the rows are not the same, two studies have fewer than two seeds in common or the same name, or a
            study varies something.
    """
    if names is not None:
        studies = [replace(study, name=name) for study, name in zip(studies, names, strict=True)]
    _check(studies)
    first = studies[0]
    pairs = list(itertools.combinations(studies, 2))
    figures: list[dict[str, FigureComparison]] = [{} for _ in pairs]
    for figure in FIGURES:
        common = [_common(one, other, figure) for one, other in pairs]
        count = sum(len(keys) > 1 for keys in common)
        found = [
            _compared(one, other, figure, keys, count) if len(keys) > 1 else FigureComparison(NOT_COMPARED, len(keys))
            for (one, other), keys in zip(pairs, common, strict=True)
        ]
        corrected = iter(holm([of.p_value for of in found if of.p_value is not None]))
        for of_pair, of_figure in zip(figures, found, strict=True):
            of_pair[figure] = _judged(figure, of_figure, next(corrected)) if of_figure.is_compared else of_figure
    return Comparison(
        names=tuple(study.name for study in studies),
        data=dict(first.data),
        means={study.name: {name: study.mean[name] for name in FIGURES} for study in studies},
        diverged={study.name: _losses(study) for study in studies},
        pairs=tuple(
            Pair(
                one.name,
                other.name,
                first.folds,
                differing_fields(one.config, other.config),
                {study.name: _losses(study) for study in (one, other)},
                of_pair,
            )
            for (one, other), of_pair in zip(pairs, figures, strict=True)
        ),
    )


def differing_fields(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the fields in which two configurations differ, by dotted name, with both values.

    Args:
        one: a configuration as summary.json has it. A field that an earlier version did not have has its default.
        other: another one, as JSON values too.
    """
    whole = [comparable({"config": config})["config"] for config in (one, other)]
    return {name: list(values) for name, values in differences(*whole).items()}


def _check(studies: Sequence[StudyResult]) -> None:
    first, names = studies[0], [study.name for study in studies]
    if len(studies) < 2 or len(set(names)) < len(names):
        raise UserError(f"{len(studies)} studies named {', '.join(names)}. Give two or more, each with its own name")
    for study in studies:
        if study.varied:
            raise UserError(f"{study.name} varies {', '.join(study.varied)}. Compare studies of one configuration each")
        if study.correct is None:
            raise UserError(f"{study.name} holds no rows that are classified correctly. Read it with its hits.npz")
        if (one := _rows(first)) != (other := _rows(study)):
            raise UserError(f"{first.name} and {study.name} were run on other images: {one} and {other}")


def _losses(study: StudyResult) -> Losses:
    return Losses(len(study.trials), study.diverged, study.left_out)


def _rows(study: StudyResult) -> dict[str, Any]:
    """What studies share that were run on the same rows. Folds are dealt by the first seed."""
    assert study.correct is not None
    sizes = {part: getattr(study.correct, part).shape[1] for part in PARTS_OF_ROWS.values()}
    dealt = {"folds": study.folds, "dealt by seed": study.seeds[0]} if study.folds else {}
    return {"digest": study.data["digest"], **sizes, **dealt}


def _common(one: StudyResult, other: StudyResult, figure: str) -> list[Key]:
    """The trials of both studies that have a figure. Common seeds are needed, those that diverged are not."""
    keys = [_keys(study) for study in (one, other)]
    if (count := len(keys[0].keys() & keys[1].keys())) < 2:
        raise UserError(f"{one.name} and {other.name} have {count} seeds in common; allowed: 2 or more")
    return [
        key
        for key in keys[0]
        if all(
            key in of and getattr(study.trials[of[key]], figure) is not None
            for of, study in zip(keys, (one, other), strict=True)
        )
    ]


def _compared(
    one: StudyResult, other: StudyResult, figure: str, common: Sequence[Key], comparisons: int
) -> FigureComparison:
    chosen = [[of[key] for key in common] for of in map(_keys, (one, other))]
    pairs = list(zip((one, other), chosen, strict=True))
    if figure in PARTS_OF_ROWS and not one.folds:
        correct = [getattr(study.correct, PARTS_OF_ROWS[figure])[rows] for study, rows in pairs]
        found = paired_correct(correct[0], correct[1], comparisons)
    else:
        values = [[getattr(study.trials[row], figure) for row in rows] for study, rows in pairs]
        found = paired(values[0], values[1], 1 / (one.folds - 1) if one.folds else 0.0, comparisons)
    return FigureComparison(INDISTINCT, **found._asdict())


def _judged(figure: str, found: FigureComparison, p_value: float) -> FigureComparison:
    verdict = INDISTINCT
    if p_value < SIGNIFICANCE:
        assert found.difference is not None
        verdict = "better" if (found.difference < 0) == figure.endswith("loss") else "worse"
    return replace(found, p_holm=p_value, verdict=verdict)


def _keys(study: StudyResult) -> dict[Key, int]:
    """Where the trials stand, by seed and fold."""
    return {(trial.seed, trial.fold): index for index, trial in enumerate(study.trials)}
