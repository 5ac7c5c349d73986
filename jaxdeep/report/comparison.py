"""Paired comparisons of finished studies, in figures and in words."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np

from jaxdeep.analysis.statistics import MOST_PAIRS, SIGNIFICANCE, holm, paired, paired_hits
from jaxdeep.errors import UserError
from jaxdeep.report.files import read_json
from jaxdeep.report.tables import FIGURES, aligned, with_interval

INDISTINCT: Final = "not distinguishable"
HITS: Final = {"val_accuracy": "valid", "test_accuracy": "test"}
"""The figures that are compared image by image, and whose hits those are."""


class Study(NamedTuple):
    """A finished study of one configuration.

    Attributes:
        name: of the configuration.
        summary: the content of its summary.json.
        hits: of its hits.npz: `valid` and `test`, [S, N] each.
    """

    name: str
    summary: Mapping[str, Any]
    hits: Mapping[str, np.ndarray]


def read_study(name: str, summary: Path, hits: Path) -> Study:
    """A study from the files that it left.

    Args:
        name: of its configuration.
        summary: a summary.json.
        hits: the hits.npz beside it.

    Raises:
        UserError: one of them cannot be read, as that of a study of an earlier version, or they are not of one study.
    """
    try:
        with hits.open("rb") as file, np.load(file) as found:
            study = Study(name, read_json(summary), {split: found[split] for split in HITS.values()})
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
        raise UserError(f"{hits}: cannot be read ({error}); --overwrite runs the study anew") from error
    counts = {len(of_split) for of_split in study.hits.values()} | {len(study.summary["runs"])}
    if len(counts) > 1:
        raise UserError(f"{hits} and {summary} are of {' and '.join(map(str, sorted(counts)))} runs; allowed: as many")
    return study


def compare(studies: Sequence[Study]) -> dict[str, Any]:
    """Every configuration against every other one, over common seeds and common images.

    Accuracies are compared over seeds and images (`paired_hits`), losses over seeds (`paired`), and so is all of
    cross-validation, whose folds have images of their own. The p-values of a
    figure are corrected for the number of pairs (Holm). A seed that diverged with one of two counts for neither.

    Args:
        studies: two or more, of the same images.

    Returns:
        JSON values: names, data, means by name and figure, and for each pair one, other and a verdict for each figure.

    Raises:
        UserError: the images are not the same, or two studies have fewer than two seeds in common.
    """
    first = studies[0]
    for study in studies[1:]:
        if (one := _images(first)) != (other := _images(study)):
            raise UserError(f"{first.name} and {study.name} were run on other images: {one} and {other}")
    pairs = list(itertools.combinations(studies, 2))
    compared = [{figure: _compared(one, other, figure, len(pairs)) for figure in FIGURES} for one, other in pairs]
    for figure in FIGURES:
        corrected = holm([of_pair[figure]["p_value"] for of_pair in compared])
        for of_pair, p_value in zip(compared, corrected, strict=True):
            of_pair[figure] |= {"p_holm": p_value, "verdict": _verdict(figure, of_pair[figure]["difference"], p_value)}
    return {
        "names": [study.name for study in studies],
        "data": dict(first.summary["data"]),
        "means": {study.name: {name: study.summary["mean"][name] for name in FIGURES} for study in studies},
        "pairs": [
            {"one": one.name, "other": other.name, "folds": first.summary.get("folds"), "figures": figures}
            for (one, other), figures in zip(pairs, compared, strict=True)
        ],
    }


def _images(study: Study) -> dict[str, Any]:
    """What studies share that were run on the same images; folds are dealt by the first seed."""
    folds = study.summary.get("folds")
    digest = {"digest": study.summary["data"]["digest"]}
    sizes = {split: study.hits[split].shape[1] for split in HITS.values()}
    return digest | sizes | ({"folds": folds, "dealt by seed": study.summary["seeds"][0]} if folds else {})


def _compared(one: Study, other: Study, figure: str, comparisons: int) -> dict[str, Any]:
    runs = [_runs(study, figure) for study in (one, other)]
    common = [key for key in runs[0] if key in runs[1]]
    if len(common) < 2:
        raise UserError(f"{one.name} and {other.name} have {len(common)} finished seeds in common; allowed: 2 or more")
    folds = one.summary.get("folds")
    if figure in HITS and not folds:
        rows = ([of[key] for key in common] for of in runs)
        hits = (study.hits[HITS[figure]][chosen] for study, chosen in zip((one, other), rows, strict=True))
        return paired_hits(*hits, comparisons=comparisons)._asdict()
    of_one, of_other = (
        [study.summary["runs"][of[key]][figure] for key in common] for study, of in zip((one, other), runs, strict=True)
    )
    return paired(of_one, of_other, 1 / (folds - 1) if folds else 0.0, comparisons)._asdict()


def _runs(study: Study, figure: str) -> dict[tuple[int, int | None], int]:
    """Where the runs with a finite figure stand, by seed and fold."""
    return {
        (run["seed"], run.get("fold")): index
        for index, run in enumerate(study.summary["runs"])
        if run[figure] is not None
    }


def _verdict(figure: str, difference: float, p_value: float) -> str:
    if p_value >= SIGNIFICANCE:
        return INDISTINCT
    return "better" if (difference < 0) == figure.endswith("loss") else "worse"


def comparison_table(comparison: Mapping[str, Any]) -> str:
    """What a comparison prints: the means, the differences of all pairs, and the verdicts on the test images in words.

    Args:
        comparison: as `compare` gives it.
    """
    names = [name.replace("_", " ") for name in FIGURES]
    rows: list[Sequence[str]] = [("", *names)]
    rows += [(name, *(with_interval(mean[of]) for of in FIGURES)) for name, mean in comparison["means"].items()]
    rows += [
        (f"{pair['one']} - {pair['other']}", *(_difference(pair["figures"][of]) for of in FIGURES))
        for pair in comparison["pairs"]
    ]
    count = len(comparison["pairs"])
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


def sentences(comparison: Mapping[str, Any], figure: str) -> list[str]:
    """The verdict on each pair in words.

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
    names = comparison["names"]
    cells = {}
    for pair in comparison["pairs"]:
        found = pair["figures"][figure]
        for key, sign in (((pair["one"], pair["other"]), 1), ((pair["other"], pair["one"]), -1)):
            points = "0.0" if abs(found["difference"]) < 5e-4 else f"{100 * sign * found['difference']:+.1f}"
            cells[key] = points if found["verdict"] == INDISTINCT else f"**{points}**"
    return [("", *names), *((row, *(cells.get((row, column), "") for column in names)) for row in names)]


def _sentence(pair: Mapping[str, Any], figure: str) -> str:
    one, other, found = pair["one"], pair["other"], pair["figures"][figure]
    runs = "runs" if pair["folds"] else "seeds"
    points = f"{100 * found['difference']:+.2f} points ({100 * found['low']:+.2f} to {100 * found['high']:+.2f})"
    known = f"{figure.replace('_', ' ')} {points}, p = {found['p_holm']:.2g}, {found['pairs']} {runs}"
    if found["verdict"] != INDISTINCT:
        return f"{one} is {found['verdict']} than {other}: {known}"
    enough = found["pairs_to_tell"]
    more = f"about {enough} {runs}" if enough else f"more than {MOST_PAIRS:,} {runs}, or more images,"
    return f"{one} and {other} are not distinguishable: {known}; {more} would tell such a difference"


def _difference(found: Mapping[str, Any]) -> str:
    half = (found["high"] - found["low"]) / 2
    mark = " " if found["verdict"] == INDISTINCT else "*"
    return f"{found['difference']:+.4f} ± {half:.4f}{mark}"
