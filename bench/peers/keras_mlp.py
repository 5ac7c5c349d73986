"""The network and the optimizer of a configuration in Keras 3.

Nothing of jaxdeep is imported, because that would import JAX.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import keras

RRELU_SLOPES = (1 / 8, 1 / 3)
"""Lowest and highest slope of RReLU."""


class Restraint(NamedTuple):
    """Penalties and limits of the kernels of some dense layers.

    Layer 0 is the first hidden layer, the last layer the head.

    Attributes:
        l1: Strength of the penalty of absolute values.
        l2: Strength of the penalty of squares.
        penalized: Indices of the layers with a penalty.
        max_norm: Largest norm of a unit's incoming weights after a step. None sets no limit.
        constrained: Indices of the layers with the limit.
    """

    l1: float = 0.0
    l2: float = 0.0
    penalized: Sequence[int] = ()
    max_norm: float | None = None
    constrained: Sequence[int] = ()


class RReLU(keras.layers.Layer):
    """A randomised leaky ReLU, which Keras lacks. Slopes are from U(1/8, 1/3) in training, and their mean otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the activations of the inputs, in their shape."""
        low, high = RRELU_SLOPES
        share = keras.random.uniform(keras.ops.shape(inputs), seed=self.seed_generator) if training else 0.5
        return keras.ops.where(inputs > 0, inputs, (low + (high - low) * share) * inputs)


def network(model: Any, inputs: int, classes: int, restraint: Restraint | None = None) -> keras.Sequential:
    """Return the network with Keras's own initialisers and a logits head.

    Args:
        model: Architecture, as a `jaxdeep.config.Model` or something with its fields. Its choices are names.
        inputs: D, features of a row.
        classes: C, number of classes.
        restraint: Penalties and limits of the kernels. None sets none.

    Returns:
        The layers in order.
    """
    restraint = restraint or Restraint()
    head = len(model.units)
    drop = {"dropout": keras.layers.Dropout, "alpha_dropout": keras.layers.AlphaDropout}[model.dropout]
    dropped = {"none": (), "head": (head,), "after_hidden": range(1, head + 1), "every": range(head + 1)}
    norm = keras.layers.BatchNormalization

    def dense(index: int, units: int, init: str, **other: Any) -> keras.layers.Dense:
        if index in restraint.penalized:
            other["kernel_regularizer"] = keras.regularizers.L1L2(restraint.l1, restraint.l2)
        limit: Any = restraint.max_norm  # Keras declares it an int
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
    """Return the layer of an activation function."""
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
    """Return the initialiser of a name and the model's fields."""
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
    "nadam": lambda optim: keras.optimizers.Nadam(optim.learning_rate, optim.beta_1, optim.beta_2, optim.epsilon),
    "sgd": lambda optim: keras.optimizers.SGD(optim.learning_rate),
    "momentum": lambda optim: keras.optimizers.SGD(optim.learning_rate, momentum=optim.beta_1),
}
"""Name of an optimizer that the bench compares -> function that makes it from a `jaxdeep.config.Optim`."""


def compiled(model: keras.Sequential, optim: Any, steps_per_execution: int = 1) -> None:
    """Compile a network in place, with Keras's own defaults.

    Args:
        model: Network with a logits head.
        optim: A `jaxdeep.config.Optim` whose optimizer is in OPTIMIZERS, or something with its fields.
        steps_per_execution: Steps that Keras runs in one call of its compiled program.
    """
    model.compile(
        optimizer=OPTIMIZERS[optim.optimizer](optim),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
