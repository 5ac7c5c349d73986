"""One table: all that can be chosen by name and all configurations of the experiments, through every behaviour.

The programs are compiled with little optimisation, which is most of the time that this file would take; other tests
train as in earnest.
"""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

import a_users_own
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import small_dataset

from experiments import cifar, fashion_mnist
from experiments.recipe import Recipe
from jaxdeep.config import Config, Data, Hyper, Model, Optim, Train, choices
from jaxdeep.config.config import PARTS
from jaxdeep.data.dataset import Dataset
from jaxdeep.train import program, step
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.state import TrainState

EPOCHS = 10
RATES = {
    "sgd": 0.1,
    "momentum": 0.02,
    "nesterov": 0.02,
    "adagrad": 0.05,
    "ftrl": 0.1,
    "optax.adadelta": 10.0,
    "optax.lars": 10.0,
    "optax.radam": 0.03,
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
    """A configuration of the experiments on small rows: narrower, shallower and shorter, all else its own."""
    edges = len(config.schedule.boundaries_epochs)
    return replace(
        config,
        data=replace(config.data, valid_size=60, train_size=None),
        model=replace(config.model, units=tuple(max(units // 8, 8) for units in config.model.units[:4])),
        optim=replace(config.optim, learning_rate=RATES.get(str(config.optim.optimizer), 1e-2)),
        train=replace(config.train, epochs=EPOCHS, patience=EPOCHS),
        schedule=replace(config.schedule, total_steps=None, boundaries_epochs=tuple(range(1, edges + 1))),
    )


def of_experiment(experiment: str, configs: Mapping[str, Recipe]) -> dict[str, Config]:
    return {f"{experiment} {name}": small(recipe.config) for name, recipe in configs.items()}


ROWS: dict[str, Config] = {
    **{f"optimizer {name}": toolbox(optim={"optimizer": name}) for name in get_args(choices.Optimizer)},
    "ftrl with l1 and l2": toolbox(optim={"optimizer": "ftrl", "ftrl_l1": 1e-3, "ftrl_l2": 1e-3}),
    "nadam of other numbers": toolbox(
        optim={"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-5, "momentum_decay": 4e-3}
    ),
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
    "variance_scaling fan_out normal": toolbox(
        model={"kernel_init": "variance_scaling", "init_mode": "fan_out", "init_distribution": "normal"}
    ),
    "variance_scaling fan_avg uniform": toolbox(
        model={"head_init": "variance_scaling", "init_mode": "fan_avg", "init_distribution": "uniform"}
    ),
    "bn before": toolbox(model={"batch_norm": True}),
    "bn before, without biases": toolbox(model={"batch_norm": True, "use_bias": False}),
    "bn after": toolbox(model={"batch_norm": True, "batch_norm_place": "after"}),
    "bn of the input": toolbox(data={"scaling": "none"}, model={"batch_norm_input": True}),
    **{
        f"{kind} {sites}": toolbox(
            model={"units": (36,) * 3, "dropout": kind, "dropout_sites": sites, "dropout_rate": 0.1}
        )
        for kind in get_args(choices.Dropout)
        for sites in get_args(choices.DropoutSites)
        if sites != "none"
    },
    "l1": toolbox(regularize={"l1": 1e-3}),
    "l2": toolbox(regularize={"l2": 1e-3, "penalized": (0, 2)}),
    "l1 and l2": toolbox(regularize={"l1": 1e-3, "l2": 1e-3, "penalized": "head"}),
    "max_norm": toolbox(regularize={"max_norm": 0.8, "constrained": "every"}),
    "shift": toolbox(data={"shift_pixels": 1}),
    "flip": toolbox(data={"flip": True}),
    "shift and flip": toolbox(data={"shift_pixels": 1, "flip": True}),
    "own activation": toolbox(model={"activation": a_users_own.snake}),
    "own initialiser": toolbox(model={"kernel_init": a_users_own.flat}),
    "own optimizer": toolbox(optim={"optimizer": a_users_own.heavy_ball}),
    "own schedule": toolbox(schedule={"kind": a_users_own.sawtooth}),
    **of_experiment("cifar", cifar.CONFIGS),
    **of_experiment("fashion_mnist", fashion_mnist.CONFIGS),
}


class Row:
    """A row's runs, each of them once."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.data = small_dataset(config)

    @cached_property
    def run(self) -> Run:
        """By seed 0."""
        return fit(self.config, self.data, seed=0)

    @cached_property
    def other(self) -> tuple[Run, int]:
        """By seed 1, after that of seed 0, and how many programs were compiled for it."""
        assert self.run
        with pytest.MonkeyPatch.context() as patched:
            compiled = heard_compilations(patched)
            return fit(self.config, self.data, seed=1), len(compiled)
