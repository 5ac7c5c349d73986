"""A configuration's fields: plain numbers from anything that means one, and one error for everything else."""

import json
import math
import types
import typing
from dataclasses import fields
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from typing import Annotated, Any, get_args, get_origin

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdeep.config import Config, Data, Model, Optim, Regularize, Schedule, Train
from jaxdeep.config.config import checked_values
from jaxdeep.config.fields import hints_of
from jaxdeep.config.parts import PARTS
from jaxdeep.config.values import LARGEST_FLOAT, LARGEST_INT
from jaxdeep.errors import UserError

FIELDS = [(part, of, name) for part, of in PARTS.items() for name in hints_of(of)]
PLAIN = (bool, int, float, str, type(None))


class Size(IntEnum):
    SMALL = 8


class Name(str, Enum):  # noqa: UP042 (whose str is not its value)
    SELU = "selu"


def of_type(*wanted: Any) -> list[tuple[type, str]]:
    """The fields with one of these hints."""
    return [(of, name) for _, of, name in FIELDS if hints_of(of)[name] in wanted]


def is_plain(value: Any) -> bool:
    if type(value) is tuple:
        return all(map(is_plain, value))
    return type(value) in PLAIN


def round_trip(config: Config) -> None:
    """The configuration is plain, and survives JSON: equal, with the same hash and the same text."""
    for part in PARTS:
        assert all(is_plain(getattr(getattr(config, part), name)) for name in hints_of(PARTS[part]))
    text = json.dumps(config.to_dict(), allow_nan=False)
    again = Config.from_dict(json.loads(text))
    assert again == config
    assert hash(again) == hash(config)
    assert json.dumps(again.to_dict()) == text


def refusal(make: Any) -> str:
    """What a refusal says: one line."""
    with pytest.raises(UserError) as found:
        make()
    assert "\n" not in str(found.value)
    assert len(str(found.value)) < 1_000
    return str(found.value)


ALIEN = {
    "dict": {},
    "set": {1},
    "bytes": b"selu",
    "object": object(),
    "complex": 1j,
    "Decimal": Decimal("0.5"),
    "Fraction": Fraction(1, 2),
    "NaN": math.nan,
    "infinity": math.inf,
    "an int of 400 digits": 10**400,
    "an int that has no repr": 10**5000,
    "two dimensions": np.ones((2, 2)),
    "no dimension, an object": np.array(None),
    "masked": np.ma.masked,
    "NaT": np.datetime64("NaT", "s"),
    "a duration": np.timedelta64(5, "ns"),
    "a list of lists": [[1]],
    "a list of nothing": [None],
    "a class": int,
    "a lambda": lambda x: x,
    "another part": Model(),
    "an empty string": "",
    "a number in words": "0.1",
}


@pytest.mark.parametrize("alien", list(ALIEN))
def test_what_no_field_takes_is_refused_by_the_fields_name(alien) -> None:
    for part, of, name in FIELDS:
        if hints_of(of)[name] is str and isinstance(ALIEN[alien], str):
            continue
        message = refusal(lambda of=of, name=name: of(**{name: ALIEN[alien]}))
        assert message.startswith(f"{part}.{name} is ")
        assert ". Allowed: " in message or ", which cannot be recorded: " in message


def test_none_is_for_the_fields_that_say_so() -> None:
    for part, of, name in FIELDS:
        if type(None) in get_args(hints_of(of)[name]):
            assert getattr(of(**{name: None}), name) is None
        else:
            message = refusal(lambda of=of, name=name: of(**{name: None}))
            assert message.startswith(f"{part}.{name} is None. Allowed: ")


@pytest.mark.parametrize("value", [0, 1, 1.0, "yes", "True", [], np.int64(1)])
def test_only_true_and_false_are_truths(value) -> None:
    for of, name in of_type(bool):
        assert refusal(lambda of=of, name=name: of(**{name: value})).endswith(". Allowed: True or False.")


@pytest.mark.parametrize("value", [True, np.True_, 2.5, "5", (5,), LARGEST_INT + 1, 1e300, np.float32(0.5)])
def test_whole_numbers_are_no_truths_no_fractions_and_fit_an_int32(value) -> None:
    for of, name in of_type(int, int | None):
        assert "a whole number" in refusal(lambda of=of, name=name: of(**{name: value}))


@pytest.mark.parametrize("value", [True, np.False_, "0.5", (0.5,), 1e39, -(10**39), [0.5], np.ones(1)])
def test_numbers_are_no_truths_and_fit_a_float32(value) -> None:
    for of, name in of_type(float, float | None, float | tuple[float, ...]):
        if hints_of(of)[name] == float | tuple[float, ...] and np.ndim(value) == 1:
            continue  # a tuple of one entry is the entry
        assert "a number" in refusal(lambda of=of, name=name: of(**{name: value}))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int64(8), 8),
        (np.uint8(8), 8),
        (np.array(8), 8),
        (jnp.asarray(8), 8),
        (Size.SMALL, 8),
        (8.0, 8),
        (np.float32(8), 8),
        (jnp.asarray(8.0), 8),
    ],
    ids=repr,
)
def test_a_whole_number_from_anywhere_is_an_int(value, plain) -> None:
    config = Config(
        Data(valid_size=value, train_size=value, shift_pixels=value),
        Model(units=(value, value)),
        train=Train(value, value, value),
        schedule=Schedule("piecewise", boundaries_epochs=(value,), factors=(1, value), warmup_steps=value),
    )
    assert config.train == Train(plain, plain, plain)
    round_trip(config)


@pytest.mark.parametrize(
    "value",
    [
        np.float32(0.5),
        np.float64(0.5),
        np.float16(0.5),
        np.longdouble(0.5),
        np.array(0.5),
        jnp.asarray(0.5),
        jnp.asarray(0.5, jnp.bfloat16),
    ],
    ids=repr,
)
def test_a_number_from_anywhere_is_a_float(value) -> None:
    config = Config(
        model=Model(dropout_rate=value, dropout_sites="head"),
        optim=Optim(learning_rate=value, beta_1=value, clip_norm=value),
        regularize=Regularize(l1=value, max_norm=value),
    )
    assert config.optim == Optim(learning_rate=0.5, beta_1=0.5, clip_norm=0.5)
    round_trip(config)


@pytest.mark.parametrize("number", [1, 1.0, np.int8(1), np.float64(1), Size(8) - 7])
def test_equal_numbers_are_one_identity(number) -> None:
    one, other = (Config(optim=Optim(learning_rate=rate)) for rate in (number, 1.0))
    assert one == other
    assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())


def test_zero_has_no_sign() -> None:
    assert json.dumps(Config(regularize=Regularize(l1=-0.0)).to_dict()) == json.dumps(Config().to_dict())


@pytest.mark.parametrize(
    "of", [list, tuple, np.array, jnp.asarray, np.ma.array], ids=["list", "tuple", "numpy", "jax", "masked"]
)
def test_a_tuple_from_anywhere_is_a_tuple_of_plain_numbers(of) -> None:
    config = Config(
        model=Model(units=of([8, 8])),
        schedule=Schedule("piecewise", boundaries_epochs=of([2]), factors=of([1.0, 0.5])),
        regularize=Regularize(l2=0.1, penalized=of([0, 2])),
    )
    each = Config(model=Model(units=of([8, 8]), batch_norm=of([True, False]), dropout_rate=of([0, 0.5, 0.25])))
    assert each.model == Model((8, 8), batch_norm=(True, False), dropout_rate=(0.0, 0.5, 0.25))
    round_trip(each)
    assert config.model.units == (8, 8)
    assert config.regularize.penalized == (0, 2)
    round_trip(config)


def test_a_range_is_units_and_a_generator_is_not() -> None:
    assert Model(units=typing.cast(Any, range(8, 10))).units == (8, 9)
    assert "a tuple of whole numbers" in refusal(lambda: Model(units=typing.cast(Any, (8 for _ in range(2)))))


@pytest.mark.parametrize("units", [100, np.int64(100), "100", (8.5,), (True,), ("8",), [[8]], {8: 8}, np.ones((1, 1))])
def test_units_are_a_tuple_of_whole_numbers(units) -> None:
    message = refusal(lambda: Model(units=units))
    assert message.startswith("model.units is ")
    assert message.endswith(". Allowed: a tuple of whole numbers, such as (8, 8).")


@pytest.mark.parametrize("value", [np.str_("selu"), np.array("selu"), Name.SELU], ids=repr)
def test_a_name_from_anywhere_is_a_str(value) -> None:
    assert type(Model(activation=value).activation) is str
    round_trip(Config(model=Model(activation=value)))


@pytest.mark.parametrize("value", [int, Model, np.ndarray])
def test_a_class_is_no_function(value) -> None:
    assert "is a class. Define it by `def`" in refusal(lambda: Model(activation=value))


@pytest.mark.parametrize("largest", [LARGEST_FLOAT, np.finfo(np.float32).max])
def test_the_largest_float_is_that_of_a_float32(largest) -> None:
    assert Optim(learning_rate=largest).learning_rate == float(np.finfo(np.float32).max)


def test_a_traced_number_is_refused() -> None:
    def traced(rate: jax.Array) -> jax.Array:
        Optim(learning_rate=typing.cast(Any, rate))
        return rate

    assert "optim.learning_rate is " in refusal(lambda: jax.jit(traced)(0.5))


@pytest.mark.parametrize("name", list(PARTS))
@pytest.mark.parametrize("value", [None, {}, Config(), Data, "data", 0])
def test_a_part_is_of_its_own_class(name, value) -> None:
    assert refusal(lambda: Config(**{name: value})).startswith(f"{name} is ")
    assert refusal(lambda: Config(**{name: value})).endswith(f". Allowed: a {PARTS[name].__name__}.")


def test_parts_in_each_others_places_are_refused() -> None:
    swapped: Any = Model()
    assert refusal(lambda: Config(swapped)).endswith(". Allowed: a Data.")


@pytest.mark.parametrize("plain", [None, [], "config", 5, {"data": None}, {"data": []}, {"data": 5}, {1: {}}])
def test_a_configuration_is_read_from_mappings(plain) -> None:
    refusal(lambda: Config.from_dict(plain))


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    assert refusal(lambda: Config.from_dict({"optm": {}})).endswith(". Perhaps you mean optim.")
    assert refusal(lambda: Config.from_dict({"train": {"epoch": 5}})).endswith(". Perhaps you mean epochs.")
    assert refusal(lambda: Config.from_dict({"train": {3: 5}})).startswith("train has 3, which this version")


VALUES = {
    "optim.learning_rat": ({"optim.learning_rat": 0.1}, "Perhaps you mean optim.learning_rate"),
    "optim": ({"optim": 0.1}, "no field 'optim'"),
    "a number": ({1: 0.1}, "no field 1"),
    "another value": ({"optim.learning_rate": 0.1}, "the configuration's is 0.001"),
    "another type": ({"model.units": "8"}, "a tuple of whole numbers"),
    "not a number": ({"optim.learning_rate": math.nan}, "the configuration's is 0.001"),
    "a list": ([("optim.learning_rate", 0.1)], "a mapping"),
    "nothing": (None, "a mapping"),
}


@pytest.mark.parametrize("case", list(VALUES))
def test_what_a_study_varies_is_what_the_configuration_says(case) -> None:
    values, message = VALUES[case]
    assert message in refusal(lambda: checked_values(Config(), values))


def test_varied_values_are_the_configurations_own() -> None:
    config = Config(optim=Optim(learning_rate=1.0), model=Model(units=(8, 8)))
    found = checked_values(config, {"optim.learning_rate": np.int64(1), "model.units": np.array([8, 8])})
    assert found == {"optim.learning_rate": 1.0, "model.units": (8, 8)}
    assert all(map(is_plain, found.values()))


def names_of(hint: Any) -> tuple[Any, ...]:
    """The names that a hint allows, in whatever it is wrapped."""
    if get_origin(hint) is typing.Literal:
        return get_args(hint)
    if get_origin(hint) in (typing.Union, types.UnionType, Annotated):
        return tuple(name for inner in get_args(hint) if not isinstance(inner, str) for name in names_of(inner))
    return ()


numbers = st.one_of(
    st.integers(-3, 12),
    st.integers(),
    st.floats(),
    st.floats(0, 1),
    st.booleans(),
    st.sampled_from([2**31, 2**63, 10**400, np.int64(3), np.float32(0.5), np.bool_(True), np.array(4), np.array(0.25)]),
    st.decimals(),
    st.fractions(),
    st.complex_numbers(),
)
scalars = st.one_of(st.none(), numbers, st.text(max_size=5), st.binary(max_size=3), st.just(len), st.builds(object))
anything = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.tuples(numbers),
    st.dictionaries(st.text(max_size=2), scalars, max_size=1),
    st.sampled_from([np.ones(2), np.ones((2, 2)), np.array(["selu"]), np.array([3, 4]), np.ma.masked]),
)


@st.composite
def part_values(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """For a few fields: any value, or one that is likely to be right."""
    found: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for part, of, name in draw(st.lists(st.sampled_from(FIELDS), max_size=3)):
        likely = st.sampled_from(names_of(hints_of(of)[name]) or (getattr(of(), name),))
        found[part][name] = draw(st.one_of(anything, likely, numbers))
    return found


@settings(max_examples=200)
@given(part_values())
def test_any_value_makes_a_configuration_that_survives_json_or_is_refused(values) -> None:
    try:
        config = Config.from_dict(values)
    except UserError:
        return
    if not any(callable(value) for inner in values.values() for value in inner.values()):
        round_trip(config)
    assert config.static() == config.static()
    assert all(type(value) is float for value in jax.tree.leaves(config.hyper()))


def test_every_field_has_a_rule() -> None:
    """A new field of a type that no rule covers is found here."""
    for _, of, name in FIELDS:
        assert getattr(of(), name) == {field.name: field.default for field in fields(of)}[name]
