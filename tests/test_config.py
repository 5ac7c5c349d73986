"""Configurations: JSON, refusals, equality."""

import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdeep import config as c
from jaxdeep.config import Config, Data, Model, Optim, Train, differences
from jaxdeep.errors import UserError

shares = st.floats(0, 1, exclude_max=True)
positive = st.floats(0, 1e6, exclude_min=True)
counts = st.integers(1, 100_000)


def one_of(choices) -> st.SearchStrategy:
    return st.sampled_from(get_args(choices))


@st.composite
def models(draw: st.DrawFn) -> Model:
    sites = draw(one_of(c.DropoutSites))
    rate = 0.0 if sites == "none" else draw(st.floats(0, 1, exclude_min=True, exclude_max=True))
    return Model(
        tuple(draw(st.lists(counts, min_size=1, max_size=4))),
        draw(one_of(c.Activation)),
        draw(one_of(c.Initializer)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(one_of(c.Dropout)),
        sites,
        rate,
    )


configs = st.builds(
    Config,
    st.builds(Data, one_of(c.Scaling), counts, st.none() | counts),
    models(),
    st.builds(Optim, one_of(c.Optimizer), positive, shares, shares, positive, st.floats(0, 1e6)),
    st.builds(Train, counts, counts, counts, one_of(c.DType)),
)


@given(configs)
def test_a_configuration_survives_json(config):
    again = Config.from_dict(json.loads(json.dumps(config.to_dict(), allow_nan=False)))
    assert again == config
    assert hash(again) == hash(config)
    assert differences(config.to_dict(), again.to_dict()) == {}


@given(configs, configs)
def test_configurations_are_equal_exactly_if_no_field_differs(one, other):
    assert (one == other) == (differences(one.to_dict(), other.to_dict()) == {})
    assert {one: "one"}[replace(one)] == "one"


@pytest.mark.parametrize(
    ("part", "field", "value", "allowed"),
    [
        (Data, "scaling", "minmax", "none, unit, standardize"),
        (Data, "valid_size", 0, "1 or more"),
        (Data, "train_size", 0, "1 or more, or None"),
        (Model, "units", (), "one or more widths"),
        (Model, "units", (100, 0), "one or more widths"),
        (Model, "activation", "rrelu", "linear, sigmoid, tanh, relu, elu, selu, swish"),
        (Model, "kernel_init", "zeros", "he_normal"),
        (Model, "dropout", "gaussian", "dropout, alpha_dropout"),
        (Model, "dropout_sites", "some", "none, head, every"),
        (Model, "dropout_rate", 1.0, "[0, 1)"),
        (Model, "dropout_rate", -0.1, "[0, 1)"),
        (Model, "dropout_rate", float("nan"), "[0, 1)"),
        (Optim, "optimizer", "adam", "nadam, sgd, momentum"),
        (Optim, "learning_rate", 0.0, "above 0"),
        (Optim, "learning_rate", float("nan"), "above 0"),
        (Optim, "beta_1", 1.0, "[0, 1)"),
        (Optim, "beta_2", -1e-9, "[0, 1)"),
        (Optim, "epsilon", 0.0, "above 0"),
        (Optim, "momentum_decay", -1.0, "0 or more"),
        (Train, "batch_size", 0, "1 or more"),
        (Train, "epochs", 0, "1 or more"),
        (Train, "patience", -1, "1 or more"),
        (Train, "dtype", "float16", "float32, float64"),
    ],
)
def test_a_refusal_names_the_field_the_value_and_what_is_allowed(part, field, value, allowed):
    with pytest.raises(UserError) as refusal:
        part(**{field: value})
    message = str(refusal.value)
    assert message.startswith(f"{part.__name__.lower()}.{field} is {value!r}; allowed: ")
    assert allowed in message
    assert "\n" not in message


@pytest.mark.parametrize(("rate", "sites"), [(0.5, "none"), (0.0, "head"), (0.0, "every")])
def test_a_dropout_rate_and_its_sites_go_together(rate, sites):
    with pytest.raises(UserError, match=rf"dropout_rate is {rate} and model.dropout_sites is '{sites}'"):
        Model(dropout_rate=rate, dropout_sites=sites)


def test_a_variant_is_checked_like_the_original():
    with pytest.raises(UserError, match=r"optim\.learning_rate is -1"):
        replace(Optim(), learning_rate=-1)


def test_configurations_are_frozen():
    for part in (Config(), Data(), Model(), Optim(), Train()):
        with pytest.raises(FrozenInstanceError):
            setattr(part, fields(part)[0].name, None)


def test_differences_are_found_at_any_depth_and_where_a_field_is_missing():
    one = {"a": 1, "b": {"c": 2, "d": {"e": [1, 2], "f": None}}, "left": 0}
    other = {"a": 1, "b": {"c": 3, "d": {"e": [1, 3], "f": None}}, "right": {"g": 4}}
    assert differences(one, other) == {
        "b.c": (2, 3),
        "b.d.e": ([1, 2], [1, 3]),
        "left": (0, None),
        "right": (None, {"g": 4}),
    }


def test_what_is_traced_comes_from_the_configuration():
    config = Config(model=Model(dropout_sites="head", dropout_rate=0.25), optim=Optim(learning_rate=0.5, beta_1=0.75))
    assert config.hyper() == c.Hyper(learning_rate=0.5, beta_1=0.75, dropout_rate=0.25)
