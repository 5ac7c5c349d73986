"""Values that no field of a configuration takes, or no field of a type, from Python, from JSON and as words."""

import math
import types
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import numpy as np

from jaxdeep.config.fields import hints_of
from jaxdeep.config.parts import PARTS

ALIEN: Final[dict[str, Any]] = {
    "a dictionary": {},
    "a set": {1},
    "bytes": b"selu",
    "an object": object(),
    "complex": 1j,
    "Decimal": Decimal("0.5"),
    "Fraction": Fraction(1, 2),
    "NaN": math.nan,
    "infinity": math.inf,
    "-infinity": np.float32(-math.inf),
    "10^400": 10**400,
    "an empty string": "",
    "a number in words": "0.1",
    "NumPy's NaN": np.float64(math.nan),
    "masked": np.ma.masked,
    "NaT": np.datetime64("NaT", "s"),
    "a matrix": np.ones((2, 2)),
    "an array of objects": np.array([None, "x"], object),
    "a class": int,
    "a lambda": lambda x: x,
}
"""Values that no field takes."""
JSON: Final[dict[str, Any]] = {"an object": {}, "nested": [[1]], "null inside": [None], "NaN": math.nan, "words": "0.1"}
"""Values that JSON can hold and no field takes."""
OF_TYPE: Final[dict[str, dict[str, Any]]] = {
    "bool": {"1": 1, "yes": "yes", "1.0": 1.0, "NumPy's 1": np.int8(1)},
    "int": {"2.5": 2.5, "True": True, "2^31": 2**31, "-1": -1, "NumPy's 2.5": np.float32(2.5), "5 in words": "5"},
    "float": {"True": True, "1e39": 1e39, "-1e39": np.float64(-1e39), "a list": [0.5]},
    "tuple": {
        "an int": 100,
        "words": "8, 8",
        "a fraction": (8.5,),
        "True": (True,),
        "-1": (-1,),
        "None inside": (None,),
    },
    "name": {"swoosh": "swoosh", "a list": ["selu"], "a number": 1, "in capitals": "SELU"},
    "str": {"a list": ["runs"], "a number": 1, "True": True},
}
"""Type of a field -> values that no such field takes."""
WORDS: Final[dict[str, tuple[str, ...]]] = {
    "bool": ("yes", "1", "", "None"),
    "int": ("2.5", "x", "", "nan", "-1", "99999999999999", "1e3"),
    "float": ("x", "", "nan", "inf", "-1e400", "-1e39", "1,5"),
    "tuple": ("x", "2.5", "", "-1", "nan"),
    "name": ("swoosh", "", "1", "None"),
    "str": ("no/such/network.npz", "1"),
}
"""Type of a field -> words of the command line that no such field takes."""


class BadField(NamedTuple):
    """A field of a configuration.

    Attributes:
        part: Name of the configuration's part, such as "train".
        name: Name of the field, such as "epochs".
        owner: Class of the part.
        kind: Type of the field: "bool", "int", "float", "tuple", "name" or "str".
        optional: Whether None is allowed.
    """

    part: str
    name: str
    owner: type
    kind: str
    optional: bool

    @property
    def dotted(self) -> str:
        """Return the dotted name, such as "train.epochs"."""
        return f"{self.part}.{self.name}"


def fields() -> list[BadField]:
    """Return all fields of a configuration."""
    return [
        BadField(part, name, owner, _kind(hint), types.NoneType in get_args(hint))
        for part, owner in PARTS.items()
        for name, hint in hints_of(owner).items()
    ]


def alien_to(field: BadField, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a field does not take: no strings for a field of strings, no bools for a field of bools.

    Args:
        field: Field of a configuration.
        values: Values by their names.
    """
    hint = hints_of(field.owner)[field.name]
    taken = tuple(kind for kind in (str, bool) if kind is hint or kind in get_args(hint))
    is_taken = {
        name: isinstance(value[0] if isinstance(value, tuple) else value, taken) for name, value in values.items()
    }
    return {name: value for name, value in values.items() if not (taken and is_taken[name])}


def _kind(hint: Any) -> str:
    """Return the kind of a field from its type hint."""
    origin, arguments = get_origin(hint), get_args(hint)
    # a field of a name or a tuple counts as a tuple, where a wrong name is wrong too
    if origin in (Union, types.UnionType):
        return _kind(arguments[0] if arguments[1] is types.NoneType else arguments[1])
    if origin in (Literal, Annotated):
        return "name"
    return "tuple" if origin is tuple else hint.__name__
