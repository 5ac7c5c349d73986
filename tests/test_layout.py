"""Tables within a width: nothing is lost, and no line is too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdeep.report.layout import fitted

cells = st.text("abc ±.0", max_size=12)


@given(st.integers(1, 6).flatmap(lambda k: st.lists(st.lists(cells, min_size=k, max_size=k), min_size=1, max_size=4)))
def test_without_a_width_a_table_is_one_block(rows) -> None:
    lines = fitted(rows)
    assert len(lines) == len(rows)
    assert len(set(map(len, lines))) == 1
    assert fitted(rows, len(lines[0])) == lines


@given(
    st.integers(1, 6).flatmap(lambda k: st.lists(st.lists(cells, min_size=k, max_size=k), min_size=1, max_size=4)),
    st.integers(1, 60),
)
def test_within_a_width_every_cell_is_there_and_only_single_columns_are_wider(rows, width) -> None:
    lines = fitted(rows, width)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    assert max(map(len, lines)) <= max(width, widths[0] + 2 + max(widths[1:], default=0))
    for index, row in enumerate(rows):
        found = "  ".join(lines[index :: len(rows) + 1])
        assert all(cell in found for cell in row)


@pytest.mark.parametrize("width", [80, 100])
def test_a_study_at_a_terminal_repeats_the_first_column(width) -> None:
    headers = ("seed", "best epoch", "epochs", "val loss", "val acc.", "test loss", "test acc.", "seconds")
    row = ("mean", "41.0", "61.0", *["1.4688 ± 0.0134"] * 4, "12.3")
    lines = fitted([headers, row], width)
    assert max(map(len, lines)) <= width
    assert len(lines) == 5
    assert [line.split()[0] for line in lines if line] == ["seed", "mean"] * 2
