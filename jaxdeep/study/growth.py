"""The relation of two studies: the same, one that has grown, a part of a larger one, or another one."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from jaxdeep.config.compare import differences
from jaxdeep.config.extension import EPOCHS, obstacle
from jaxdeep.config.identity import comparable

MAY_GROW: Final = ("seeds", "grid", "samples")
"""Parts of a study's identity that may gain values. All trials of the smaller study then stay trials."""


class Relation(Enum):
    """How the requested study relates to the stored one."""

    SAME = "the same study"
    LONGER = "the same trials and perhaps more, each with more epochs"
    GROWN = "the same trials and more"
    SMALLER = "some of its trials"
    OTHER = "another study"


def relation(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> Relation:
    """Return how the requested study relates to the stored one.

    A study grows by seeds, by values of its grid, or by samples of its space. The first seed draws folds and samples,
    so it must stay the same for them. The rounds of a search by halving depend on all candidates. Such a study cannot
    grow.

    Args:
        stored: Identity of the stored study as nested JSON values.
        wanted: Identity of the requested study as nested JSON values.

    >>> one = {"config": {"train": {"epochs": 5}}, "seeds": [1]}
    >>> relation(one, {**one, "seeds": [1, 2]}), relation({**one, "seeds": [1, 2]}, one)
    (<Relation.GROWN: 'the same trials and more'>, <Relation.SMALLER: 'some of its trials'>)
    """
    stored, wanted = comparable(stored), comparable(wanted)
    differing = {name.partition(".")[0] if name.startswith("grid") else name for name in differences(stored, wanted)}
    if not differing:
        return Relation.SAME
    if not differing <= {EPOCHS, *MAY_GROW}:
        return Relation.OTHER
    if EPOCHS in differing:
        holds = differing == {EPOCHS} or _holds(wanted, stored)
        return Relation.LONGER if holds and obstacle(stored, wanted) is None else Relation.OTHER
    if _holds(stored, wanted):  # or the same trials in another order
        return Relation.SMALLER
    return Relation.GROWN if _holds(wanted, stored) else Relation.OTHER


def _holds(larger: Mapping[str, Any], smaller: Mapping[str, Any]) -> bool:
    """Return whether all trials of a smaller study are trials of a larger one. They differ in MAY_GROW at most."""
    if larger.get("halving"):
        return False
    is_drawn = bool(larger.get("folds") or larger.get("space"))
    if is_drawn and larger["seeds"][0] != smaller["seeds"][0]:
        return False
    if larger.get("space"):
        if larger.get("grid") != smaller.get("grid") or (larger.get("samples") or 0) < (smaller.get("samples") or 0):
            return False
    elif not _grid_holds(larger.get("grid") or {}, smaller.get("grid") or {}):
        return False
    return _contains(larger["seeds"], smaller["seeds"])


def _grid_holds(larger: Mapping[str, Any], smaller: Mapping[str, Any]) -> bool:
    return larger.keys() == smaller.keys() and all(_contains(larger[name], smaller[name]) for name in larger)


def _contains(larger: list[Any], smaller: list[Any]) -> bool:
    return all(value in larger for value in smaller)
