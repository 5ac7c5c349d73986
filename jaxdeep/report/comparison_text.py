"""Paired comparisons of finished studies, in words: who is better, who diverged, and in which fields they differ."""

from collections.abc import Sequence

from jaxdeep.analysis.statistics import MOST_PAIRS, SIGNIFICANCE
from jaxdeep.config.compare import in_words
from jaxdeep.report.divergence import losses_in_words, named
from jaxdeep.report.layout import fitted
from jaxdeep.report.tables import with_interval
from jaxdeep.study.comparison import INDISTINCT, Comparison, FigureComparison, Losses, Pair
from jaxdeep.study.result import FIGURES


def comparison_table(comparison: Comparison, width: int | None = None) -> str:
    """Return what a comparison prints: the means, the differences of all pairs, and the verdicts in words.

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
    count = comparison.pairs_compared
    corrected = f", p corrected for {count} pairs (Holm)" if count > 1 else ""
    over = "folds, on these test images" if comparison.pairs[0].folds else "images"
    return "\n".join(
        (
            f"{comparison.data['name']}: means and paired differences, ± half of the 95% interval; "
            f"* p < {SIGNIFICANCE}{corrected}",
            *fitted(rows, width),
            f"On the validation images, and on the test images, over other seeds and other {over}:",
            *sentences(comparison.pairs, "val_accuracy"),
            *sentences(comparison.pairs, "test_accuracy"),
        )
    )


def sentences(pairs: Sequence[Pair], figure: str) -> list[str]:
    """Return the verdict on each pair in words: what it rests on, who diverged, and the fields that differ.

    Args:
        pairs: Pairs of a comparison.
        figure: Name of the figure, "val_accuracy" or "test_accuracy".
    """
    return [_sentence(pair, figure) for pair in pairs]


def matrix(comparison: Comparison, figure: str) -> list[tuple[str, ...]]:
    """Return rows minus columns: differences in points, bold where a difference is significant, the headers first.

    Args:
        comparison: Comparison of two or more studies.
        figure: Name of the figure, "val_accuracy" or "test_accuracy".
    """
    names = [_named(name, comparison.diverged[name]) for name in comparison.names]
    cells = {}
    for pair in comparison.pairs:
        found = pair.figures[figure]
        for key, sign in (((pair.one, pair.other), 1), ((pair.other, pair.one), -1)):
            cells[key] = _points(found, sign)
    return [
        ("", *names),
        *(
            (shown, *(cells.get((row, column), "") for column in comparison.names))
            for row, shown in zip(comparison.names, names, strict=True)
        ),
    ]


def _named(name: str, losses: Losses) -> str:
    return named(name, losses.runs, losses.diverged)


def _points(found: FigureComparison, sign: int) -> str:
    if found.difference is None:
        return "-"
    points = "0.0" if abs(found.difference) < 5e-4 else f"{100 * sign * found.difference:+.1f}"
    return points if found.verdict == INDISTINCT else f"**{points}**"


def _sentence(pair: Pair, figure: str) -> str:
    runs = "runs" if pair.folds else "seeds"
    verdict = "; ".join((_in_words(pair, figure, runs), *_who_diverged(pair, runs)))
    fields = list(pair.differing)
    return f"{verdict} ({f'they differ in {in_words(fields)}' if fields else 'they differ in no field'})"


def _who_diverged(pair: Pair, runs: str) -> list[str]:
    return [
        words
        for name, of in pair.diverged.items()
        for words in losses_in_words(name, of.runs, of.diverged, of.left_out, noun=runs)
    ]


def _in_words(pair: Pair, figure: str, runs: str) -> str:
    one, other, found = pair.one, pair.other, pair.figures[figure]
    of_figure = figure.replace("_", " ")
    if found.difference is None or found.low is None or found.high is None:
        return f"{one} and {other} are not compared: {of_figure}, {found.pairs} finished {runs} in common"
    points = f"{100 * found.difference:+.2f} points ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
    known = f"{of_figure} {points}, p = {found.p_holm:.2g}, {found.pairs} {runs}"
    if found.verdict != INDISTINCT:
        return f"{one} is {found.verdict} than {other}: {known}"
    enough = found.pairs_to_tell
    more = f"about {enough} {runs}" if enough else f"more than {MOST_PAIRS:,} {runs}, or more images,"
    return f"{one} and {other} are not distinguishable: {known}; {more} would tell such a difference"


def _difference(found: FigureComparison) -> str:
    if found.difference is None or found.low is None or found.high is None:
        return "- "
    half = (found.high - found.low) / 2
    mark = " " if found.verdict == INDISTINCT else "*"
    return f"{found.difference:+.4f} ± {half:.4f}{mark}"
