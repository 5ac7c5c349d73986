"""Functions that were made with arguments: taken, compared, recorded and made again by what they were made of."""

import copy
import functools
import json
import pickle

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.nn import initializers
from small_data import SMALL, lean_compilation, small_dataset

from jaxdeep import Config, Model, Optim, Schedule, UserError, compare_studies, fit, lint, run_study
from jaxdeep.config import differences, short
from jaxdeep.train.programs import compiled

ADAMW = functools.partial(optax.adamw, weight_decay=0.02)
SCHEDULES = {
    "cosine": lambda rate: optax.cosine_decay_schedule(rate, 1000),
    "exponential": lambda rate: optax.exponential_decay(rate, 100, 0.5),
    "linear": lambda rate: optax.linear_schedule(rate, 0.1, 100),
    "piecewise": lambda rate: optax.piecewise_constant_schedule(rate, {100: 0.1, 200: 0.5}),
    "warm-up": lambda rate: optax.warmup_cosine_decay_schedule(0.0, rate, 10, 100),
    "warm-up exponential": lambda rate: optax.warmup_exponential_decay_schedule(0.0, rate, 10, 100, 0.5),
    "joined": lambda rate: optax.join_schedules([optax.linear_schedule(0.0, rate, 9), optax.constant_schedule(1)], [9]),
    "1cycle": lambda rate: optax.linear_onecycle_schedule(100, rate),
    "cosine 1cycle": lambda rate: optax.cosine_onecycle_schedule(100, rate),
    "restarts": lambda rate: optax.sgdr_schedule(
        [{"init_value": 0.0, "peak_value": rate, "decay_steps": 50, "warmup_steps": 5, "end_value": 0.0}] * 2
    ),
}
INITIALIZERS = {
    "he_normal": initializers.he_normal,
    "lecun_uniform": initializers.lecun_uniform,
    "variance_scaling": lambda: initializers.variance_scaling(2.0, "fan_avg", "uniform"),
    "flax's": nn.initializers.xavier_normal,
    "orthogonal": lambda: initializers.orthogonal(0.5),
    "constant": lambda: initializers.constant(0.1),
    "normal": lambda: initializers.normal(0.02),
    "truncated": lambda: initializers.truncated_normal(0.02, dtype=jnp.float32),
}
OPTIMIZERS = {
    "keyword": lambda: functools.partial(optax.adamw, weight_decay=0.02),
    "nested": lambda: functools.partial(functools.partial(optax.lion, b1=0.8), weight_decay=1e-3),
    "a function": lambda: functools.partial(optax.adamw, mask=optax.global_norm),
    "None": lambda: functools.partial(optax.adamw, mask=None, mu_dtype=np.dtype("float32")),
}
MAKERS = {
    **{("schedule", "kind", name): functools.partial(make, 0.5) for name, make in SCHEDULES.items()},
    **{("model", "kernel_init", name): make for name, make in INITIALIZERS.items()},
    ("model", "head_init", "he_normal"): initializers.he_normal,
    **{("optim", "optimizer", name): make for name, make in OPTIMIZERS.items()},
}
PARTS = {"schedule": Schedule, "model": Model, "optim": Optim}


@pytest.mark.parametrize("slot", MAKERS, ids=" ".join)
def test_what_was_made_alike_is_equal_and_survives_json_and_pickle(slot) -> None:
    part, field, _ = slot
    one, other = (Config(**{part: PARTS[part](**{field: MAKERS[slot]()})}) for _ in range(2))
    assert one == other != Config()
    assert hash(one) == hash(other)
    assert one.static() == other.static()
    plain = one.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert {"function", "arguments"} <= plain[part][field].keys()
    again = Config.from_dict(plain)
    assert (again, again.to_dict()) == (one, plain)
    for copied in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert (copied, copied.to_dict()) == (one, plain)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_made_again_has_the_same_values(name) -> None:
    own = SCHEDULES[name](0.5)
    again = Config.from_dict(Config(schedule=Schedule(kind=own)).to_dict()).schedule.kind
    counts = jnp.arange(120.0)
    with jax.numpy_dtype_promotion("standard"):  # Optax mixes types, which a strict user forbids
        np.testing.assert_array_equal(jax.vmap(again)(counts), jax.vmap(own)(counts))


def test_the_record_reads_like_the_call() -> None:
    config = Config(optim=Optim(optimizer=ADAMW), model=Model(kernel_init=initializers.he_normal()))
    assert config.to_dict()["optim"]["optimizer"] == {
        "function": "optax.adamw",
        "arguments": {"weight_decay": 0.02},
        "partial": True,
    }
    made = config.to_dict()["model"]["kernel_init"]
    assert made["function"] == "jax.nn.initializers.variance_scaling"
    assert (made["arguments"]["scale"], made["arguments"]["mode"]) == (2.0, "fan_in")
    assert short(config.optim.optimizer) == short(config.to_dict()["optim"]["optimizer"])
    assert short(config.optim.optimizer) == "optax.adamw(weight_decay=0.02)"


def test_another_argument_is_another_configuration_and_named_as_a_field() -> None:
    one, other = (
        Config(optim=Optim(optimizer=functools.partial(optax.adamw, weight_decay=decay))) for decay in (0.02, 0.03)
    )
    assert one != other
    assert differences(one.to_dict(), other.to_dict()) == {"optim.optimizer.arguments.weight_decay": (0.02, 0.03)}


def an_array() -> object:
    return functools.partial(optax.adamw, mask=np.ones(3))


class Scale:
    def __call__(self, x: jax.Array) -> jax.Array:
        return x


REFUSED = {
    "lambda": (lambda: lambda rate: optax.adamw(rate), "no name at the top of a module"),
    "array": (an_array, "a value of type ndarray as an argument"),
    "object": (lambda: Scale(), "no name at the top of a module"),
    "partial of a lambda": (lambda: functools.partial(lambda rate: optax.sgd(rate)), "a partial of has no name"),
    "infinite": (lambda: functools.partial(optax.adamw, weight_decay=float("inf")), "has inf as an argument"),
    "closure over an array": (lambda: initializers.constant(np.ones(4)), "a value of type ndarray as an argument"),
    "a user's maker": (lambda: making(0.1), "no name at the top of a module"),
}
CALLED = []


def making(scale: float) -> object:
    CALLED.append(scale)
    return lambda x: x * scale


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_recorded_is_refused_with_a_mend(case) -> None:
    make, reason = REFUSED[case]
    value = make()
    before = len(CALLED)
    with pytest.raises(UserError) as refusal:
        Optim(optimizer=value)
    assert len(CALLED) == before  # a user's own maker is not called: it could do anything
    message = str(refusal.value)
    assert message.startswith("optim.optimizer is ")
    assert reason in message
    assert message.endswith("Define it by `def` at the top of a module, or give functools.partial of such a function")


@pytest.mark.parametrize(
    "record",
    [
        {"function": "os.system", "arguments": {"command": "true"}},
        {"function": "os.system", "arguments": {}, "partial": True},
        {"function": "jax.os.system", "arguments": {"command": "true"}},
        {"function": "optax.no_such", "arguments": {}},
        {"function": "optax.adamw"},
        {"function": "optax.cosine_decay_schedule", "arguments": {"nonsense": 1}},
        {"function": 5, "arguments": {}},
    ],
)
def test_only_makers_of_the_libraries_are_called_again(record) -> None:
    with pytest.raises(UserError, match=r"^optim\.optimizer is .*, which cannot be made again: "):
        Config.from_dict({"optim": {"optimizer": record}})


def rates_of(config: Config) -> list[float]:
    with lean_compilation():
        return [record.learning_rate for record in fit(config, small_dataset(config), 0).history]


def test_a_schedule_of_rates_gives_optaxs_rates() -> None:
    rates = optax.cosine_decay_schedule(1e-3, 20)
    config = Config(SMALL.data, SMALL.model, Optim(learning_rate=rates), SMALL.train)
    assert config == Config(SMALL.data, SMALL.model, Optim(learning_rate=1.0), SMALL.train, Schedule(kind=rates))
    np.testing.assert_allclose(rates_of(config), [rates(5 * epoch - 1) for epoch in (1, 2, 3, 4)], rtol=1e-6)
    assert config == SMALL.updated({"optim.learning_rate": rates})


def test_a_schedule_that_was_called_is_the_same() -> None:
    """Optax's own changes a number of its closure when it is called."""
    rates, others = (optax.cosine_decay_schedule(1e-3, 20) for _ in range(2))
    rates(3)
    one, other = Config(optim=Optim(learning_rate=rates)), Config(optim=Optim(learning_rate=others))
    assert (one, hash(one)) == (other, hash(other))
    assert differences(one.to_dict(), other.to_dict()) == {}


def test_two_schedules_are_refused() -> None:
    rates = optax.cosine_decay_schedule(1e-3, 20)
    with pytest.raises(UserError, match=r"schedule optax\.cosine_decay_schedule\(.*, and schedule is given too, with"):
        Config(optim=Optim(learning_rate=rates), schedule=Schedule("cosine"))
    with pytest.raises(UserError, match="is given too"):
        Config(optim=Optim(learning_rate=rates), schedule=Schedule(warmup_steps=5))


@pytest.mark.parametrize(("peak", "names"), [(1e-3, []), (5.0, ["rate-out-of-range"])])
def test_lint_judges_the_rates_of_a_schedule_and_not_the_1_before_them(peak, names) -> None:
    config = SMALL.updated({"optim.learning_rate": optax.linear_schedule(0.0, peak, 10)})
    assert [finding.name for finding in lint(config, small_dataset(SMALL))] == names


@pytest.mark.parametrize("slot", ["kernel_init", "head_init"])
def test_an_initialiser_of_jax_sees_the_fan_that_our_own_sees(slot) -> None:
    """Kernels are stored [units, inputs]: 400 inputs and 25 classes or units tell fan_in from fan_out."""
    from jaxdeep.nn.dnn import dnn

    stds = {}
    for chosen in ("he_normal", initializers.he_normal()):
        units = (25,) if slot == "kernel_init" else (400,)
        model = Model(units=units, **{slot: chosen})
        params, _ = dnn(model, 400, 25).init(jax.random.key(0))
        kernel = next(leaf for leaf in jax.tree.leaves(params) if leaf.shape[-2:] == (25, 400))
        stds[type(chosen)] = float(kernel.std())
    assert len(stds) == 2
    for std in stds.values():
        assert std == pytest.approx((2 / 400) ** 0.5, rel=0.02)


def test_equal_partials_share_a_compiled_program_and_a_folder(tmp_path) -> None:
    def config(decay: float) -> Config:
        return SMALL.updated({"optim.optimizer": functools.partial(optax.adamw, weight_decay=decay), "train.epochs": 2})

    data = small_dataset(SMALL)
    with lean_compilation():
        first = fit(config(0.02), data, 0, checkpoints=tmp_path)
        before = compiled.cache_info().misses
        again = fit(config(0.02), data, 0, checkpoints=tmp_path)
        assert again.history == first.history
        assert compiled.cache_info().misses == before
        with pytest.raises(
            UserError, match=r"config\.optim\.optimizer\.arguments\.weight_decay \(there 0\.02, here 0\.5"
        ):
            fit(config(0.5), data, 0, checkpoints=tmp_path)
        assert fit(config(0.5), data, 0).history != first.history


def test_a_study_varies_partials_grows_and_is_compared(tmp_path) -> None:
    data = small_dataset(SMALL)
    base = SMALL.updated({"train.epochs": 2})
    decays = [functools.partial(optax.adamw, weight_decay=decay) for decay in (0.02, 0.5)]
    with lean_compilation():
        small = run_study(base, data, seeds=2, grid={"optim.optimizer": decays[:1]})
        grown = run_study(base, data, seeds=2, grid={"optim.optimizer": decays}, earlier=small)
        kept = run_study(base, data, seeds=2, grid={"optim.optimizer": decays}, folder=tmp_path)
        found = run_study(base, data, seeds=2, grid={"optim.optimizer": decays}, folder=tmp_path)
        alone = [
            run_study(base.updated({"optim.optimizer": decay}), data, seeds=2, name=name)
            for decay, name in zip(decays, "ab", strict=True)
        ]
    assert set(grown.runs) == {2, 3}
    assert {**found.to_json(), "files": None} == {**kept.to_json(), "files": None}
    assert kept.trials[0].name == "optim.optimizer=optax.adamw(weight_decay=0.02),seed_42"
    (pair,) = compare_studies(alone).pairs
    assert pair.differing == {"optim.optimizer.arguments.weight_decay": [0.02, 0.5]}
