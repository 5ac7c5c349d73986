"""Paired comparisons of finished studies, in words: who is better, who diverged, and in which fields they differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxdeep.analysis.statistics import MOST_PAIRS, SIGNIFICANCE
from jaxdeep.config.compare import in_words
from jaxdeep.report.tables import FIGURES, aligned, with_interval
from jaxdeep.study.compare import INDISTINCT, NOT_COMPARED
from jaxdeep.study.divergence import losses_in_words, named


def comparison_table(comparison: Mapping[str, Any]) -> str:
    """What a comparison prints: the means, the differences of all pairs, and the verdicts on the test images in words.

    Args:
        comparison: as `compare` gives it.
    """
    names = [name.replace("_", " ") for name in FIGURES]
    diverged = comparison["diverged"]
    rows: list[Sequence[str]] = [("", *names, "differing fields")]
    rows += [
        (
            named(name, diverged[name]["runs"], diverged[name]["diverged"]),
            *(with_interval(mean[of]) for of in FIGURES),
            "",
        )
        for name, mean in comparison["means"].items()
    ]
    rows += [
        (
            f"{pair['one']} - {pair['other']}",
            *(_difference(pair["figures"][of]) for of in FIGURES),
            str(len(pair["differing"])),
        )
        for pair in comparison["pairs"]
    ]
    count = pairs_compared(comparison)
    corrected = f", p corrected for {count} pairs (Holm)" if count > 1 else ""
    over = "folds, on these test images" if comparison["pairs"][0]["folds"] else "images"
    return "\n".join(
        (
            f"{comparison['data']['name']}: means and paired differences, ± half of the 95% interval; "
            f"* p < {SIGNIFICANCE}{corrected}",
            *aligned(rows),
            f"On the validation images, and on the test images, over other seeds and other {over}:",
            *sentences(comparison, "val_accuracy"),
            *sentences(comparison, "test_accuracy"),
        )
    )


def pairs_compared(comparison: Mapping[str, Any]) -> int:
    """Return the number of pairs in which at least one figure is compared.

    Args:
        comparison: what `compare` returned.
    """
    return sum(
        any(found["verdict"] != NOT_COMPARED for found in pair["figures"].values()) for pair in comparison["pairs"]
    )


def sentences(comparison: Mapping[str, Any], figure: str) -> list[str]:
    """The verdict on each pair in words: with what it rests on, who diverged, and the fields that differ.

    Args:
        comparison: as `compare` gives it.
        figure: which: val_accuracy or test_accuracy.
    """
    return [_sentence(pair, figure) for pair in comparison["pairs"]]


def matrix(comparison: Mapping[str, Any], figure: str) -> list[tuple[str, ...]]:
    """Rows minus columns: differences in points, bold where they are told from none; the headers first.

    Args:
        comparison: as `compare` gives it.
        figure: which: val_accuracy or test_accuracy.
    """
    names = [
        named(name, comparison["diverged"][name]["runs"], comparison["diverged"][name]["diverged"])
        for name in comparison["names"]
    ]
    cells = {}
    for pair in comparison["pairs"]:
        found = pair["figures"][figure]
        for key, sign in (((pair["one"], pair["other"]), 1), ((pair["other"], pair["one"]), -1)):
            cells[key] = _points(found, sign)
    return [
        ("", *names),
        *(
            (shown, *(cells.get((row, column), "") for column in comparison["names"]))
            for row, shown in zip(comparison["names"], names, strict=True)
        ),
    ]


def _points(found: Mapping[str, Any], sign: int) -> str:
    if found["verdict"] == NOT_COMPARED:
        return "-"
    points = "0.0" if abs(found["difference"]) < 5e-4 else f"{100 * sign * found['difference']:+.1f}"
    return points if found["verdict"] == INDISTINCT else f"**{points}**"


def _sentence(pair: Mapping[str, Any], figure: str) -> str:
    runs = "runs" if pair["folds"] else "seeds"
    verdict = "; ".join((_in_words(pair, figure, runs), *_who_diverged(pair, runs)))
    fields = list(pair["differing"])
    return f"{verdict} ({f'they differ in {in_words(fields)}' if fields else 'they differ in no field'})"


def _who_diverged(pair: Mapping[str, Any], runs: str) -> list[str]:
    return [words for name, of in pair["diverged"].items() for words in losses_in_words(name, **of, noun=runs)]


def _in_words(pair: Mapping[str, Any], figure: str, runs: str) -> str:
    one, other, found = pair["one"], pair["other"], pair["figures"][figure]
    of_figure = figure.replace("_", " ")
    if found["verdict"] == NOT_COMPARED:
        return f"{one} and {other} are not compared: {of_figure}, {found['pairs']} finished {runs} in common"
    points = f"{100 * found['difference']:+.2f} points ({100 * found['low']:+.2f} to {100 * found['high']:+.2f})"
    known = f"{of_figure} {points}, p = {found['p_holm']:.2g}, {found['pairs']} {runs}"
    if found["verdict"] != INDISTINCT:
        return f"{one} is {found['verdict']} than {other}: {known}"
    enough = found["pairs_to_tell"]
    more = f"about {enough} {runs}" if enough else f"more than {MOST_PAIRS:,} {runs}, or more images,"
    return f"{one} and {other} are not distinguishable: {known}; {more} would tell such a difference"


def _difference(found: Mapping[str, Any]) -> str:
    if found["verdict"] == NOT_COMPARED:
        return "- "
    half = (found["high"] - found["low"]) / 2
    mark = " " if found["verdict"] == INDISTINCT else "*"
    return f"{found['difference']:+.4f} ± {half:.4f}{mark}"
