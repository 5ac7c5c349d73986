"""The flags of a tuning's budget, and the flags that do not go with them."""

from collections.abc import Mapping
from typing import Any, Final

from jaxdeep.errors import UserError
from jaxdeep.study.budget import FEWEST_RATES, MOST_RATES, SEEDS_APART, Budget

TUNE_FLAGS: Final = ("tune_rates", "tune_seeds", "tune_epochs")
"""Fields of the command that are the budget of --tune."""
NOT_WITH_TUNE: Final = ("grid", "space", "samples", "halving", "folds", "find_lr", "summary", "workdir")
"""Fields of the command that have no place in a tuning."""


def check_tune(given: Mapping[str, Any], *, seeds: int, is_asked: bool) -> None:
    """Refuse flags that do not go with --tune, and a budget without it.

    Args:
        given: Value of `tune`, of TUNE_FLAGS and of NOT_WITH_TUNE by the name of the field.
        seeds: Number of fresh seeds.
        is_asked: Whether uncertainty is requested.

    Raises:
        UserError: A flag has no effect, or does not go with --tune.
    """
    if not given["tune"]:
        for name in TUNE_FLAGS:
            if given[name] is not None:
                raise UserError(f"{_flag(name)} has no effect without --tune. Remove it, or add --tune.")
        return
    if any(given[name] not in ((), None, False) for name in NOT_WITH_TUNE):
        *first, last = map(_flag, NOT_WITH_TUNE)
        raise UserError(
            f"--tune searches the learning rate by itself, in folders of its own. Remove {', '.join(first)} and {last}."
        )
    if is_asked:
        raise UserError(
            "--mc-samples and --ensemble do not go with --tune. Give them to the command that trains the best rate."
        )
    if seeds > SEEDS_APART:
        raise UserError(f"--seeds is {seeds}. Give {SEEDS_APART:,} at most with --tune.")


def budget_of(given: Mapping[str, Any]) -> Budget:
    """Return the budget of a tuning.

    Args:
        given: Value of each of TUNE_FLAGS by the name of the field. None takes the default.

    Raises:
        UserError: A value is out of its range.
    """
    values = {name: given[name] for name in TUNE_FLAGS if given[name] is not None}
    for name, value in values.items():
        least, most = (FEWEST_RATES, MOST_RATES) if name == "tune_rates" else (1, value)
        if not least <= value <= most:
            allowed = f"{least} to {most}" if name == "tune_rates" else f"{least} or more"
            raise UserError(f"{_flag(name)} is {value}. Give {allowed}.")
    return Budget(**{name.removeprefix("tune_"): value for name, value in values.items()})


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
