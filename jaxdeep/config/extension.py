"""Runs that continue shorter ones: their epochs were raised and nothing else."""

from collections.abc import Mapping
from typing import Any, Final

from jaxdeep.config.compare import differences, refuse_other
from jaxdeep.config.identity import comparable
from jaxdeep.config.schedule import USERS
from jaxdeep.errors import UserError

EPOCHS: Final = "config.train.epochs"
AS_LONG_AS_THE_RUN: Final = USERS["total_steps"]
"""Schedules whose factor depends on the number of epochs."""


def is_extension(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Say whether one run is the beginning of another.

    It is if only their epochs differ and more epochs leave the first ones as they are. Both are records of `fit` or of
    a run folder.

    Args:
        found: Run that was recorded as nested JSON values.
        wanted: Run that is asked for as nested JSON values.

    >>> short, long = ({"config": {"train": {"epochs": n}, "schedule": {"kind": "constant"}}} for n in (5, 8))
    >>> is_extension(short, long), is_extension(long, short), is_extension(long, long)
    (True, False, False)
    """
    found, wanted = comparable(found), comparable(wanted)
    return set(differences(found, wanted)) == {EPOCHS} and obstacle(found, wanted) is None


def check_continues(folder: str, found: Mapping[str, Any], wanted: Mapping[str, Any], by: str = "") -> None:
    """Refuse a folder that holds neither a run nor its beginning.

    Args:
        folder: Name of the folder in messages.
        found: Run that the folder holds as nested JSON values.
        wanted: Run that is asked for as nested JSON values.
        by: Version that wrote the folder in messages, such as " (written by jaxdeep 0.1.0)".

    Raises:
        UserError: Other fields than the epochs differ or more epochs do not continue the run. The message says which.
    """
    found, wanted = comparable(found), comparable(wanted)
    differing = differences(found, wanted)
    if set(differing) != {EPOCHS}:
        refuse_other(folder, found, wanted, by)
    elif (reason := obstacle(found, wanted)) is not None:
        was, now = differing[EPOCHS]
        raise UserError(
            f"{folder} holds another run{by}: {EPOCHS} (there {was!r}, here {now!r}). {reason}. "
            "Choose another folder, or --overwrite it."
        )


def obstacle(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """Return why a run that differs in its epochs does not continue another, or None if it does.

    Args:
        found: Run that was recorded as nested JSON values.
        wanted: Run that is asked for as nested JSON values.
    """
    was, now = (run["config"]["train"]["epochs"] for run in (found, wanted))
    if not isinstance(was, int) or not isinstance(now, int) or now <= was:
        return "Epochs can be raised, not lowered"
    if halving := wanted.get("halving"):
        return f"The rounds of --halving {halving} depend on the epochs"
    for kind in _values(wanted, "schedule", "kind"):
        if kind in AS_LONG_AS_THE_RUN:
            return f"The rates of schedule {kind} depend on the epochs"
    unfreeze, epoch = (_values(wanted, "transfer", name) for name in ("unfreeze", "unfreeze_epoch"))
    if None in epoch and any(unfreeze):
        return "The phases of transfer.unfreeze_epoch None depend on the epochs"
    return None


def _values(run: Mapping[str, Any], part: str, field: str) -> list[Any]:
    """Return the values that the trials of a run have in a field. A run of an earlier version may lack the field."""
    values = (run.get("grid") or {}).get(f"{part}.{field}")
    return values or [of[field] for of in [run["config"].get(part) or {}] if field in of]
