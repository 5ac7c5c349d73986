"""Results as text."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jaxdeep.config import short
from jaxdeep.report.divergence import counted, named
from jaxdeep.report.layout import fitted
from jaxdeep.study.reported import on_test_rows, other_settings
from jaxdeep.study.result import FIGURES, StudyResult
from jaxdeep.study.trial_result import Candidate, MeanFigure

NO_BEST = "none is best (*): each of them lost a run (diverged)"
ON_TEST_ROWS = "a mistake (data.validate_on_test): the test rows chose the epoch, so the test figures are too good"
ROUNDING = 1e-6
"""Largest asymmetry of an interval that is due to rounding."""
HEADERS = ("seed", "best epoch", "epochs", "val loss", "val acc.", "test loss", "test acc.", "seconds")


class Interval(Protocol):
    """A mean with the ends of its interval, which are None without one."""

    @property
    def mean(self) -> float | None:
        """Return the mean."""
        ...

    @property
    def low(self) -> float | None:
        """Return the lower end of the interval."""
        ...

    @property
    def high(self) -> float | None:
        """Return the upper end of the interval."""
        ...


def study_table(result: StudyResult, width: int | None = None) -> str:
    """Return what a finished study prints: a row a trial and their mean, or a row a candidate.

    The chapter's figures follow a configuration that is unchanged. Otherwise a line says what was changed. The mean's
    row and each candidate's say how many trials diverged. If every candidate lost a trial, a line says so. So does a
    line if the test rows chose the epoch.

    Args:
        result: Result of the study.
        width: Number of characters of a line at most, or None for no limit.
    """
    title = f"{result.experiment} {result.name} on {result.data['name']} ({result.data['source']})"
    rows = _rows_of_candidates(result) if result.varied else _rows_of_trials(result)
    is_without_best = bool(result.varied) and result.best is None
    notes = [NO_BEST] if is_without_best else []
    notes += [ON_TEST_ROWS] if on_test_rows(result) else []
    return "\n".join((title, *fitted(rows, width), *notes, *_other_settings(result)))


def _rows_of_trials(result: StudyResult) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [_headers(result)]
    rows += [
        (
            str(trial.key) + (" diverged" if trial.diverged else ""),
            str(trial.best_epoch),
            str(trial.epochs),
            *(_figure(getattr(trial, name)) for name in FIGURES),
            f"{trial.seconds:.1f}",
        )
        for trial in result.trials
    ]
    if len(result.trials) > 1:
        rows.append((named("mean", len(result.trials), result.diverged), *_means(result.mean)))
    chapter = () if other_settings(result) else result.reported
    return rows + [_row_of_chapter(reported, len(HEADERS)) for reported in chapter]


def _headers(result: StudyResult) -> tuple[str, ...]:
    """Return the headers of the columns, in which R2 stands in place of accuracy for regression."""
    return tuple(header if result.metric == "accuracy" else header.replace("acc.", result.metric) for header in HEADERS)


def _other_settings(result: StudyResult) -> list[str]:
    """Return a line in place of the chapter's figures, if the study is of other settings than theirs."""
    if result.varied or not result.reported or not (other := other_settings(result)):
        return []
    return [f"chapter {', '.join(of['source'] for of in result.reported)}: other settings: {other}"]


def _rows_of_candidates(result: StudyResult) -> list[tuple[str, ...]]:
    """Mark the lowest mean val_loss of the candidates without a trial that diverged."""
    rows: list[tuple[str, ...]] = [(*result.candidates[0].values, "runs", *_headers(result)[1:])]
    for candidate in result.candidates:
        mark = " *" if candidate is result.best else ""
        values = map(short, candidate.values.values())
        rows.append((*values, runs_of(result, candidate) + mark, *_means(candidate.mean)))
    return rows


def runs_of(result: StudyResult, candidate: Candidate | None = None) -> str:
    """Return how many trials there are, and how many of them diverged.

    Args:
        result: Result of the study.
        candidate: Candidate whose trials are counted, or None for all trials.
    """
    trials = result.trials if candidate is None else result.trials_of(candidate)
    return counted(len(trials), sum(trial.diverged for trial in trials))


def _means(mean: Mapping[str, MeanFigure]) -> tuple[str, ...]:
    counts = ("-" if (value := mean[name].mean) is None else f"{value:.1f}" for name in ("best_epoch", "epochs"))
    return (*counts, *(with_interval(mean[name]) for name in FIGURES), f"{mean['seconds'].mean:.1f}")


def _row_of_chapter(reported: Mapping[str, Any], width: int) -> tuple[str, ...]:
    figures = (_figure(reported.get(name)) for name in FIGURES)
    row = (f"chapter {reported['source']}", str(reported["best_epoch"]), "", *figures)
    return row + ("",) * (width - len(row))


def with_interval(estimate: Interval) -> str:
    """Return a mean with half of its 95% interval.

    An interval that ends at the range of its figure is no longer symmetric. It is shown by its ends.

    Args:
        estimate: Mean and the ends of its interval.

    >>> with_interval(MeanFigure(1.4688, None, 1.4554, 1.4822, 3))
    '1.4688 ± 0.0134'
    >>> with_interval(MeanFigure(0.9912, None, 0.9672, 1.0, 3))
    '0.9912 (0.9672 to 1.0000)'
    """
    if estimate.mean is None or estimate.low is None or estimate.high is None:
        return _figure(estimate.mean)
    if abs(estimate.high + estimate.low - 2 * estimate.mean) > ROUNDING:
        return f"{estimate.mean:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
    return f"{estimate.mean:.4f} ± {(estimate.high - estimate.low) / 2:.4f}"


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table.

    >>> print(markdown_table(("a", "b"), [("1", "2")]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    rule = "|" + "---|" * len(headers)
    return "\n".join((_markdown_row(headers), rule, *map(_markdown_row, rows)))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
