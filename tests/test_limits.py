"""Numbers beyond what the programs count in are refused, and so are searches that would never end."""

import math

import pytest

from jaxdeep import Schedule, UserError, hyperband, successive_halving
from jaxdeep.optim.schedules import Length, check_length


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "3", None, True, math.nan, (1,), 2**31], ids=repr)
def test_a_search_is_of_whole_numbers(wrong) -> None:
    for name, make in {
        "candidates": lambda: successive_halving(wrong, 9),
        "epochs": lambda: successive_halving(9, wrong),
        "eta": lambda: successive_halving(9, 9, wrong),
    }.items():
        with pytest.raises(UserError, match=rf"^{name} is .*\. Allowed: .*[12] or more"):
            make()
    with pytest.raises(UserError, match=r"^epochs is "):
        hyperband(wrong)
    with pytest.raises(UserError, match=r"^eta is "):
        hyperband(9, wrong)


def test_one_of_one_point_never_ends() -> None:
    with pytest.raises(UserError, match=r"eta is 1\. Allowed: 2 or more"):
        hyperband(9, 1)


@pytest.mark.parametrize("kind", ["onecycle", "cosine"])
def test_a_schedule_as_long_as_the_run_counts_in_an_int32(kind) -> None:
    check_length(Schedule(kind), Length(1, 2**31 - 1))
    with pytest.raises(UserError, match=r"2147483648 in all\. Give 2147483647 steps at most"):
        check_length(Schedule(kind), Length(2, 2**30))
    check_length(Schedule(), Length(2, 2**30))
