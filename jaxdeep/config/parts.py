"""The parts of a configuration, and the names of their fields."""

import difflib
from collections.abc import Mapping
from typing import Any, Final

from jaxdeep.config.data import Data
from jaxdeep.config.fields import hints_of
from jaxdeep.config.model import Model
from jaxdeep.config.optim import Optim
from jaxdeep.config.regularize import Regularize
from jaxdeep.config.schedule import Schedule
from jaxdeep.config.train import Train
from jaxdeep.config.transfer import Transfer
from jaxdeep.config.values import shown
from jaxdeep.errors import UserError

PARTS: Final = {
    "data": Data,
    "model": Model,
    "optim": Optim,
    "train": Train,
    "schedule": Schedule,
    "regularize": Regularize,
    "transfer": Transfer,
}
ALIASES: Final = {"epochs": "train.epochs", "lr": "optim.learning_rate", "batch-size": "train.batch_size"}
"""Short name -> field. The command line has them as flags."""


def field_hints() -> dict[str, Any]:
    """Return the type hint of each field, by dotted name."""
    return {f"{part}.{name}": hint for part, of in PARTS.items() for name, hint in hints_of(of).items()}


def dotted_name(what: str, name: Any) -> str:
    """Return the dotted name of a field as the command line reads it. Short names and hyphens are allowed.

    Args:
        what: Argument or flag that has the name in messages.
        name: A name such as "optim.learning_rate" or "lr".

    Raises:
        UserError: There is no such field. The message has the nearest one.

    >>> dotted_name("changes", "lr"), dotted_name("changes", "train.batch-size")
    ('optim.learning_rate', 'train.batch_size')
    """
    given, hints = str(name), field_hints()
    found = ALIASES.get(given.replace("_", "-"), given.replace("-", "_"))
    if found not in hints:
        nearest = difflib.get_close_matches(found, hints, n=1)
        advice = f"Perhaps you mean {nearest[0]}." if nearest else "Give one such as optim.learning_rate."
        raise UserError(f"{what}: there is no field {name!r}. {advice}")
    return found


def by_part(changes: Any) -> dict[str, dict[str, Any]]:
    """Sort changed fields by their parts.

    Args:
        changes: A mapping from names that `dotted_name` reads to values.

    Returns:
        Part -> field -> value, for the parts that change.

    Raises:
        UserError: It is no mapping or there is no such field. Or two names mean one field.

    >>> by_part({"lr": 0.1, "optim.optimizer": "sgd"})
    {'optim': {'learning_rate': 0.1, 'optimizer': 'sgd'}}
    """
    if not isinstance(changes, Mapping):
        raise UserError(f'changes is {shown(changes)}. Give a mapping, such as {{"optim.learning_rate": 1e-3}}')
    found: dict[str, dict[str, Any]] = {}
    for name, value in changes.items():
        part, _, field = dotted_name("changes", name).partition(".")
        if field in found.get(part, {}):
            raise UserError(f"changes: {part}.{field} is given twice. Give it once, under one name")
        found.setdefault(part, {})[field] = value
    return found
