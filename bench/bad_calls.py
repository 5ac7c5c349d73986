"""Calls with configurations, seeds, studies and searches that must be refused."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from bench.attempts import Attempt, call, calls
from bench.bad_data import CONFIG, DATA, dataset, labels, rows
from bench.bad_values import ALIEN, JSON, OF_TYPE, alien_to, fields
from jaxdeep import (
    Bracket,
    Config,
    Data,
    Dataset,
    Model,
    Optim,
    Regularize,
    Schedule,
    Train,
    Trial,
    fit,
    fit_all,
    fit_by_halving,
    hyperband,
    stratified_folds,
    successive_halving,
)
from jaxdeep.config.parts import PARTS
from jaxdeep.train.lr_finder import find_learning_rate

SEEDS: Final = (-1, 2**32, 10**400, 1.0, 0.5, math.nan, True, np.True_, "1", None, (1,), 1j, np.ones(1))
COUNTS: Final = (0, -1, 2.5, "3", None, True, math.nan, (1,))
NO_CONFIG: Final = (None, {}, "selu", Config, Data())
NO_DATA: Final = (None, {}, "cifar10", rows(), (rows(), labels()))


def bad_calls(inputs: Path) -> list[Attempt]:
    """Return the attempts of all these calls.

    Args:
        inputs: Folder for the files that some calls name.

    Returns:
        Attempts that are not made yet.
    """
    return [*_fields(), *_parts(), *_trials(), *_runs(inputs), *_range_tests(), *_folds(), *_studies(), *_searches()]


def _fields() -> Iterator[Attempt]:
    for field in fields():
        for name, value in alien_to(field, {**ALIEN, **OF_TYPE[field.kind]}).items():
            wrong = {field.name: value}
            yield call("call: a field's value", f"{field.dotted}: {name}", lambda f=field, w=wrong: f.owner(**w))
        for name, value in alien_to(field, JSON).items():
            plain = {field.part: {field.name: value}}
            yield call("call: Config.from_dict", f"{field.dotted}: {name}", lambda plain=plain: Config.from_dict(plain))
        if not field.optional:
            yield call("call: a field's value", f"{field.dotted}: None", lambda f=field: f.owner(**{f.name: None}))
        misspelt = {field.part: {f"{field.name}_": None}}
        yield call("call: Config.from_dict", f"{field.dotted}_", lambda plain=misspelt: Config.from_dict(plain))


def _parts() -> Iterator[Attempt]:
    for part in PARTS:
        values = (None, {}, part, Config(), PARTS[part])
        yield from calls("call: Config", part, lambda value, part=part: Config(**{part: value}), values)
    wrong = (None, [], "selu", 5, {"optm": {}}, {"data": None}, {"data": []}, {1: {}})
    yield from calls("call: Config.from_dict", "the whole", Config.from_dict, wrong)
    kind = "call: fields that exclude each other"
    for name, make in {
        "a dropout rate without sites": lambda: Model(dropout_rate=0.1),
        "sites without a dropout rate": lambda: Model(dropout_sites="every"),
        "batch norm's place without it": lambda: Model(batch_norm_place="after"),
        "alpha of selu": lambda: Model(alpha=0.1),
        "two clips": lambda: Optim(clip_norm=1.0, clip_value=1.0),
        "rho of nadam": lambda: Optim(rho=0.5),
        "a power without steps": lambda: Schedule("power"),
        "1cycle with a warm-up": lambda: Schedule("onecycle", warmup_steps=5),
        "pieces that fall": lambda: Schedule("piecewise", boundaries_epochs=(5, 2), factors=(1.0, 0.5, 0.1)),
        "a factor too few": lambda: Schedule("piecewise", boundaries_epochs=(5,), factors=(1.0,)),
        "penalized without a penalty": lambda: Regularize(penalized="head"),
        "constrained without a constraint": lambda: Regularize(constrained="head"),
        "an unknown layer": lambda: Config(regularize=Regularize(l2=0.1, penalized=(99,))),
        "a layer twice": lambda: Config(regularize=Regularize(l2=0.1, penalized=(0, 0))),
        "rprop with a schedule": lambda: Config(optim=Optim("optax.rprop"), schedule=Schedule("cosine")),
        "1cycle with a momentum": lambda: Config(optim=Optim("nesterov", beta_1=0.5), schedule=Schedule("onecycle")),
    }.items():
        yield call(kind, name, make)


def _trials() -> Iterator[Attempt]:
    kind = "call: Trial"
    yield from calls(kind, "seed", lambda seed: Trial(CONFIG, seed), SEEDS)
    yield from calls(kind, "config", lambda config: Trial(config, 1), NO_CONFIG)
    yield from calls(kind, "fold", lambda fold: Trial(CONFIG, 1, {}, fold), (-1, 0.5, True, "0", (0,), math.nan))
    values = (
        None,
        5,
        "optim.learning_rate",
        {"optim.learning_rat": 1e-3},
        {"optim": 1},
        {1: 1},
        {"optim.learning_rate": 5.0},
    )
    yield from calls(
        kind, "values", lambda value: Trial(CONFIG, 1, value), (*values, {"optim.learning_rate": math.nan})
    )


def _runs(inputs: Path) -> Iterator[Attempt]:
    kind, file = "call: fit", inputs / "no_folder"
    file.write_text("text")
    yield from calls(kind, "seed", lambda seed: fit(CONFIG, dataset(), seed), SEEDS)
    yield from calls(kind, "config", lambda config: fit(config, dataset()), NO_CONFIG)
    yield from calls(kind, "data", lambda data: fit(CONFIG, data), NO_DATA)
    yield from calls(
        kind, "until", lambda until: fit(CONFIG, dataset(), until=until), (0, -1, 2.5, "1", True, math.nan)
    )
    yield from calls(
        kind, "checkpoints", lambda at: fit(CONFIG, dataset(), checkpoints=at), (file, file / "below", 5, "/proc/x")
    )
    yield from calls(kind, "on_epoch", lambda on: fit(CONFIG, dataset(), on_epoch=on), ("print", 5))
    for name, change in {
        "an activation of NumPy's": {"model": replace(CONFIG.model, activation=np.tanh)},
        "an activation of Python's math": {"model": replace(CONFIG.model, activation=math.tanh)},
        "an initialiser of NumPy's": {"model": replace(CONFIG.model, kernel_init=np.zeros)},
        "a function that is no optimizer": {"optim": Optim(np.sign)},
        "a schedule of NumPy's": {"schedule": Schedule(np.cos)},
    }.items():
        yield call(kind, name, lambda change=change: fit(replace(CONFIG, **change), dataset()))
    flat = Dataset.from_arrays(rows(), labels(), data=replace(DATA, flip=True))
    for name, make in {
        "float64 that JAX has not": lambda: fit(replace(CONFIG, train=Train(epochs=1, dtype="float64")), dataset()),
        "another scaling": lambda: fit(replace(CONFIG, data=Data("none", 20)), dataset()),
        "another split": lambda: fit(replace(CONFIG, data=Data(valid_size=30)), dataset()),
        "a schedule of another length": lambda: fit(
            replace(CONFIG, schedule=Schedule("cosine", total_steps=99)), dataset()
        ),
        "a warm-up longer than the run": lambda: fit(replace(CONFIG, schedule=Schedule(warmup_steps=99)), dataset()),
        "rows that are no images flipped": lambda: fit(replace(CONFIG, data=replace(DATA, flip=True)), flat),
        "more steps than an int32 counts": lambda: fit(
            replace(CONFIG, train=Train(epochs=2**31 - 1), schedule=Schedule("onecycle")), dataset()
        ),
    }.items():
        yield call(kind, name, make)


def _range_tests() -> Iterator[Attempt]:
    kind, test = "call: find_learning_rate", find_learning_rate
    several = ((), [], "12", None, 5, (1, 1), (-1,), (0, 2**32), (1.0,), (True,), ("1",), np.ones((1, 1)))
    yield from calls(kind, "seeds", lambda seeds: test(CONFIG, dataset(), seeds), several)
    yield from calls(kind, "config", lambda config: test(config, dataset(), (1,)), NO_CONFIG)
    yield from calls(kind, "data", lambda data: test(CONFIG, data, (1,)), NO_DATA)
    wrong = (0.0, -1.0, math.nan, math.inf, 100.0, "1", None)
    yield from calls(kind, "lowest", lambda rate: test(CONFIG, dataset(), (1,), lowest=rate), wrong)
    wrong = (0.0, -1.0, math.nan, math.inf, 1e-9, "1", None, 1e300)
    yield from calls(kind, "highest", lambda rate: test(CONFIG, dataset(), (1,), highest=rate), wrong)


def _folds() -> Iterator[Attempt]:
    kind, folds = "call: stratified_folds", stratified_folds
    yield from calls(kind, "count", lambda count: folds(dataset(), DATA, count), (*COUNTS, 1, 31, 10**9))
    yield from calls(kind, "seed", lambda seed: folds(dataset(), DATA, 3, seed), SEEDS)
    yield from calls(kind, "data", lambda data: folds(dataset(), data, 3), (None, {}, CONFIG, Data("none", 20)))
    yield from calls(kind, "dataset", lambda data: folds(data, DATA, 3), NO_DATA)


def _studies() -> Iterator[Attempt]:
    kind, one = "call: fit_all", (Trial(CONFIG, 1),)
    first, last = (Trial(CONFIG, 1, {}, fold) for fold in (0, 3))
    folds = stratified_folds(dataset(), DATA, 3)
    yield from calls(
        kind, "trials", lambda trials: fit_all(trials, dataset()), (None, CONFIG, (CONFIG,), ((CONFIG, 1),))
    )
    yield from calls(kind, "data", lambda data: fit_all(one, data), (*NO_DATA, (), [None]))
    yield from calls(kind, "until", lambda until: fit_all(one, dataset(), until=until), (0, -1, 2.5, "1"))
    yield from calls(kind, "workers", lambda workers: fit_all(one, dataset(), workers=workers), (0, -1, 2.5, "1"))
    yield from calls(
        kind, "checkpoints", lambda at: fit_all(one, dataset(), checkpoints=at), (None, "kept", Path("kept"))
    )
    two = (*one, Trial(CONFIG, 2))
    for name, make in {
        "one folder for two trials": lambda: fit_all(two, dataset(), checkpoints=lambda _: Path("kept")),
        "a folder of the second trial that cannot be made": lambda: fit_all(
            two, dataset(), checkpoints=lambda trial: Path("/proc/x") if trial.seed == 2 else Path("kept")
        ),
        "folds, and no trial's fold": lambda: fit_all(one, folds),
        "a fold, and one data set": lambda: fit_all((first,), dataset()),
        "an unknown fold": lambda: fit_all((last,), folds),
        "another scaling": lambda: fit_all((Trial(replace(CONFIG, data=Data("none", 20)), 1),), dataset()),
    }.items():
        yield call(kind, name, make)


def _searches() -> Iterator[Attempt]:
    kind = "call: successive_halving"
    yield from calls(kind, "candidates", lambda count: successive_halving(count, 9), COUNTS)
    yield from calls(kind, "epochs", lambda epochs: successive_halving(9, epochs), COUNTS)
    yield from calls(kind, "eta", lambda eta: successive_halving(9, 9, eta), (1, *COUNTS))
    yield from calls("call: hyperband", "epochs", hyperband, COUNTS)
    yield from calls("call: hyperband", "eta", lambda eta: hyperband(9, eta), (1, *COUNTS))
    kind, one = "call: fit_by_halving", (Trial(CONFIG, 1),)
    rungs = successive_halving(1, 1)
    right = Bracket(("",), rungs)
    wrong = (None, (), (right, None), (Bracket((), rungs),), (Bracket(("x",), rungs),), (Bracket(("",), ()),))
    yield from calls(kind, "brackets", lambda brackets: fit_by_halving(one, dataset(), brackets), wrong)
    yield from calls(kind, "trials", lambda trials: fit_by_halving(trials, dataset(), (right,)), (None, (CONFIG,)))
    yield call(kind, "a trial twice", lambda: fit_by_halving(one * 2, dataset(), (right,)))
    yield from calls(kind, "data", lambda data: fit_by_halving(one, data, (right,)), (*NO_DATA, ()))
