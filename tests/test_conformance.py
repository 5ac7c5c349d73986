"""One table: all that can be chosen by name and all configurations of the experiments, through every behaviour.

The programs are compiled with little optimisation, which would take most of this file's time; `test_checkpoint.py`
and `test_cli.py` train as in earnest.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import a_users_own
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import compilations, lean_compilation, small_arrays, small_dataset

from experiments import cifar, fashion_mnist, mnist
from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config, Data, Hyper, Model, Optim, Train, Transfer, choices
from jaxdeep.config.model import REGRESSION_HEADS
from jaxdeep.config.parts import PARTS
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.subsets import subset_of
from jaxdeep.train import forward, programs, step, xla_options
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.programs import compile_program
from jaxdeep.train.state import TrainState

EPOCHS = 10
RATES = {
    "sgd": 0.1,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.05,
    "ftrl": 0.1,
    "optax.adadelta": 3.0,
    "optax.lars": 1.0,
    "optax.lion": 1e-3,
    "optax.radam": 0.03,
    "optax.rprop": 1e-4,
    "optax.sgd": 0.1,
    "optax.sign_sgd": 1e-3,
    "optax.signum": 1e-3,
}
"""The learning rate with which an optimizer learns the small rows in 50 steps, where that is not 1e-2."""


def toolbox(**changes: Mapping[str, Any]) -> Config:
    """A small network with changes to parts of its configuration; its two hidden layers are one stack."""
    model = Model(**{"units": (36, 36), **changes.get("model", {})})
    optim = {"optimizer": "nadam", **changes.get("optim", {})}
    base = Config(
        Data(valid_size=60),  # as many as test rows: they are evaluated by one program
        model,
        Optim(**{"learning_rate": RATES.get(optim["optimizer"], 1e-2), **optim}),
        Train(batch_size=32, epochs=EPOCHS, patience=EPOCHS),
    )
    others = {part: values for part, values in changes.items() if part not in ("model", "optim")}
    return replace(base, **{part: replace(getattr(base, part), **values) for part, values in others.items()})


def small(config: Config) -> Config:
    """A configuration of the experiments on small rows: narrower, shallower and shorter, all else its own.

    All classes are kept, and one that starts from a source starts from new weights.
    """
    edges = len(config.schedule.boundaries_epochs)
    subset = {"classes": (), "per_class": None, "valid_per_class": None}
    model = config.model.rebuilt(min(len(config.model.units), 4), ())
    return replace(
        config,
        data=replace(config.data, valid_size=60, train_size=None, **subset),
        model=replace(model, units=tuple(max(units // 4, 8) for units in model.units)),
        optim=replace(config.optim, learning_rate=RATES.get(str(config.optim.optimizer), 1e-2)),
        train=replace(config.train, epochs=EPOCHS, patience=EPOCHS),
        schedule=replace(config.schedule, total_steps=None, boundaries_epochs=tuple(range(1, edges + 1))),
        transfer=Transfer(),
    )


def of_experiment(experiment: str, configs: Mapping[str, Recipe]) -> dict[str, Config]:
    return {f"{experiment} {name}": small(recipe.config) for name, recipe in configs.items()}


SEVERAL_LABELS = "several labels"
ROWS: dict[str, Config] = {
    **{f"optimizer {name}": toolbox(optim={"optimizer": name}) for name in get_args(choices.Optimizer)},
    "optimizer adamw": toolbox(optim={"optimizer": "adamw", "weight_decay": 0.1}),
    "optimizer ftrl": toolbox(
        optim={"optimizer": "ftrl", "initial_accumulator": 0.2, "ftrl_l1": 1e-3, "ftrl_l2": 1e-3}
    ),
    "optimizer nadam": toolbox(optim={"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-5, "momentum_decay": 4e-3}),
    "optimizer rmsprop": toolbox(optim={"optimizer": "rmsprop", "rho": 0.8}),
    "clip_value": toolbox(optim={"clip_value": 0.05}),
    "clip_norm": toolbox(optim={"clip_norm": 0.1}),
    "clip_global_norm": toolbox(optim={"clip_global_norm": 0.1}),
    "power": toolbox(schedule={"kind": "power", "decay_steps": 10, "exponent": 0.5}),
    "exponential per epoch": toolbox(schedule={"kind": "exponential", "decay_epochs": 8.0}),
    "exponential per step": toolbox(schedule={"kind": "exponential", "decay_steps": 20, "factor": 0.5}),
    "piecewise": toolbox(schedule={"kind": "piecewise", "boundaries_epochs": (1, 5), "factors": (1.0, 0.5, 0.1)}),
    "plateau": toolbox(schedule={"kind": "plateau", "patience_epochs": 2, "min_delta": 0.1, "factor": 0.5}),
    "onecycle": toolbox(optim={"optimizer": "sgd"}, schedule={"kind": "onecycle", "total_steps": 50}),
    "onecycle with momentum": toolbox(
        optim={"optimizer": "momentum"}, schedule={"kind": "onecycle", "momentum_low": 0.8, "momentum_high": 0.9}
    ),
    "cosine": toolbox(schedule={"kind": "cosine"}),
    "warm-up": toolbox(schedule={"warmup_steps": 7}),
    "warm-up and cosine": toolbox(schedule={"kind": "cosine", "warmup_steps": 7}),
    **{f"activation {name}": toolbox(model={"activation": name}) for name in get_args(choices.Activation)},
    "activation sigmoid": toolbox(model={"activation": "sigmoid"}, optim={"learning_rate": 0.03}),
    "activation hard_sigmoid": toolbox(model={"activation": "hard_sigmoid"}, optim={"learning_rate": 0.03}),
    "activation softmax": toolbox(model={"activation": "softmax"}, optim={"learning_rate": 0.1}),
    "activation exponential": toolbox(  # of what is no longer small it is too large for a second layer
        model={"activation": "exponential", "kernel_init": "variance_scaling", "init_scale": 0.01},
        optim={"learning_rate": 3e-3},
    ),
    **{f"initialiser {name}": toolbox(model={"kernel_init": name}) for name in get_args(choices.Initializer)},
    "initialiser constant": toolbox(model={"kernel_init": "constant", "init_scale": 0.02}),
    "initialiser zeros": toolbox(model={"head_init": "zeros"}),
    "initialiser ones": toolbox(model={"head_init": "ones"}),
    "variance_scaling fan_out normal": toolbox(
        model={"kernel_init": "variance_scaling", "init_mode": "fan_out", "init_distribution": "normal"}
    ),
    "variance_scaling fan_avg uniform": toolbox(
        model={"head_init": "variance_scaling", "init_mode": "fan_avg", "init_distribution": "uniform"}
    ),
    "bn before": toolbox(model={"batch_norm": True}),
    "bn before, without biases": toolbox(model={"batch_norm": True, "use_bias": False}),
    "bn after": toolbox(model={"batch_norm": True, "batch_norm_place": "after"}),
    "bn of inputs": toolbox(model={"batch_norm": True, "batch_norm_place": "input"}),
    "bn and dropout of some layers": toolbox(
        model={
            "units": (36,) * 3,
            "batch_norm": (True, False, True),
            "batch_norm_place": "input",
            "dropout_rate": (0.0, 0.2, 0.1, 0.0),
        }
    ),
    "bn of the input": toolbox(data={"scaling": "none"}, model={"batch_norm_input": True}),
    **{
        f"{kind} {sites}": toolbox(
            model={"units": (36,) * 3, "dropout": kind, "dropout_sites": sites, "dropout_rate": 0.1}
        )
        for kind in get_args(choices.Dropout)
        for sites in get_args(choices.DropoutSites)
        if sites != "none"
    },
    "a frozen layer": toolbox(
        model={"units": (36,) * 3}, transfer={"frozen": (0, 1), "unfreeze": 1, "unfreeze_epoch": 2}
    ),
    "best accuracy": toolbox(train={"monitor": "val_accuracy"}),
    "diagnostics": toolbox(model={"units": (36,) * 3}, train={"diagnostics": True}),
    "matmul_precision default": toolbox(model={"units": (36,) * 3}, train={"matmul_precision": "default"}),
    "kernels xla": toolbox(model={"units": (36,) * 3}, train={"kernels": "xla"}),
    "kernels fused": toolbox(model={"units": (36,) * 3}, train={"kernels": "fused"}),
    "kernels fused, bn": toolbox(model={"units": (36,) * 3, "batch_norm": True}, train={"kernels": "fused"}),
    "matmul_precision bfloat16": toolbox(model={"units": (36,) * 3}, train={"matmul_precision": "bfloat16"}),
    "skip": toolbox(model={"units": (36,) * 3, "skip": True}),
    "skip, bn and dropout": toolbox(
        model={
            "units": (36,) * 3,
            "skip": True,
            "batch_norm": True,
            "dropout_sites": "after_hidden",
            "dropout_rate": 0.1,
        }
    ),
    "sigmoid head": toolbox(model={"head": "sigmoid"}),
    SEVERAL_LABELS: toolbox(model={"head": "sigmoid"}),
    **{f"numbers {head}": toolbox(model={"head": head}) for head in REGRESSION_HEADS},
    "numbers by squared_error": toolbox(model={"head": "linear"}, train={"loss": "squared_error"}),
    "numbers by absolute_error": toolbox(model={"head": "linear"}, train={"loss": "absolute_error"}),
    "own module": Config(
        Data(valid_size=60),
        Model(module=a_users_own.residual),
        Optim(learning_rate=1e-2),
        Train(batch_size=32, epochs=EPOCHS, patience=EPOCHS),
    ),
    "own loss": toolbox(train={"loss": a_users_own.focal}),
    **{
        f"biases {name}": toolbox(model={"bias_init": name, "init_scale": 0.1 if name == "constant" else 1.0})
        for name in get_args(choices.BiasInitializer)
    },
    "l1": toolbox(regularize={"l1": 1e-3}),
    "l2": toolbox(regularize={"l2": 1e-3, "penalized": (0, 2)}),
    "l1 and l2": toolbox(regularize={"l1": 1e-3, "l2": 1e-3, "penalized": "head"}),
    "max_norm": toolbox(regularize={"max_norm": 0.8, "constrained": "every"}),
    "label smoothing": toolbox(regularize={"label_smoothing": 0.1}),
    "keep_zeros": toolbox(regularize={"keep_zeros": True}),
    "sparsity": toolbox(regularize={"sparsity": 0.6, "prune_end_epoch": 6}, train={"keep": "last"}),
    "sparsity of each layer": toolbox(
        regularize={"sparsity": 0.6, "prune_begin_epoch": 2, "prune_end_epoch": 8, "prune_scope": "layer"},
        train={"keep": "last"},
    ),
    "shift": toolbox(data={"shift_pixels": 1}),
    "flip": toolbox(data={"flip": True}),
    "shift and flip": toolbox(data={"shift_pixels": 1, "flip": True}),
    "padded subset": toolbox(data={"classes": (3, 0, 1), "per_class": 30, "valid_per_class": 12, "draw": 1}),
    "own activation": toolbox(model={"activation": a_users_own.snake}),
    "own initialiser": toolbox(model={"kernel_init": a_users_own.flat}),
    "own optimizer": toolbox(optim={"optimizer": a_users_own.heavy_ball}),
    "own schedule": toolbox(schedule={"kind": a_users_own.sawtooth}),
    **of_experiment("cifar", cifar.CONFIGS),
    **of_experiment("fashion_mnist", fashion_mnist.CONFIGS),
    **of_experiment("mnist", mnist.CONFIGS),
}


QUICK_ROWS = (
    *("optimizer sgd", "optimizer nadam", "optimizer adamw", "optimizer optax.lion", "clip_global_norm"),
    *("exponential per epoch", "plateau", "onecycle with momentum", "warm-up and cosine"),
    *("activation selu", "activation prelu", "activation rrelu", "activation glu", "initialiser orthogonal"),
    *("bn before, without biases", "bn after", "bn of the input", "dropout every", "alpha_dropout head"),
    *("l1 and l2", "max_norm", "sparsity", "shift and flip", "own activation", "own optimizer", "own schedule"),
    *(
        "bn and dropout of some layers",
        "skip, bn and dropout",
        "sigmoid head",
        SEVERAL_LABELS,
        "numbers tanh",
        "own loss",
        "own module",
        "biases random_normal",
        "activation glu",
    ),
    *("padded subset",),
    *("cifar bn", "cifar alpha_dropout", "cifar onecycle", "fashion_mnist plateau"),
)
"""One or more of each kind. The other rows are slow only by their number."""
LEARNS_NO_CLASSES = {"cifar as_002_alpha_dropout": "alpha dropout between ELU layers: inference sees other moments"}


def dataset_of(config: Config, name: str = "") -> Dataset:
    """The small rows. A sigmoid head gets two classes, and other targets are made of the classes."""
    if config.model.head == "softmax":
        return small_dataset(config)
    if name == SEVERAL_LABELS or config.model.is_regression:
        (x, y), (x_test, y_test) = small_arrays(400), small_arrays(120, 1)
        if config.model.is_regression:
            return Dataset.from_arrays(x, y + 1.0, x_test, y_test + 1.0, data=config.data, task="regression")
        labels = [np.stack([of % 2, of // 2], 1) for of in (y, y_test)]
        return Dataset.from_arrays(x, labels[0], x_test, labels[1], data=config.data, task="multilabel")
    parts = [(images[labels < 2], labels[labels < 2]) for images, labels in (small_arrays(400), small_arrays(120, 1))]
    return Dataset.from_arrays(*parts[0], *parts[1], data=config.data)


def of_two_layers(model: Model) -> Model:
    """The model with two hidden layers of 36 units, which are the first two of the model with entries for layers."""
    each = {}
    if isinstance(model.batch_norm, tuple):
        each["batch_norm"] = model.batch_norm[:2]
    if isinstance(model.dropout_rate, tuple):
        each["dropout_rate"] = model.dropout_rate[:3]
    return replace(model, units=(36, 36), **each)


class Row:
    """A row's runs, each of them once."""

    def __init__(self, name: str, config: Config) -> None:
        self.name, self.config = name, config
        self.data = subset_of(dataset_of(config, name), config.data)

    @cached_property
    def run(self) -> Run:
        """With seed 0."""
        return fit(self.config, self.data, seed=0)

    @cached_property
    def other(self) -> tuple[Run, list[str]]:
        """With seed 1, after that with seed 0, and what was compiled for it."""
        assert self.run
        with compilations() as heard:
            return fit(self.config, self.data, seed=1), heard


@pytest.fixture(scope="module", autouse=True)
def little_optimisation() -> Iterator[None]:
    with lean_compilation():
        yield
    jax.clear_caches()  # they hold gigabytes


@pytest.fixture(
    scope="module",
    params=[name if name in QUICK_ROWS else pytest.param(name, marks=pytest.mark.slow) for name in ROWS],
)
def row(request: pytest.FixtureRequest) -> Iterator[Row]:
    """Every row through all tests, one row after the other: few compiled programs are kept."""
    config = ROWS[request.param]
    mixes_types = str(config.optim.optimizer).startswith("optax.")
    with jax.numpy_dtype_promotion("standard" if mixes_types else "strict"):
        yield Row(request.param, config)


def test_the_loss_falls_and_all_is_finite(row: Row) -> None:
    run = row.run
    losses = [record.train_loss for record in run.history]
    assert len(losses) == EPOCHS
    assert losses[-1] < 0.7 * losses[0]
    assert all(np.isfinite(record).all() for record in run.history)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((run.params, run.batch_stats)))
    assert {leaf.dtype.name for leaf in jax.tree.leaves((run.params, run.batch_stats))} == {"float32"}
    assert not run.diverged
    assert run.test_accuracy > 0.5 or row.name in LEARNS_NO_CLASSES  # chance is 0.25


def test_the_kept_weights_are_those_of_their_epoch(row: Row) -> None:
    run = row.run
    by_accuracy = row.config.train.monitor == "val_accuracy"
    best = min(run.history, key=lambda record: -record.val_accuracy if by_accuracy else record.val_loss)
    kept = run.history[-1] if row.config.train.keep == "last" else best
    assert (run.best_epoch, run.val_loss, run.val_accuracy) == (kept.epoch, kept.val_loss, kept.val_accuracy)
    compiled = compile_program(row.config, row.data)
    valid, test, *_ = compiled.evaluate(run.params, run.batch_stats, programs.traced(row.config), row.data)
    np.testing.assert_allclose(valid[:2], (run.val_loss, run.val_accuracy), rtol=1e-6)
    for evaluation, hits in ((valid, run.val_correct), (test, run.test_correct)):
        np.testing.assert_array_equal(evaluation.correct[: len(hits)], hits)
        assert evaluation.accuracy == pytest.approx(hits.mean(), rel=1e-6)


def last_step(
    config: Config, state: TrainState, hyper: Hyper, data: Dataset, batch: forward.Batch, key: jax.Array
) -> tuple[TrainState, tuple[jax.Array, jax.Array]]:
    """A step at the rates of the epoch's last one."""
    rates = jax.tree.map(lambda values: values[-1], step.epoch_rates(config, state, hyper, data))
    return step.train_step(config, state, hyper, rates, data, batch, key)


def test_compiled_equals_eager(row: Row) -> None:
    is_own = not isinstance(row.config.model.module, str)
    model = row.config.model if is_own else of_two_layers(row.config.model)
    train = replace(row.config.train, dtype="float64", matmul_precision="highest")  # bfloat16 is of float32 alone
    config = replace(row.config, model=model, train=train)
    with jax.enable_x64(True):
        data = subset_of(dataset_of(config, row.name), config.data)
        state = step.start(config, config.hyper(), data, jax.random.key(0))
        batch = forward.Batch(jnp.arange(32), jnp.arange(32) < 22)
        arguments = (state, config.hyper(), data, batch, jax.random.key(1))
        lowered = jax.jit(partial(last_step, config)).lower(*arguments)  # a partial, whose trace is not kept
        compiled, figures = xla_options.compile_with(lowered, xla_options.FAST)(*arguments)
        with jax.disable_jit():
            eager, eager_figures = last_step(config, *arguments)
        found, expected = (
            jax.tree.map(np.asarray, (s.params, s.batch_stats, s.opt_state, f))
            for s, f in ((compiled, figures), (eager, eager_figures))
        )
        begun = jax.tree.map(np.asarray, (state.params, state.batch_stats, state.opt_state))
    assert any((old != new).any() for old, new in zip(*map(jax.tree.leaves, (begun, expected[:3])), strict=True))
    for (path, other), one in zip(jax.tree.leaves_with_path(expected), jax.tree.leaves(found), strict=True):
        assert one.dtype == other.dtype
        # A bias (of Dense, of BN) whose unit stays linear on the batch and is normalised next has a gradient of noise,
        # which Nadam divides by 1e-7: measured 5e-11 there, else 1.4e-14.
        noisy = any(model.normed) and jax.tree_util.keystr(path).endswith("['bias']")
        tolerance = 3e-10 if noisy else 1e-13
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max(initial=0.1))


def test_all_seeds_are_one_compilation(row: Row) -> None:
    _, heard = row.other
    assert not heard


def test_seeds_differ_and_the_same_seed_does_not(row: Row) -> None:
    other, _ = row.other
    again = fit(row.config, row.data, seed=0)
    assert without_time(again) == without_time(row.run)
    assert other.history[0].train_loss != again.history[0].train_loss


def test_an_interrupted_run_ends_in_the_same_bits(row: Row, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop_at_3(history: Sequence[EpochRecord]) -> None:
        if len(history) == 3:
            raise Stop

    with pytest.raises(Stop):
        fit(row.config, row.data, seed=0, checkpoints=tmp_path, on_epoch=stop_at_3)
    seen: list[int] = []
    run = fit(row.config, row.data, seed=0, checkpoints=tmp_path, on_epoch=lambda history: seen.append(len(history)))
    assert seen == list(range(3, EPOCHS + 1))
    for one, other in zip(*(jax.tree.leaves((each.params, each.batch_stats)) for each in (run, row.run)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert without_time(run) == without_time(row.run)
    assert (run.test_loss, run.test_accuracy) == (row.run.test_loss, row.run.test_accuracy)


def without_time(run: Run) -> list[tuple]:
    return [record[:-1] for record in run.history]


def test_a_compilation_would_be_heard_even_of_what_is_in_the_cache() -> None:
    for _ in range(2):
        with compilations() as heard:
            jax.jit(lambda x: jnp.linalg.qr(x)[0] @ x)(jnp.eye(5))
        assert heard


def chosen(config: Config) -> Iterator[tuple[str, Any]]:
    """The choices that a configuration makes by name and uses, by the name of their type."""
    model, regularize = config.model, config.regularize
    yield "Scaling", config.data.scaling
    yield "Activation", model.activation
    for init in (model.kernel_init, model.head_init):
        yield "Initializer", init
    if "variance_scaling" in (model.kernel_init, model.head_init):
        yield "InitMode", model.init_mode
        yield "InitDistribution", model.init_distribution
    yield "BiasInitializer", model.bias_init
    yield "Head", model.head
    yield "Module", model.module
    if any(model.normed):
        yield "NormPlace", model.batch_norm_place
    yield "DropoutSites", model.dropout_sites
    if any(model.dropped):
        yield "Dropout", model.dropout
    yield "Optimizer", config.optim.optimizer
    yield "ScheduleKind", config.schedule.kind
    if regularize.has_penalty:
        yield "LayerGroup", regularize.penalized
    if regularize.max_norm is not None:
        yield "LayerGroup", regularize.constrained
    if regularize.prunes:
        yield "PruneScope", regularize.prune_scope
    yield "Loss", config.train.loss
    yield "Keep", config.train.keep
    yield "Monitor", config.train.monitor
    yield "MatmulPrecision", config.train.matmul_precision
    yield "Kernels", config.train.kernels


def test_every_name_has_a_row() -> None:
    kinds = {name: kind for name, kind in vars(choices).items() if get_origin(kind) is Literal}
    names = {name: get_args(kind) for name, kind in kinds.items() if not name.endswith("Choice")}
    del names["DType"]  # every row runs in float32 and makes a step in float64
    del names["Task"]  # which the rows of the heads have
    given = {pair for config in ROWS.values() for pair in chosen(config)}
    missing = {(name, value) for name, values in names.items() for value in values} - given
    assert not missing
    own = {kind for kind, value in given if callable(value)}
    assert own == {"Activation", "Initializer", "Loss", "Module", "Optimizer", "ScheduleKind"}


def test_every_field_is_given_in_some_row() -> None:
    def given(part: str, field: str) -> set[Any]:
        return {getattr(getattr(config, part), field) for config in ROWS.values()}

    same = {
        f"{part}.{field.name}"
        for part, kind in PARTS.items()
        for field in fields(kind)
        if len(given(part, field.name)) < 2
    }
    # the rows are cut to size and have a split of their own; each makes a step in float64; none has a source
    assert same == {
        *(f"transfer.{name}" for name in ("source", "layers", "added", "head", "gradual", "rate_factor")),
        "data.valid_size",
        "data.train_size",
        "data.resample",
        "train.epochs",
        "train.patience",
        "train.dtype",
    }
