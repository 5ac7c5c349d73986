"""Tables that do not wrap: rows as lines, in as many blocks as a width needs."""

from collections.abc import Iterator, Sequence
from typing import Final

GAP: Final = 2
"""Spaces between two columns."""


def fitted(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    r"""Lay out rows as lines of columns of equal width.

    A table that is wider than the width becomes several blocks of columns, with an empty line between two. Each block
    begins with the first column. A column that does not fit beside the first one has a block of its own, and is wider
    than the width.

    Args:
        rows: Cells [N][K], the headers first, every row with K of 1 or more.
        width: Characters of a line at most. None: no limit.

    >>> fitted([("a", "bb"), ("ccc", "d")])
    ['  a  bb', 'ccc   d']
    >>> print("\n".join(fitted([("seed", "loss", "acc."), ("42", "1.5", ".47")], width=10)))
    seed  loss
      42   1.5
    <BLANKLINE>
    seed  acc.
      42   .47
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines: list[str] = []
    for block in _blocks(widths, width):
        lines += [""] if lines else []
        lines += [(" " * GAP).join(row[index].rjust(widths[index]) for index in block) for row in rows]
    return lines


def _blocks(widths: Sequence[int], width: int | None) -> Iterator[list[int]]:
    """Yield the columns of each block."""
    block, used = [0], widths[0]
    for index in range(1, len(widths)):
        more = GAP + widths[index]
        if width is not None and used + more > width and len(block) > 1:
            yield block
            block, used = [0], widths[0]
        block.append(index)
        used += more
    yield block
