"""Paired comparisons of finished studies, in figures; `comparison_text` has the words."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from zipfile import BadZipFile

import numpy as np

from jaxdeep.analysis.statistics import SIGNIFICANCE, Paired, holm, paired, paired_hits
from jaxdeep.config import Config, differences
from jaxdeep.errors import UserError
from jaxdeep.report.tables import FIGURES
from jaxdeep.study.divergence import diverged_in, left_out_of
from jaxdeep.study.files import read_json

INDISTINCT: Final = "not distinguishable"
NOT_COMPARED: Final = "not compared"
"""The verdict on a figure that fewer than two runs of both configurations have, because others diverged."""
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
    cross-validation, whose folds have images of their own. The p-values of a figure are corrected for the number of
    pairs that are compared (Holm). A seed that diverged with one of two before it had an epoch to keep counts for
    neither, and the pair says how many did.

    Args:
        studies: two or more, of the same images.

    Returns:
        JSON values: names, data, means by name and figure, and for each pair one, other and a verdict for each figure.
        Each pair has the fields in which its configurations differ, with both values (`differing`), and by name the
        numbers of runs, of those that diverged, and of those left out for it (`diverged`). Where fewer than two common
        runs are left, the verdict is "not compared" and its figures are None.

    Raises:
        UserError: the images are not the same, or two studies have fewer than two seeds in common.
    """
    first = studies[0]
    for study in studies[1:]:
        if (one := _images(first)) != (other := _images(study)):
            raise UserError(f"{first.name} and {study.name} were run on other images: {one} and {other}")
    pairs = list(itertools.combinations(studies, 2))
    compared: list[dict[str, dict[str, Any]]] = [{} for _ in pairs]
    for figure in FIGURES:
        common = [_common(one, other, figure) for one, other in pairs]
        count = sum(len(keys) > 1 for keys in common)
        found = [
            _compared(one, other, figure, keys, count) if len(keys) > 1 else _not_compared(keys)
            for (one, other), keys in zip(pairs, common, strict=True)
        ]
        told = [of_pair for of_pair, keys in zip(found, common, strict=True) if len(keys) > 1]
        for of_pair, p_value in zip(told, holm([of_pair["p_value"] for of_pair in told]), strict=True):
            of_pair |= {"p_holm": p_value, "verdict": _verdict(figure, of_pair["difference"], p_value)}
        for of_pair, of_figure in zip(compared, found, strict=True):
            of_pair[figure] = of_figure
    return {
        "names": [study.name for study in studies],
        "data": dict(first.summary["data"]),
        "means": {study.name: {name: study.summary["mean"][name] for name in FIGURES} for study in studies},
        "diverged": {study.name: _divergence(study) for study in studies},
        "pairs": [
            {
                "one": one.name,
                "other": other.name,
                "folds": first.summary.get("folds"),
                "differing": differing_fields(one.summary["config"], other.summary["config"]),
                "diverged": {study.name: _divergence(study) for study in (one, other)},
                "figures": figures,
            }
            for (one, other), figures in zip(pairs, compared, strict=True)
        ],
    }


def differing_fields(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the fields in which two configurations differ, by dotted name, with both values.

    Args:
        one: a configuration as summary.json has it. A field that an earlier version did not have has its default.
        other: another one, as JSON values too.
    """
    defaults = Config().to_dict()
    whole = [{part: defaults.get(part, {}) | of.get(part, {}) for part in {**defaults, **of}} for of in (one, other)]
    return {name: list(values) for name, values in differences(whole[0], whole[1]).items()}


def _divergence(study: Study) -> dict[str, int]:
    runs = study.summary["runs"]
    return {"runs": len(runs), "diverged": diverged_in(runs), "left_out": left_out_of(runs)}


def _images(study: Study) -> dict[str, Any]:
    """What studies share that were run on the same images; folds are dealt by the first seed."""
    folds = study.summary.get("folds")
    digest = {"digest": study.summary["data"]["digest"]}
    sizes = {split: study.hits[split].shape[1] for split in HITS.values()}
    return digest | sizes | ({"folds": folds, "dealt by seed": study.summary["seeds"][0]} if folds else {})


Key = tuple[int, int | None]
"""The seed and the fold of a run."""


def _common(one: Study, other: Study, figure: str) -> list[Key]:
    """The runs of both studies that have a figure; seeds that are common are needed, those that diverged are not."""
    keys = [_keys(study) for study in (one, other)]
    if (count := len(keys[0].keys() & keys[1].keys())) < 2:
        raise UserError(f"{one.name} and {other.name} have {count} seeds in common; allowed: 2 or more")
    runs = [study.summary["runs"] for study in (one, other)]
    return [
        key
        for key in keys[0]
        if all(key in of and of_runs[of[key]][figure] is not None for of, of_runs in zip(keys, runs, strict=True))
    ]


def _compared(one: Study, other: Study, figure: str, common: Sequence[Key], comparisons: int) -> dict[str, Any]:
    rows = [[of[key] for key in common] for of in map(_keys, (one, other))]
    folds = one.summary.get("folds")
    if figure in HITS and not folds:
        hits = (study.hits[HITS[figure]][chosen] for study, chosen in zip((one, other), rows, strict=True))
        return paired_hits(*hits, comparisons=comparisons)._asdict()
    of_one, of_other = (
        [study.summary["runs"][row][figure] for row in chosen] for study, chosen in zip((one, other), rows, strict=True)
    )
    return paired(of_one, of_other, 1 / (folds - 1) if folds else 0.0, comparisons)._asdict()


def _not_compared(common: Sequence[Key]) -> dict[str, Any]:
    return {**dict.fromkeys(Paired._fields), "pairs": len(common), "p_holm": None, "verdict": NOT_COMPARED}


def _keys(study: Study) -> dict[Key, int]:
    """Where the runs stand, by seed and fold."""
    return {(run["seed"], run.get("fold")): index for index, run in enumerate(study.summary["runs"])}


def _verdict(figure: str, difference: float, p_value: float) -> str:
    if p_value >= SIGNIFICANCE:
        return INDISTINCT
    return "better" if (difference < 0) == figure.endswith("loss") else "worse"
