"""Tables of the recorded studies of the digits 0 to 4, for docs/digits.md."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from docs.pages.records import Records
from docs.pages.studies import pairs_table
from jaxdeep.analysis.differences import paired
from jaxdeep.analysis.evidence import judge
from jaxdeep.config.compare import value_in_words
from jaxdeep.report.tables import markdown_table, runs_of, with_interval
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.files import read_json
from jaxdeep.study.result import StudyResult

NAMES: Final = ("digits_0_4", "digits_0_4_bn", "digits_0_4_dropout", "digits_0_4_best")
"""Configurations of the digits 0 to 4, in the order of the table."""
NONE: Final = "No study of this is recorded yet. The command above makes one."
CANDIDATES: Final = 8
"""Number of a search's best candidates in its table."""
POINTS: Final = 100


def networks_table(records: Records) -> str:
    """Return a row for each configuration: its accuracies, and its gap between training and validation rows.

    Args:
        records: Records of `mnist`.
    """
    studies = _recorded(records)
    if not studies:
        return NONE
    rows = []
    for study in studies:
        train = study.mean["train_accuracy"]
        figures = (with_interval(of) for of in (train, study.mean["val_accuracy"]))
        test = with_interval(study.mean["test_accuracy"])
        rows.append((f"`{study.name}`", runs_of(study), *figures, *_gap(study, len(studies)), test))
    headers = ("configuration", "seeds", "training", "validation", "gap, points", "answer", "test")
    return markdown_table(headers, rows)


def verdicts_table(records: Records) -> str:
    """Return a row for each configuration against the plain one, on the test images.

    Args:
        records: Records of `mnist`.
    """
    studies = _recorded(records)
    if len(studies) < 2:
        return NONE
    pairs = [(study.name, studies[0].name) for study in studies[1:]]
    return pairs_table(compare_studies(studies, pairs=pairs))


def search_table(records: Records, search: str) -> str:
    """Return the best candidates of a search, and how far they were trained.

    Args:
        records: Records of `mnist`.
        search: Field that the search names first, such as "model.batch_norm".
    """
    paths = sorted((records.folder / "mnist").glob("*halving=*.json"))
    studies = [StudyResult.from_json(read_json(path)) for path in paths]
    found = [study for study in studies if study.varied[0] == search]
    if not found:
        return NONE
    study = found[0]
    ranked = sorted(study.candidates, key=lambda of: (of.diverged, -(of.mean["epochs"].mean or 0), -_accuracy(of.mean)))
    rows = []
    for candidate in ranked[:CANDIDATES]:
        values = [_words(candidate.values[name]) for name in study.varied]
        mean = candidate.mean
        rows.append(
            (*values, f"{mean['epochs'].mean:.0f}", f"{_accuracy(mean):.4f}", f"{mean['test_accuracy'].mean:.4f}")
        )
    names = (name.partition(".")[2].replace("_", " ") for name in study.varied)
    table = markdown_table((*names, "epochs", "val accuracy", "test accuracy"), rows)
    return (
        f"{len(study.candidates)} candidates, {len(study.seeds)} seed{'' if len(study.seeds) == 1 else 's'}. "
        f"The ones that were trained longest:\n\n{table}"
    )


def _recorded(records: Records) -> list[StudyResult]:
    """Return the recorded configurations of NAMES, with the rows that each network classifies correctly."""
    folder = records.folder / "mnist"
    return [records.study("mnist", name) for name in NAMES if (folder / f"{name}.json").exists()]


def _gap(study: StudyResult, comparisons: int) -> Sequence[str]:
    """Return the training accuracy without dropout less the validation accuracy, and what that says."""
    both = [(of.train_accuracy, of.val_accuracy) for of in study.trials if not of.diverged]
    train, valid = zip(*[(one, other) for one, other in both if one is not None and other is not None], strict=True)
    evidence = judge(paired(train, valid), comparisons)
    ends = f"{POINTS * evidence.low_corrected:+.2f} to {POINTS * evidence.high_corrected:+.2f}"
    mean = sum(one - other for one, other in zip(train, valid, strict=True)) / len(train)
    words = {"different": "overfits" if mean > 0 else "underfits", "equivalent": "no gap of half a point"}
    return f"{POINTS * mean:+.2f} ({ends})", words.get(evidence.answer, "undecided")


def _accuracy(mean: Mapping[str, Any]) -> float:
    return mean["val_accuracy"].mean or 0.0


def _words(value: Any) -> str:
    """Return a candidate's value as text. Entries of layers are shown by their places, counted from 1."""
    if not isinstance(value, list | tuple):
        return value_in_words(value)
    places = [str(index) for index, entry in enumerate(value, 1 if isinstance(value[0], bool) else 0) if entry]
    return ", ".join(places) or "none"
