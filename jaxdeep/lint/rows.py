"""Mistakes that the rows and their labels show."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.info import Split
from jaxdeep.lint.finding import SHARE_OF_COPIES, Finding

PARTS: Final = {"train": "training", "valid": "validation", "test": "test"}
UNLESS: Final = "unless your rows repeat by nature"


def test_rows_for_validation(config: Config, data: Dataset) -> Finding | None:
    """Find that the test rows are the validation rows too."""
    if not config.data.validate_on_test:
        return None
    return Finding(
        "test-rows-for-validation",
        f"data.validate_on_test is True: the {data.test.size:,} test rows choose the epoch, so figures on them are too "
        "good. Set it to False.",
        6,
    )


def labels_outside_classes(data: Dataset) -> Finding | None:
    """Find labels that are not in 0 .. C - 1, of whichever part."""
    for name, part in PARTS.items():
        labels = getattr(data, name).own_labels
        if data.task != "classification":
            return None
        outside = labels[(labels < 0) | (labels >= data.classes)]
        if len(outside):
            return Finding(
                "labels-outside-classes",
                f"{len(outside):,} {part} labels are not in 0 .. {data.classes - 1}, the first is {outside[0]}: their "
                "loss is NaN, without an error. Number the classes from 0, or give the network more of them.",
                4,
            )
    return None


def class_without_rows(data: Dataset) -> Finding | None:
    """Find classes that no training row has."""
    if data.task != "classification":
        return None
    missing = np.setdiff1d(np.arange(data.classes), data.train.own_labels)
    if not len(missing):
        return None
    named = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    return Finding(
        "class-without-rows",
        f"{len(missing)} of {data.classes} classes have no training row ({named}): the network never learns them. "
        "Shuffle rows that are sorted by class, or number the classes without gaps.",
        4,
    )


def copied_rows(data: Dataset) -> tuple[Finding, ...]:
    """Find rows that stand in two parts, or in training twice, with the same label and the same bits.

    Fewer than SHARE_OF_COPIES of a part's rows are no finding.
    """
    prints = {name: _fingerprints(getattr(data, name)) for name in PARTS}
    again = len(prints["train"]) - len(np.unique(prints["train"]))
    found = [_copies(prints, "train", "valid", 5), _copies(prints, "train", "test", 6)]
    if data.valid is not data.test:  # or test_rows_for_validation finds it
        found.append(_copies(prints, "valid", "test", 6))
    if again > SHARE_OF_COPIES * len(prints["train"]):
        found.append(
            Finding(
                "duplicated-training-rows",
                f"{_share(again, len(prints['train']))} training rows are copies of another one: the training set is "
                f"smaller than it looks. Take each row once, {UNLESS}.",
                5,
            )
        )
    return tuple(finding for finding in found if finding is not None)


def _copies(prints: Mapping[str, np.ndarray], of: str, held_out: str, source: int) -> Finding | None:
    count, rows = int(np.isin(prints[held_out], prints[of]).sum()), len(prints[held_out])
    if count <= SHARE_OF_COPIES * rows:
        return None
    use = "figures on them say nothing of new rows" if of == "train" else "what chooses the epoch also reports on it"
    return Finding(
        f"{PARTS[held_out]}-rows-in-{PARTS[of]}",
        f"{_share(count, rows)} {PARTS[held_out]} rows are copies of {PARTS[of]} rows: {use}. "
        f"Keep each row in one part, {UNLESS}.",
        source,
    )


def _share(count: int, rows: int) -> str:
    return f"{count:,} of {rows:,} ({count / rows:.1%})"


def _fingerprints(split: Split) -> np.ndarray:
    """Return a hash [n] of each row with its label, of type int64.

    Any two of a million different rows share one at odds of 3e-8.
    """
    images, labels = np.asarray(split.images), split.own_labels
    rows = zip(split.own_rows, labels, strict=True)
    hashes = (hash((images[row].tobytes(), label.tobytes())) for row, label in rows)
    return np.fromiter(hashes, np.int64, len(labels))
