"""Comparisons of finished studies in words: the answer, what the interval excludes, and the fields that differ."""

from collections.abc import Sequence
from typing import Final

from jaxdeep.analysis.evidence import p_text
from jaxdeep.analysis.statistics import SIGNIFICANCE
from jaxdeep.config.compare import in_words
from jaxdeep.report.divergence import losses_in_words, named
from jaxdeep.report.layout import fitted
from jaxdeep.report.tables import with_interval
from jaxdeep.study.comparison import BETTER, WORSE, Comparison, FigureComparison, Losses, Pair
from jaxdeep.study.result import FIGURES

MARKS: Final = {"different": "*", "equivalent": "="}
"""Mark behind a difference, by the answer."""


def comparison_table(comparison: Comparison, width: int | None = None) -> str:
    """Return what a comparison prints: the means, the differences of all pairs, and the verdicts in words.

    Verdicts are on the test rows. The validation rows chose the epochs. Their differences have no mark.

    Args:
        comparison: Comparison of two or more studies.
        width: Number of characters of a line at most, or None for no limit.
    """
    names = [name.replace("_", " ") for name in FIGURES]
    rows: list[Sequence[str]] = [("", *names, "differing fields")]
    rows += [
        (_named(name, comparison.diverged[name]), *(with_interval(means[of]) for of in FIGURES), "")
        for name, means in comparison.means.items()
    ]
    rows += [
        (
            f"{pair.one} - {pair.other}",
            *(_difference(pair.figures[of]) for of in FIGURES),
            str(len(pair.differing)),
        )
        for pair in comparison.pairs
    ]
    return "\n".join(
        (
            f"{comparison.data['name']}: means and differences, ± half of the 95% interval",
            *fitted(rows, width),
            *legend(comparison),
            *sentences(comparison.pairs, "test_accuracy", comparison.metric),
        )
    )


def legend(comparison: Comparison) -> list[str]:
    """Return what the marks and the verdicts of a comparison mean, a line for each.

    Args:
        comparison: Comparison of two or more studies.
    """
    judged = [pair.figures["test_accuracy"] for pair in comparison.pairs]
    tested = [found for found in judged if found.smallest_effect is not None]
    lines = []
    if tested and tested[0].smallest_effect is not None:
        smallest, count = tested[0].smallest_effect, tested[0].comparisons
        corrected = f" Intervals of differences are corrected for {count} pairs (Bonferroni)." if count != 1 else ""
        lines.append(
            f"* different: the interval excludes 0. = equivalent: it lies within {smallest:g} of 0.{corrected}"
        )
    if any(pair.figures["val_accuracy"].chose_epoch for pair in comparison.pairs):
        lines.append("The validation rows chose the epochs. Their differences are too large, and get no verdict.")
    if any(pair.figures["test_accuracy"].chose_epoch for pair in comparison.pairs):
        lines.append("The test rows chose the epochs too (data.validate_on_test), which is a mistake.")
    over = "other folds" if comparison.pairs[0].folds else "other seeds and other rows"
    lines.append(f"A verdict is about two recipes, for {over} of the same kind after training on these rows.")
    return lines


def sentences(pairs: Sequence[Pair], figure: str, metric: str = "accuracy") -> list[str]:
    """Return the verdict on each pair in words: what it rests on, who diverged, and the fields that differ.

    Args:
        pairs: Pairs of a comparison.
        figure: Name of the figure, "val_accuracy" or "test_accuracy".
        metric: What the figure is: "accuracy" or "R2".
    """
    return [_sentence(pair, figure, metric) for pair in pairs]


def matrix(comparison: Comparison, figure: str) -> list[tuple[str, ...]]:
    """Return rows minus columns: differences in points, bold if different, with "=" if equivalent, the headers first.

    Args:
        comparison: Comparison of two or more studies.
        figure: Name of the figure, "val_accuracy" or "test_accuracy".
    """
    names = [_named(name, comparison.diverged[name]) for name in comparison.names]
    cells = {}
    for pair in comparison.pairs:
        found = pair.figures[figure]
        for key, sign in (((pair.one, pair.other), 1), ((pair.other, pair.one), -1)):
            cells[key] = _cell(found, sign)
    return [
        ("", *names),
        *(
            (shown, *(cells.get((row, column), "") for column in comparison.names))
            for row, shown in zip(comparison.names, names, strict=True)
        ),
    ]


def _named(name: str, losses: Losses) -> str:
    return named(name, losses.runs, losses.diverged)


def _cell(found: FigureComparison, sign: int) -> str:
    if found.difference is None:
        return "-"
    points = "0.0" if abs(found.difference) < 5e-4 else f"{100 * sign * found.difference:+.1f}"
    return {"different": f"**{points}**", "equivalent": f"{points} ="}.get(found.answer or "", points)


def _sentence(pair: Pair, figure: str, metric: str) -> str:
    verdict = "; ".join((_in_words(pair, figure, metric), *_who_diverged(pair)))
    fields = list(pair.differing)
    differ = f"they differ in {in_words(fields, len(fields))}" if fields else "they differ in no field"
    return f"{verdict} ({differ})"


def _who_diverged(pair: Pair) -> list[str]:
    return [
        words
        for name, of in pair.diverged.items()
        for words in losses_in_words(name, of.runs, of.diverged, of.left_out, noun="runs" if pair.folds else "seeds")
    ]


def _in_words(pair: Pair, figure: str, metric: str) -> str:
    one, other, found = pair.one, pair.other, pair.figures[figure]
    of_figure = figure.replace("accuracy", metric).replace("_", " ")
    runs = "runs" if pair.folds else "seeds"
    if found.difference is None:
        return f"{one} and {other} are not compared: {of_figure}, {found.pairs} finished {runs} in common"
    count = f"{found.pairs} runs in {pair.folds} folds" if pair.folds else f"{found.pairs} seeds"
    if found.answer is None or found.low_corrected is None or found.high_corrected is None:
        is_sided = found.verdict in (BETTER, WORSE)  # by version 0.1
        verdict = f"{one} is {found.verdict} than {other}" if is_sided else f"{one} and {other} are {found.verdict}"
        return f"{verdict}: {of_figure} {_points(found.difference)}, {count}"
    interval = f"({100 * found.low_corrected:+.2f} to {100 * found.high_corrected:+.2f})"
    known = f"{of_figure} {_points(found.difference)} {interval}"
    assert found.smallest_effect is not None
    assert found.p_corrected is not None
    assert found.p_equivalence is not None
    within = f"{100 * found.smallest_effect:g} points"
    if found.answer == "different":
        small = f", less than {within}" if found.p_equivalence < SIGNIFICANCE else ""
        return f"{one} is {found.verdict} than {other}: {known}{small}, {p_text(found.p_corrected)}, {count}"
    if found.answer == "equivalent":
        return f"{one} and {other} are equivalent: {known} lies within {within}, {count}"
    return f"{one} and {other} are undecided: {known}, {count}; {_what_would_show(found)}"


def _what_would_show(found: FigureComparison) -> str:
    """Return the smallest difference that would show, and what would show a smaller one."""
    assert found.detectable is not None
    enough = f"a difference of {100 * found.detectable:.1f} points would show"
    more = {"seeds": "with more seeds", "rows": "only with more rows"}.get(found.more or "")
    return f"{enough}, and a smaller one {more}" if more else enough


def _points(difference: float) -> str:
    return f"{100 * difference:+.2f} points"


def _difference(found: FigureComparison) -> str:
    if found.difference is None:
        return "- "
    if found.low_corrected is None or found.high_corrected is None:
        return f"{found.difference:+.4f}  "
    half = (found.high_corrected - found.low_corrected) / 2
    mark = " " if found.chose_epoch else MARKS.get(found.answer or "", " ")
    return f"{found.difference:+.4f} ± {half:.4f}{mark}"
