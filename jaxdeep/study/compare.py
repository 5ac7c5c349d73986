"""Paired comparisons of finished studies. `jaxdeep.report.comparison_text` puts them in words."""

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
"""Figures that are compared row by row, with the part of `Correct` that holds these rows."""
Key = tuple[int, int | None]
"""Seed and fold of a trial. The fold is None without cross-validation."""


def compare_studies(studies: Sequence[StudyResult], names: Sequence[str] | None = None) -> Comparison:
    """Compare every study with every other study, over common seeds and common rows.

    Accuracies are compared over seeds and rows (`paired_correct`). Losses are compared over seeds (`paired`). So are
    all figures of a cross-validation, whose folds have rows of their own. The p-values of a figure are corrected by
    Holm for the number of compared pairs. A trial that diverged before its first usable epoch counts for neither study
    of a pair. The pair holds the number of such trials. If fewer than two common trials are left, the verdict is "not
    compared" and the figures are None.

    Args:
        studies: Two or more results on the same rows, each of one configuration. They hold the correctly classified
            rows of each trial.
        names: Name of each study. None takes the names of their configurations.

    Returns:
        Means of each study, and the comparison of each pair.

    Raises:
        UserError: The rows differ, two studies have fewer than two common seeds or the same name, or a study varies a
            field.
    """
    if names is not None:
        studies = [replace(study, name=name) for study, name in zip(studies, names, strict=True)]
    _check(studies)
    pairs = list(itertools.combinations(studies, 2))
    figures: list[dict[str, FigureComparison]] = [{} for _ in pairs]
    for figure in FIGURES:
        common = [_common(first, second, figure) for first, second in pairs]
        count = sum(len(keys) > 1 for keys in common)
        comparisons = [
            _compared(*pair, figure, keys, count) if len(keys) > 1 else FigureComparison(NOT_COMPARED, len(keys))
            for pair, keys in zip(pairs, common, strict=True)
        ]
        corrected = iter(holm([comparison.p_value for comparison in comparisons if comparison.p_value is not None]))
        for by_figure, comparison in zip(figures, comparisons, strict=True):
            by_figure[figure] = (
                _with_verdict(figure, comparison, next(corrected)) if comparison.is_compared else comparison
            )
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
            for (first, second), by_figure in zip(pairs, figures, strict=True)
        ),
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
    return {"digest": study.data["digest"], **sizes, **dealt}


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


def _compared(
    first: StudyResult, second: StudyResult, figure: str, common: Sequence[Key], comparisons: int
) -> FigureComparison:
    indices = [[by_key[key] for key in common] for by_key in map(_keys, (first, second))]
    pairs = list(zip((first, second), indices, strict=True))
    if figure in PARTS_OF_ROWS and not first.folds:
        correct = [getattr(study.correct, PARTS_OF_ROWS[figure])[rows] for study, rows in pairs]
        difference = paired_correct(correct[0], correct[1], comparisons)
    else:
        values = [[getattr(study.trials[row], figure) for row in rows] for study, rows in pairs]
        difference = paired(values[0], values[1], 1 / (first.folds - 1) if first.folds else 0.0, comparisons)
    return FigureComparison(INDISTINCT, **difference._asdict())


def _with_verdict(figure: str, comparison: FigureComparison, p_value: float) -> FigureComparison:
    verdict = INDISTINCT
    if p_value < SIGNIFICANCE:
        assert comparison.difference is not None
        verdict = "better" if (comparison.difference < 0) == figure.endswith("loss") else "worse"
    return replace(comparison, p_holm=p_value, verdict=verdict)


def _keys(study: StudyResult) -> dict[Key, int]:
    """Return the index of each trial by seed and fold."""
    return {(trial.seed, trial.fold): index for index, trial in enumerate(study.trials)}
