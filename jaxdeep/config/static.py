"""Configuration that programs are compiled for, without the values of its traced numbers."""

import copy
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, NoReturn, TypeVar

from jaxdeep.config.data import Data
from jaxdeep.config.model import Model
from jaxdeep.config.optim import Optim
from jaxdeep.config.regularize import Regularize
from jaxdeep.config.schedule import Schedule
from jaxdeep.config.train import Train

Part = TypeVar("Part")


class TracedNumber:
    """A mark in place of a number that a compiled program takes as an argument.

    It has no value. Arithmetic and comparisons would build a constant into the program, and are refused. Two marks are
    equal only as the same object, as a hashable configuration needs.
    """

    def __repr__(self) -> str:
        return "<a traced number>"

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError("a static configuration has no value for a traced number. Read it from Hyper")

    __bool__ = __float__ = __int__ = __index__ = __array__ = __neg__ = __abs__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __pow__ = __rpow__ = _refuse


TRACED_NUMBER: Final = TracedNumber()


class UnreadField:
    """A mark in place of a field that a compiled program does not read. Whatever reads it is refused.

    So a program that begins to read a field cannot be shared by configurations that differ in it. The mark is equal to
    itself, as a hashable configuration needs.
    """

    def __repr__(self) -> str:
        return "<a field that the program does not read>"

    def _refuse(self, *_: Any) -> NoReturn:
        raise TypeError("the program is shared by configurations that differ in this field. Let `reduced` keep it")

    def __eq__(self, other: object) -> bool:
        return True if other is self else self._refuse()

    def __hash__(self) -> int:
        return id(type(self))

    __call__ = __iter__ = __len__ = __str__ = __bool__ = __float__ = __int__ = __index__ = __array__ = _refuse
    __neg__ = __abs__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = _refuse
    __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __rpow__ = _refuse


UNREAD_FIELD: Final = UnreadField()


class Trained(NamedTuple):
    """Layers that a program trains, and how. By default it trains all of them.

    Attributes:
        frozen: Indices of the layers that it does not train, in ascending order.
        first: Index of the first layer that it runs. The data set holds the outputs of the layers before it.
        slowed: Number of first layers whose learning rate has a factor of its own.
    """

    frozen: tuple[int, ...] = ()
    first: int = 0
    slowed: int = 0


@dataclass(frozen=True)
class Static:
    """A configuration that programs are compiled for. It cannot be trained.

    It has the parts of a `Config`. A `TracedNumber` replaces each traced number, unless the number is 0 or None because
    its penalty, its constraint or its dropout is absent.
    """

    data: Data
    model: Model
    optim: Optim
    train: Train
    schedule: Schedule
    regularize: Regularize
    trained: Trained = Trained()  # noqa: RUF009 (immutable)

    @property
    def network(self) -> Model:
        """Return the architecture that is trained."""
        return self.model


def with_traced(part: Part, **is_traced: bool | tuple[bool, ...]) -> Part:
    """Return a copy of a part in which marks stand for its traced numbers.

    Args:
        part: A frozen dataclass, such as an `Optim`.
        **is_traced: Whether a field becomes a mark, by the field. A field that is a tuple has an answer for each of its
            entries. All others keep their values.
    """
    static = copy.copy(part)
    for name, traced in is_traced.items():
        value = getattr(part, name)
        if isinstance(traced, tuple):
            value = tuple(TRACED_NUMBER if is_one else entry for is_one, entry in zip(traced, value, strict=True))
        elif traced:
            value = TRACED_NUMBER
        object.__setattr__(static, name, value)  # the part's own checks are for values
    return static


def unread(part: Part, **kept: Any) -> Part:
    """Return a copy of a part in which marks stand for the fields that a program does not read.

    Args:
        part: A frozen dataclass, such as a `Train`.
        **kept: Value of each field that the program reads, by the field.
    """
    static = copy.copy(part)
    for name in vars(part):
        object.__setattr__(static, name, kept.get(name, UNREAD_FIELD))  # the part's own checks are for values
    return static
