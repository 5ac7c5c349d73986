"""Divide rows into parts: at random with every class in its share, or by groups."""

from typing import Any

import numpy as np

from jaxdeep.config import Data
from jaxdeep.config.seeds import plain_seed
from jaxdeep.config.values import shown
from jaxdeep.errors import UserError


def split_rows(
    labels: np.ndarray, groups: np.ndarray | None, test: Any, data: Data, split_seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Divide rows into a test, a validation and a training part.

    The rows of a class lie at equal distances in the order that the parts are cut from. So each part has its share of
    the class, and a rare class is in the last part, which trains.

    Args:
        labels: Labels [N], of a type that can be sorted.
        groups: Number of each row's group [N]. A group's rows stay together, and classes have no share then. None: rows
            are divided by class.
        test: Share of the rows for the test part, above 0 and below 1, or their number. None leaves it empty.
        data: Configuration with the size of the validation part. A share is one of all rows.
        split_seed: Seed of the order, in 0 .. 2^32 - 1.

    Returns:
        Indices of the test, validation and training rows, each in random order.

    Raises:
        UserError: A size is out of its range, or a part has no rows left.
    """
    counts = (0 if test is None else _test_rows(test, len(labels)), data.valid_rows(len(labels)))
    if sum(counts) >= len(labels):
        raise UserError(
            f"there are {len(labels)} rows, and {counts[0]} test and {counts[1]} validation rows leave none for "
            "training. Give a smaller test or data.valid_size, or more rows."
        )
    rng = np.random.default_rng(plain_seed(split_seed, "split_seed"))
    shuffled = rng.permutation(len(labels))
    if groups is None:
        _, codes, sizes = np.unique(labels[shuffled], return_inverse=True, return_counts=True)
        ranks = np.empty(len(labels))
        ranks[np.argsort(codes, kind="stable")] = np.concatenate([np.arange(size) for size in sizes])
        places = (ranks + 0.5) / sizes[codes]
        ordered, ends = shuffled[np.argsort(places, kind="stable")], np.cumsum(counts)
    else:
        ordered, ends = _whole_groups(groups[shuffled], shuffled, counts)
    of_test, of_valid, of_train = (rng.permutation(part) for part in np.split(ordered, ends))
    return of_test, of_valid, of_train


def _test_rows(test: Any, rows: int) -> int:
    """Return the number of test rows of a share or a number."""
    try:
        return Data(valid_size=test).valid_rows(rows)
    except UserError:
        raise UserError(
            f"test is {shown(test)}. Give a share above 0 and below 1, a number of rows, or a part of its own."
        ) from None


def _whole_groups(groups: np.ndarray, shuffled: np.ndarray, counts: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows ordered by group, and the places where whole groups end that are nearest to the counts."""
    _, first, codes, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    drawn = np.argsort(first)  # a group comes when its first row is drawn
    places = np.empty(len(drawn), np.int64)
    places[drawn] = np.arange(len(drawn))
    borders = np.concatenate([[0], np.cumsum(sizes[drawn])])
    needed = 1 + np.count_nonzero(counts)
    if len(drawn) < needed:
        raise UserError(f"there are {len(drawn)} groups, and {needed} parts need one each. Give more groups.")
    ends, at, total = [], 0, 0
    for index, count in enumerate(counts):
        total += count
        if count:
            nearest, parts_left = int(np.argmin(np.abs(borders - total))), len(counts) - index
            at = min(max(nearest, at + 1), len(drawn) - parts_left)
        ends.append(borders[at])
    return shuffled[np.argsort(places[codes], kind="stable")], np.asarray(ends)
