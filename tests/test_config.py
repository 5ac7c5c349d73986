"""Configurations: JSON, refusals, equality."""

import itertools
import json
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any, get_args

import jax
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxdeep import config as c
from jaxdeep.config import Config, Data, Model, Optim, Regularize, Schedule, Train, choices, differences
from jaxdeep.config import model as model_part
from jaxdeep.config import optim as optim_part
from jaxdeep.config import schedule as schedule_part
from jaxdeep.errors import UserError

PARTS = (Data, Model, Optim, Train, Schedule, Regularize)

shares = st.floats(0, 1, exclude_max=True)
above_0 = st.floats(0, 1e6, exclude_min=True)
from_0 = st.floats(0, 1e6)
finite = st.floats(-1e6, 1e6)
counts = st.integers(1, 100_000)


def one_of(literal: Any) -> st.SearchStrategy:
    return st.sampled_from(get_args(literal))


def cubic(x: jax.Array) -> jax.Array:
    return x**3


@jax.jit
def compiled(x: jax.Array) -> jax.Array:
    return x


@jax.custom_jvp
def with_own_derivative(x: jax.Array) -> jax.Array:
    return x


def zeros(key: jax.Array, shape: tuple[int, int], dtype: Any) -> jax.Array:
    del key
    return jax.numpy.zeros(shape, dtype)


def sign_sgd(learning_rate: Any) -> optax.GradientTransformation:
    return optax.sign_sgd(learning_rate)


def halved(count: Any) -> Any:
    del count
    return 0.5


def chosen_by(users: dict[str, tuple[str, ...]], chosen: Any, strategies: dict[str, st.SearchStrategy]) -> Any:
    """Values for the fields that a choice uses; the other fields keep their defaults."""
    return st.fixed_dictionaries({}, optional={name: strategies[name] for name in users if chosen in users[name]})


@st.composite
def data(draw: st.DrawFn) -> Data:
    return Data(
        draw(one_of(choices.Scaling)),
        draw(counts),
        draw(st.none() | counts),
        draw(st.integers(0, 8)),
        draw(st.booleans()),
    )


@st.composite
def models(draw: st.DrawFn) -> Model:
    sites = draw(one_of(choices.DropoutSites))
    activation = draw(one_of(choices.Activation) | st.just(cubic))
    inits = [draw(one_of(choices.Initializer) | st.just(zeros)) for _ in range(2)]
    units = tuple(draw(st.lists(counts, min_size=1, max_size=4)))
    batch_norm = draw(st.booleans() | st.tuples(*[st.booleans()] * len(units)).filter(lambda each: len(each) > 1))
    rates = draw(st.none() | st.tuples(*[st.floats(0, 1, exclude_max=True)] * (len(units) + 1)))
    sites = sites if rates is None else "none"
    rate = 0.0 if sites == "none" else draw(st.floats(0, 1, exclude_min=True, exclude_max=True))
    biases = draw(one_of(choices.BiasInitializer))
    inits.append(biases)
    optional: dict[str, st.SearchStrategy] = {}
    if activation in model_part.ALPHAS:
        optional["alpha"] = finite
    if set(inits) & set(model_part.SCALED):
        optional["init_scale"] = above_0 if set(inits) & set(model_part.RANDOM) else finite
    if "variance_scaling" in inits:
        optional |= {"init_mode": one_of(choices.InitMode), "init_distribution": one_of(choices.InitDistribution)}
    return Model(
        units,
        activation,
        inits[0],
        batch_norm,
        draw(st.booleans()),
        draw(one_of(choices.Dropout)),
        sites,
        rate if rates is None else rates,
        batch_norm_place=draw(one_of(choices.NormPlace)) if batch_norm else "before",
        use_bias=draw(st.booleans()),
        head_init=inits[1],
        bias_init=biases,
        skip=any(one == other for one, other in itertools.pairwise(units)) and draw(st.booleans()),
        head=draw(one_of(choices.Head)),
        **draw(st.fixed_dictionaries({}, optional=optional)),
    )


@st.composite
def optims(draw: st.DrawFn) -> Optim:
    chosen = draw(one_of(choices.Optimizer) | st.just(sign_sgd))
    own = dict.fromkeys(optim_part.USERS, from_0) | {"beta_1": shares, "beta_2": shares, "rho": shares}
    clip = draw(st.sampled_from([{}, *({name: draw(above_0)} for name in optim_part.CLIPS)]))
    return Optim(chosen, draw(above_0), **draw(chosen_by(optim_part.USERS, chosen, own | {"epsilon": above_0})), **clip)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    kind = draw(one_of(choices.ScheduleKind) | st.just(halved))
    low, high = sorted(draw(st.tuples(shares, shares)))
    edges = sorted(draw(st.sets(counts, min_size=1, max_size=3)))
    factors = [draw(from_0) for _ in range(len(edges) + 1)]
    own = {
        "factor": st.floats(0, 1, exclude_min=True),
        "decay_epochs": above_0,
        "decay_steps": counts,
        "exponent": above_0,
        "patience_epochs": counts,
        "min_delta": from_0,
        "total_steps": st.none() | counts,
    }
    numbers = draw(chosen_by({name: schedule_part.USERS[name] for name in own}, kind, own))
    match kind:
        case "power":
            numbers |= {"decay_steps": draw(counts)}
        case "exponential" if "decay_steps" in numbers:
            numbers.pop("decay_epochs", None)
        case "piecewise":
            numbers |= {"boundaries_epochs": edges, "factors": factors}
        case "onecycle":
            numbers |= {"momentum_low": low, "momentum_high": high}
    warmup = 0 if kind == "onecycle" else draw(st.integers(0, 10_000))
    return Schedule(kind, **numbers, warmup_steps=warmup)


@st.composite
def regularizes(draw: st.DrawFn, layers: int) -> Regularize:
    chosen = one_of(choices.LayerGroup) | st.lists(st.integers(0, layers - 1), min_size=1, unique=True)
    l1, l2, max_norm = draw(from_0), draw(from_0), draw(st.none() | above_0)
    return Regularize(
        l1,
        l2,
        penalized=draw(chosen) if l1 or l2 else "every",
        max_norm=max_norm,
        constrained="hidden" if max_norm is None else draw(chosen),
        keep_zeros=draw(st.booleans()),
    )


@st.composite
def configs(draw: st.DrawFn) -> Config:
    model, optim, schedule = draw(models()), draw(optims()), draw(schedules())
    if optim.optimizer == "optax.rprop":
        schedule = Schedule()
    if schedule.kind == "onecycle":
        if optim.optimizer in optim_part.WITH_MOMENTUM:
            optim = replace(optim, beta_1=0.9)
        else:
            schedule = replace(schedule, momentum_low=0.85, momentum_high=0.95)
    train = st.builds(Train, counts, counts, counts, one_of(choices.DType), one_of(choices.Keep))
    return Config(draw(data()), model, optim, draw(train), schedule, draw(regularizes(len(model.units) + 1)))


@given(configs())
def test_a_configuration_survives_json(config):
    plain = json.loads(json.dumps(config.to_dict(), allow_nan=False))
    functions = {"model": [cubic, zeros], "optim": [sign_sgd], "schedule": [halved]}
    for part, candidates in functions.items():  # of a function the name is kept: put the functions back
        named = {f"{__name__}.{function.__name__}": function for function in candidates}
        plain[part] = {key: named.get(str(value), value) for key, value in plain[part].items()}
    again = Config.from_dict(plain)
    assert again == config
    assert hash(again) == hash(config)
    assert differences(config.to_dict(), again.to_dict()) == {}


@given(configs(), configs(), st.sets(st.sampled_from(["data", "train"])))
def test_configurations_are_equal_exactly_if_no_field_differs(one, another, swapped):
    other = replace(one, **{part: getattr(another, part) for part in swapped})
    assert (one == other) == (differences(one.to_dict(), other.to_dict()) == {})
    assert {one: "one"}[replace(one)] == "one"


@pytest.mark.parametrize(
    ("part", "field", "value", "allowed"),
    [
        (Data, "scaling", "minmax", "none, unit, standardize"),
        (Data, "valid_size", 0, "1 or more"),
        (Data, "train_size", 0, "1 or more, or None"),
        (Data, "shift_pixels", -1, "0 or more"),
        (Model, "units", (), "one or more widths"),
        (Model, "units", (100, 0), "one or more widths"),
        (Model, "activation", "swoosh", "linear, sigmoid, hard_sigmoid, tanh, softmax"),
        (Model, "kernel_init", "he", "he_normal"),
        (Model, "head_init", "he", "he_normal"),
        (Model, "bias_init", "he_normal", "zeros, ones, constant, random_normal"),
        (Model, "dropout", "gaussian", "dropout, alpha_dropout"),
        (Model, "dropout_sites", "some", "none, head, after_hidden, every"),
        (Model, "dropout_rate", 1.0, "[0, 1)"),
        (Model, "dropout_rate", -0.1, "[0, 1)"),
        (Model, "dropout_rate", float("nan"), "[0, 1)"),
        (Model, "dropout_rate", (0.1, 0.1), "one value, or 3, an entry for each dense layer"),
        (Model, "dropout_rate", (0.1, 0.1, 1.0), "[0, 1)"),
        (Model, "dropout_rate", (), "one value, or 3"),
        (Model, "batch_norm", (True, False, True), "one value, or 2, an entry for each hidden layer"),
        (Model, "batch_norm", (), "one value, or 2"),
        (Model, "batch_norm", (True, 1), "True or False, or a tuple such as (True, False)"),
        (Model, "head", "relu", "softmax, sigmoid, linear, tanh, softplus"),
        (Model, "alpha", float("inf"), "finite, or None"),
        (Model, "batch_norm_place", "around", "before, after, input"),
        (Model, "init_scale", float("nan"), "finite"),
        (Model, "init_mode", "fan", "fan_in, fan_out, fan_avg"),
        (Model, "init_distribution", "cauchy", "truncated_normal, normal, uniform"),
        (Optim, "optimizer", "optax.lbfgs", "nadam, sgd, momentum, nesterov"),
        (Optim, "learning_rate", 0.0, "above 0"),
        (Optim, "learning_rate", float("nan"), "above 0"),
        (Optim, "beta_1", 1.0, "[0, 1)"),
        (Optim, "beta_2", -1e-9, "[0, 1)"),
        (Optim, "epsilon", 0.0, "above 0"),
        (Optim, "momentum_decay", -1.0, "0 or more"),
        (Optim, "rho", 1.0, "[0, 1)"),
        (Optim, "initial_accumulator", -0.1, "0 or more"),
        (Optim, "weight_decay", float("inf"), "0 or more"),
        (Optim, "ftrl_l1", -0.1, "0 or more"),
        (Optim, "ftrl_l2", float("nan"), "0 or more"),
        (Optim, "clip_value", 0.0, "above 0 and finite, or None"),
        (Optim, "clip_norm", -1.0, "above 0 and finite, or None"),
        (Optim, "clip_global_norm", float("inf"), "above 0 and finite, or None"),
        (Train, "batch_size", 0, "1 or more"),
        (Train, "epochs", 0, "1 or more"),
        (Train, "patience", -1, "1 or more"),
        (Train, "dtype", "float16", "float32, float64"),
        (Train, "keep", "first", "best, last"),
        (Train, "monitor", "loss", "val_loss, val_accuracy"),
        (Schedule, "kind", "step", "constant, power, exponential, piecewise, plateau, onecycle, cosine"),
        (Schedule, "factor", 0.0, "(0, 1]"),
        (Schedule, "factor", 1.1, "(0, 1]"),
        (Schedule, "decay_epochs", 0.0, "above 0"),
        (Schedule, "decay_steps", 0, "1 or more, or None"),
        (Schedule, "exponent", 0.0, "above 0"),
        (Schedule, "patience_epochs", 0, "1 or more"),
        (Schedule, "min_delta", -1e-9, "0 or more"),
        (Schedule, "momentum_low", 0.96, "from 0 to schedule.momentum_high, 0.95"),
        (Schedule, "momentum_high", 1.0, "below 1"),
        (Schedule, "total_steps", 0, "1 or more, or None"),
        (Schedule, "warmup_steps", -1, "0 or more"),
        (Regularize, "l1", -0.1, "0 or more"),
        (Regularize, "l2", float("inf"), "0 or more"),
        (Regularize, "max_norm", 0.0, "above 0 and finite, or None"),
    ],
)
def test_a_refusal_names_the_field_the_value_and_what_is_allowed(part, field, value, allowed):
    with pytest.raises(UserError) as refusal:
        part(**{field: value})
    message = str(refusal.value)
    assert message.startswith(f"{part.__name__.lower()}.{field} is {value!r}. Allowed: ")
    assert allowed in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("boundaries", "factors", "refused"),
    [
        ((), (1.0,), r"boundaries_epochs is \(\)"),
        ((0, 5), (1.0, 0.5, 0.1), r"boundaries_epochs is \(0, 5\)"),
        ((5, 5), (1.0, 0.5, 0.1), r"boundaries_epochs is \(5, 5\)"),
        ((15, 5), (1.0, 0.5, 0.1), r"boundaries_epochs is \(15, 5\)"),
        ((5, 15), (1.0, 0.5), r"factors is \(1.0, 0.5\). Allowed: 3 finite factors"),
        ((5,), (1.0, -0.5), r"factors is \(1.0, -0.5\). Allowed: 2 finite factors"),
        ((5,), (0.5, float("nan")), r"factors is \(0.5, nan\). Allowed: 2 finite factors"),
        ((5,), (float("inf"), 0.5), r"factors is \(inf, 0.5\). Allowed: 2 finite factors"),
    ],
)
def test_pieces_are_rising_epochs_and_one_more_finite_factors(boundaries, factors, refused):
    with pytest.raises(UserError, match=refused):
        Schedule("piecewise", boundaries_epochs=boundaries, factors=factors)


@pytest.mark.parametrize(("rate", "sites"), [(0.5, "none"), (0.0, "head"), (0.0, "after_hidden"), (0.0, "every")])
def test_a_dropout_rate_and_its_sites_go_together(rate, sites):
    with pytest.raises(UserError, match=rf"dropout_rate is {rate} and model.dropout_sites is '{sites}'"):
        Model(dropout_rate=rate, dropout_sites=sites)


def test_entries_of_layers_say_where_there_is_dropout_and_batch_normalisation():
    model = Model((8, 8, 4), dropout_rate=[0, 0.2, 0, 0.1], batch_norm=[True, False, True], skip=True)
    assert model.rates == (0.0, 0.2, 0.0, 0.1)
    assert model.dropped == (False, True, False, True)
    assert model.normed == (True, False, True)
    assert model.skipped == (False, True, False)
    assert Model((8,), batch_norm=(True,)).batch_norm is True  # a tuple of one entry is the entry


def test_what_is_static_are_the_places_of_dropout_and_not_its_rates():
    one, other, none = (
        Config(model=Model(dropout_rate=rates)) for rates in [(0.0, 0.2, 0.1), (0.0, 0.5, 0.4), (0.2, 0.2, 0.1)]
    )
    assert one.static() == other.static()
    assert one.static() != none.static()
    assert one.static().model.dropped == one.model.dropped == (False, True, True)
    assert one.hyper().dropout_rate == (0.0, 0.2, 0.1)


SCALED = "variance_scaling, orthogonal, constant, identity, random_normal, random_uniform, truncated_normal"
PIECES = {"boundaries_epochs": (5,), "factors": (1.0, 0.5)}


@pytest.mark.parametrize(
    ("part", "given", "field", "users"),
    [
        (Model, {"activation": "selu", "alpha": 0.5}, "alpha", "leaky_relu, prelu, elu, thresholded_relu"),
        (Model, {"activation": cubic, "alpha": 0.5}, "alpha", "leaky_relu, prelu, elu, thresholded_relu"),
        (Model, {"init_scale": 2.0}, "init_scale", SCALED),
        (Model, {"kernel_init": zeros, "init_scale": 2.0}, "init_scale", SCALED),
        (Model, {"kernel_init": "orthogonal", "init_mode": "fan_out"}, "init_mode", "variance_scaling"),
        (Model, {"head_init": "constant", "init_distribution": "normal"}, "init_distribution", "variance_scaling"),
        (Optim, {"optimizer": "sgd", "beta_1": 0.5}, "beta_1", "momentum, nesterov, nadam, adam, adamax, adamw"),
        (Optim, {"optimizer": "optax.adam", "beta_1": 0.5}, "beta_1", "momentum, nesterov, nadam, adam, adamax, adamw"),
        (Optim, {"optimizer": "nesterov", "beta_2": 0.5}, "beta_2", "nadam, adam, adamax, adamw"),
        (Optim, {"optimizer": "ftrl", "epsilon": 0.5}, "epsilon", "nadam, adam, adamax, adamw, rmsprop, adagrad"),
        (Optim, {"optimizer": "adam", "momentum_decay": 0.004}, "momentum_decay", "nadam"),
        (Optim, {"optimizer": "adam", "rho": 0.5}, "rho", "rmsprop"),
        (Optim, {"optimizer": "rmsprop", "initial_accumulator": 1.0}, "initial_accumulator", "adagrad, ftrl"),
        (Optim, {"optimizer": "adam", "weight_decay": 0.1}, "weight_decay", "adamw"),
        (Optim, {"optimizer": sign_sgd, "ftrl_l1": 0.1}, "ftrl_l1", "ftrl"),
        (Optim, {"ftrl_l2": 0.1}, "ftrl_l2", "ftrl"),
        (Schedule, {"factor": 0.5}, "factor", "exponential, plateau"),
        (Schedule, {"kind": "power", "decay_steps": 10, "decay_epochs": 5.0}, "decay_epochs", "exponential"),
        (Schedule, {"kind": "plateau", "decay_steps": 10}, "decay_steps", "power, exponential"),
        (Schedule, {"kind": "exponential", "exponent": 2.0}, "exponent", "power"),
        (Schedule, {"kind": "cosine", "boundaries_epochs": (5,)}, "boundaries_epochs", "piecewise"),
        (Schedule, {"kind": "cosine", "factors": (1.0, 0.5)}, "factors", "piecewise"),
        (Schedule, {"kind": "piecewise", "patience_epochs": 2} | PIECES, "patience_epochs", "plateau"),
        (Schedule, {"kind": halved, "min_delta": 0.0}, "min_delta", "plateau"),
        (Schedule, {"kind": "cosine", "momentum_low": 0.5}, "momentum_low", "onecycle"),
        (Schedule, {"kind": "constant", "momentum_high": 0.99}, "momentum_high", "onecycle"),
        (Schedule, {"kind": "exponential", "total_steps": 100}, "total_steps", "onecycle, cosine"),
    ],
)
def test_a_field_that_the_choice_does_not_use_is_refused(part, given, field, users):
    with pytest.raises(UserError) as refusal:
        part(**given)
    message = str(refusal.value)
    assert message.startswith(f"{part.__name__.lower()}.{field} is {given[field]!r} and has no effect with ")
    assert message.endswith(f". Remove it, or use {' or '.join(users.rsplit(', ', 1))}.")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Model(batch_norm_place="after"),
            "batch_norm_place is 'after' and has no effect without batch normalisation. Set model.batch_norm.",
        ),
        (
            lambda: Model(batch_norm_place="input"),
            "batch_norm_place is 'input' and has no effect without batch normalisation. Set model.batch_norm.",
        ),
        (
            lambda: Model(dropout_sites="head", dropout_rate=(0.0, 0.0, 0.1)),
            "model.dropout_sites is 'head', and model.dropout_rate has an entry for each layer, "
            "and these entries say which layers have dropout. Leave model.dropout_sites out.",
        ),
        (
            lambda: Model((8, 4, 8), skip=True),
            "model.skip is True, and no hidden layer of model.units (8, 4, 8) is as wide as the one before. "
            "Give two equal widths in a row, or leave model.skip out.",
        ),
        (
            lambda: Model((8,), head="sigmoid").outputs(3),
            "model.head is 'sigmoid', which tells two classes apart, and the data have 3. "
            "Give data of two classes, or use softmax.",
        ),
        (
            lambda: Model(bias_init="random_uniform", init_scale=-1.0),
            "model.init_scale is -1.0. Allowed: above 0 with random_uniform",
        ),
        (
            lambda: Model(head_init="variance_scaling", init_scale=0.0),
            "model.init_scale is 0.0. Allowed: above 0 with variance_scaling",
        ),
        (
            lambda: Optim(clip_value=1.0, clip_global_norm=1.0),
            "optim.clip_value and optim.clip_global_norm are both given. Remove one of them.",
        ),
        (
            lambda: Train(keep="last", monitor="val_accuracy"),
            "train.monitor is 'val_accuracy'. Allowed: val_loss with train.keep last, which keeps no best epoch.",
        ),
        (lambda: Schedule("power"), "schedule.kind is 'power', which needs schedule.decay_steps"),
        (
            lambda: Schedule("onecycle", warmup_steps=5),
            "schedule.warmup_steps is 5 with onecycle, which warms up itself. Set it to 0.",
        ),
        (
            lambda: Schedule("exponential", decay_epochs=5, decay_steps=5),
            "schedule.decay_epochs and schedule.decay_steps are both given",
        ),
        (
            lambda: Regularize(penalized="head"),
            "regularize.penalized is 'head' and has no effect without l1 or l2. Remove it.",
        ),
        (
            lambda: Regularize(l2=1, constrained=[0]),
            r"regularize.constrained is (0,) and has no effect without max_norm. Remove it.",
        ),
        (
            lambda: Config(optim=Optim("optax.rprop"), schedule=Schedule("cosine")),
            "schedule.kind is 'cosine'. Allowed: constant with optax.rprop",
        ),
        (
            lambda: Config(optim=Optim("optax.rprop"), schedule=Schedule(warmup_steps=5)),
            "schedule.warmup_steps is 5. Allowed: 0 with optax.rprop",
        ),
        (
            lambda: Config(optim=Optim("nesterov", beta_1=0.5), schedule=Schedule("onecycle")),
            "optim.beta_1 is 0.5. Allowed: 0.9 with onecycle",
        ),
        (
            lambda: Config(optim=Optim("sgd"), schedule=Schedule("onecycle", momentum_low=0.5)),
            "schedule.momentum_low is 0.5. Allowed: 0.85 but with momentum and nesterov",
        ),
    ],
)
def test_what_one_choice_would_make_of_another_is_refused(make, message):
    with pytest.raises(UserError) as refusal:
        make()
    assert message in str(refusal.value)


@pytest.mark.parametrize("part", ["penalized", "constrained"])
@pytest.mark.parametrize("layers", [(3,), (-1,), (0, 0), (), "hidden layers"])
def test_layers_are_those_of_the_network(part, layers):
    """Two hidden layers and the output layer: 0, 1, 2."""
    model, other = Model(units=(5, 5)), {"l1": 0.1, "max_norm": 1.0}
    with pytest.raises(UserError, match=rf"^regularize\.{part} is .*\. Allowed: every, hidden, head") as refusal:
        Config(model=model, regularize=Regularize(**other, **{part: layers}))
    assert "0 .. 2" in str(refusal.value) or isinstance(layers, str)
    assert Config(model=model, regularize=Regularize(**other, **{part: [2, 0]})) != Config(model=model)


SLOTS = ((Model, "activation"), (Model, "kernel_init"), (Model, "head_init"), (Optim, "optimizer"), (Schedule, "kind"))


@pytest.mark.parametrize(("part", "field"), SLOTS)
@pytest.mark.parametrize("function", [cubic, compiled, with_own_derivative, jax.nn.relu, jax.nn.silu])
def test_a_function_is_recorded_by_its_name(part, field, function):
    key = part.__name__.lower()
    config = Config(**{key: part(**{field: function})})
    assert config == Config(**{key: part(**{field: function})}) != Config()
    assert len({config, Config(), replace(config)}) == 2
    recorded = config.to_dict()[key][field]
    assert recorded == f"{function.__module__}.{function.__name__}"
    assert json.loads(json.dumps(config.to_dict())) == config.to_dict()
    with pytest.raises(UserError, match=rf"{key}.{field} is '{recorded}'\. Allowed: .* or a function from Python"):
        Config.from_dict(config.to_dict())


def local_function() -> Any:
    def inner(x: jax.Array) -> jax.Array:
        return x

    return inner


class Bound:
    def method(self, x: jax.Array) -> jax.Array:
        return x

    def __call__(self, x: jax.Array) -> jax.Array:
        return x


@pytest.mark.parametrize(("part", "field"), SLOTS)
@pytest.mark.parametrize(
    "function",
    [lambda x: x, local_function(), Bound(), Bound().method],
    ids=["lambda", "local", "object", "method"],
)
def test_a_function_whose_name_does_not_lead_back_to_it_is_refused(part, field, function):
    with pytest.raises(UserError) as refusal:
        part(**{field: function})
    message = str(refusal.value)
    assert message.startswith(f"{part.__name__.lower()}.{field} is {function!r}, which cannot be recorded: ")
    assert "Define it by `def` at the top of a module" in message


def test_a_missing_field_takes_its_default_and_an_unknown_one_is_refused():
    plain = Config(model=Model(units=(5,)), optim=Optim("sgd")).to_dict()
    older = {"model": {"units": [5]}, "optim": {"optimizer": "sgd"}}
    assert Config.from_dict(older) == Config.from_dict(plain)
    assert Config.from_dict({}) == Config()
    with pytest.raises(UserError, match="sparsity"):
        Config.from_dict(plain | {"sparsity": {}})
    with pytest.raises(UserError, match="momentum"):
        Config.from_dict(plain | {"optim": {"momentum": 0.9}})
    with pytest.raises(UserError, match=r"train\.epochs is 0"):
        Config.from_dict(plain | {"train": {"epochs": 0}})


def test_a_variant_is_checked_like_the_original():
    with pytest.raises(UserError, match=r"optim\.learning_rate is -1"):
        replace(Optim(), learning_rate=-1)


def test_configurations_are_frozen():
    for part in (Config(), *(part() for part in PARTS)):
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
    config = Config(
        model=Model(dropout_sites="head", dropout_rate=0.25),
        optim=Optim(learning_rate=0.5, beta_1=0.75),
        schedule=Schedule("plateau", factor=0.375),
        regularize=Regularize(l1=0.125, l2=0.0625, max_norm=3.0, label_smoothing=0.5),
    )
    assert config.hyper() == c.Hyper(
        learning_rate=0.5,
        beta_1=0.75,
        dropout_rate=0.25,
        l1=0.125,
        l2=0.0625,
        max_norm=3.0,
        plateau_factor=0.375,
        rate_factor=1.0,
        label_smoothing=0.5,
    )
    assert all(isinstance(value, float) for value in Config().hyper())


def test_updated_changes_fields_of_any_part_at_once():
    changed = Config().updated(
        {"optim.learning_rate": 1e-2, "train.epochs": 5, "model.dropout_sites": "head", "model.dropout_rate": 0.5}
    )
    assert differences(Config().to_dict(), changed.to_dict()).keys() == {
        *("optim.learning_rate", "train.epochs", "model.dropout_sites", "model.dropout_rate")
    }
    assert Config().updated({}) == Config()


@pytest.mark.parametrize("name", ["lr", "optim.learning_rate", "optim.learning-rate"])
def test_updated_takes_the_names_of_the_command_line(name):
    assert Config().updated({name: 0.5}) == Config(optim=Optim(learning_rate=0.5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optim.learning_rat": 1.0}, r"no field 'optim\.learning_rat'.*optim\.learning_rate"),
        ({"epoch": 5}, r"no field 'epoch'"),
        ({"optim": Optim()}, "no field 'optim'"),
        ({3: 5}, "no field 3"),
        ({"lr": 1.0, "optim.learning_rate": 2.0}, r"optim\.learning_rate is given twice"),
        ({"train.epochs": 0}, r"train\.epochs is 0"),
        ({"model.dropout_rate": 0.5}, r"model\.dropout_sites"),
        ([("lr", 1.0)], "Give a mapping"),
    ],
)
def test_updated_refuses_what_is_no_change_of_a_field(changes, message):
    with pytest.raises(UserError, match=message):
        Config().updated(changes)
