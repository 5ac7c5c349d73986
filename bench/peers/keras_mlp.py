"""The network and the optimizer of a configuration in Keras 3. Imports nothing of jaxdeep, which would import JAX."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import keras

RRELU_SLOPES = (1 / 8, 1 / 3)


class Restraint(NamedTuple):
    """What keeps the kernels of some dense layers small; layer 0 is the first hidden one, the last one the head.

    Attributes:
        l1: strength of the penalty of absolute values.
        l2: strength of the penalty of squares.
        penalized: indices of the layers that pay it.
        max_norm: norm that no unit's incoming weights exceed after a step; None: any.
        constrained: indices of the layers of which this holds.
    """

    l1: float = 0.0
    l2: float = 0.0
    penalized: Sequence[int] = ()
    max_norm: float | None = None
    constrained: Sequence[int] = ()


class RReLU(keras.layers.Layer):
    """Randomised leaky ReLU, which Keras does not have: slopes from U(1/8, 1/3) in training, else their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: Any, training: bool = False) -> Any:
        low, high = RRELU_SLOPES
        share = keras.random.uniform(keras.ops.shape(inputs), seed=self.seed_generator) if training else 0.5
        return keras.ops.where(inputs > 0, inputs, (low + (high - low) * share) * inputs)


def network(model: Any, inputs: int, classes: int, restraint: Restraint | None = None) -> keras.Sequential:
    """The layers in order, with Keras's own initialisers and a logits head.

    Args:
        model: architecture, a `jaxdeep.config.Model` or something with its fields; its choices are names.
        inputs: D, features of a row.
        classes: C.
        restraint: of the kernels; None: they are free.
    """
    restraint = restraint or Restraint()
    head = len(model.units)
    drop = {"dropout": keras.layers.Dropout, "alpha_dropout": keras.layers.AlphaDropout}[model.dropout]
    dropped = {"none": (), "head": (head,), "after_hidden": range(1, head + 1), "every": range(head + 1)}
    norm = keras.layers.BatchNormalization

    def dense(index: int, units: int, init: str, **other: Any) -> keras.layers.Dense:
        if index in restraint.penalized:
            other["kernel_regularizer"] = keras.regularizers.L1L2(restraint.l1, restraint.l2)
        limit: Any = restraint.max_norm  # which Keras declares an int
        if limit is not None and index in restraint.constrained:
            other["kernel_constraint"] = keras.constraints.MaxNorm(limit, axis=0)
        return keras.layers.Dense(units, kernel_initializer=_initializer(init, model), **other)

    layers: list[Any] = [keras.Input((inputs,))]
    if model.batch_norm_input:
        layers.append(norm())
    for index, units in enumerate((*model.units, classes)):
        if index in dropped[model.dropout_sites]:
            layers.append(drop(model.dropout_rate))
        if index == head:
            layers.append(dense(index, units, model.head_init, name="head"))
            continue
        layers.append(dense(index, units, model.kernel_init, use_bias=model.use_bias))
        bent = [_activation(model.activation, model.alpha)]
        if model.batch_norm:
            bent.insert(0 if model.batch_norm_place == "before" else 1, norm())
        layers += bent
    return keras.Sequential(layers)


def _activation(name: str, alpha: float | None) -> keras.layers.Layer:
    match name:
        case "prelu":
            first: Any = keras.initializers.Constant(0.25 if alpha is None else alpha)
            return keras.layers.PReLU(first)
        case "rrelu":
            return RReLU()
        case "leaky_relu":
            return keras.layers.LeakyReLU(0.01 if alpha is None else alpha)
        case "elu" if alpha is not None:
            return keras.layers.ELU(alpha)
    return keras.layers.Activation(name)


def _initializer(name: str, model: Any) -> Any:
    match name:
        case "variance_scaling":
            drawn_from = model.init_distribution
            distribution = "untruncated_normal" if drawn_from == "normal" else drawn_from
            return keras.initializers.VarianceScaling(model.init_scale, model.init_mode, distribution)
        case "orthogonal":
            return keras.initializers.Orthogonal(model.init_scale)
        case "constant":
            return keras.initializers.Constant(model.init_scale)
    return name


OPTIMIZERS: Final[dict[str, Callable[[Any], keras.optimizers.Optimizer]]] = {
    "nadam": lambda of: keras.optimizers.Nadam(of.learning_rate, of.beta_1, of.beta_2, of.epsilon),
    "sgd": lambda of: keras.optimizers.SGD(of.learning_rate),
    "momentum": lambda of: keras.optimizers.SGD(of.learning_rate, momentum=of.beta_1),
}
"""Those that the bench compares, from a `jaxdeep.config.Optim`."""


def compiled(model: keras.Sequential, optim: Any, steps_per_execution: int = 1) -> None:
    """Compile a network, with what Keras chooses by itself left to it.

    Args:
        model: with a logits head.
        optim: a `jaxdeep.config.Optim` whose optimizer is one of OPTIMIZERS, or something with its fields.
        steps_per_execution: of `compile`.
    """
    model.compile(
        optimizer=OPTIMIZERS[optim.optimizer](optim),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
