"""The network and the optimizer of a configuration in Keras 3.

Nothing of jaxdeep is imported, because that would import JAX.
"""

# pyright: reportMissingImports=false, reportMissingModuleSource=false
# (peers are not installed where the code is checked)
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import keras

from bench.peers.architecture import dropout_rates, normed

RRELU_SLOPES = (1 / 8, 1 / 3)
"""Lowest and highest slope of RReLU."""
SPREAD = 0.05
"""Keras's default spread of its random initialisers."""


def set_precision(tf32: bool = False) -> None:
    """Let the matrix products of Keras's backend be float32, or TF32 on a GPU. A CPU gives float32 in any case.

    It was written without a GPU and is not run on one.

    Args:
        tf32: Whether products are TF32.
    """
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "default" if tf32 else "highest")
    else:
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(tf32)


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


class ThresholdedReLU(keras.layers.Layer):
    """x above a threshold and 0 elsewhere. Keras 2 has it as a layer, and Keras 3 as an operation."""

    def __init__(self, theta: float) -> None:
        super().__init__()
        self.theta = theta

    def call(self, inputs: Any) -> Any:
        """Return the activations of the inputs, in their shape."""
        return keras.ops.threshold(inputs, self.theta, 0.0)


class GLU(keras.layers.Layer):
    """The first half of the units times the sigmoid of the second. Keras's own Activation takes no other shape."""

    def call(self, inputs: Any) -> Any:
        """Return the activations, in half the width of the inputs."""
        return keras.activations.glu(inputs)


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


def network(model: Any, inputs: int, classes: int, restraint: Restraint | None = None) -> keras.Model:
    """Return the network with Keras's own initialisers and a head of logits, or of one logit for two classes.

    Args:
        model: Architecture, as a `jaxdeep.config.Model` or something with its fields. Its choices are names.
        inputs: D, features of a row.
        classes: C, number of classes.
        restraint: Penalties and limits of the kernels. None sets none.

    Returns:
        The layers in order. With skip connections they are no `keras.Sequential`.
    """
    restraint = restraint or Restraint()
    head = len(model.units)
    drop = {"dropout": keras.layers.Dropout, "alpha_dropout": keras.layers.AlphaDropout}[model.dropout]
    rates, norms, norm = dropout_rates(model), normed(model), keras.layers.BatchNormalization

    def dense(index: int, units: int, init: str, **other: Any) -> keras.layers.Dense:
        if index in restraint.penalized:
            other["kernel_regularizer"] = keras.regularizers.L1L2(restraint.l1, restraint.l2)
        limit: Any = restraint.max_norm  # Keras declares it an int
        if limit is not None and index in restraint.constrained:
            other["kernel_constraint"] = keras.constraints.MaxNorm(limit, axis=0)
        other["bias_initializer"] = _initializer(model.bias_init, model)
        return keras.layers.Dense(units, kernel_initializer=_initializer(init, model), **other)

    def hidden(index: int, units: int) -> list[Any]:
        products = 2 * units if model.activation == "glu" else units
        bent = [dense(index, products, model.kernel_init, use_bias=model.use_bias)]
        bent.append(_activation(model.activation, model.alpha))
        if norms[index]:
            bent.insert({"input": 0, "before": 1, "after": 2}[model.batch_norm_place], norm())
        return [drop(rates[index])] * (rates[index] > 0) + bent

    layers = [hidden(index, units) for index, units in enumerate(model.units)]
    if model.batch_norm_input:
        layers[0].insert(0, norm())
    last = dense(head, 1 if model.head == "sigmoid" else classes, model.head_init, name="head")
    layers.append([drop(rates[head])] * (rates[head] > 0) + [last])
    if not model.skip:
        return keras.Sequential([keras.Input((inputs,)), *chain.from_iterable(layers)])
    return _with_skips(inputs, layers, model.units)


def _with_skips(inputs: int, layers: Sequence[Sequence[Any]], units: Sequence[int]) -> keras.Model:
    """Return a network that adds the input of a hidden layer to its output if both have the same width."""
    x = start = keras.Input((inputs,))
    for index, of_layer in enumerate(layers):
        before = x
        for layer in of_layer:
            x = layer(x)
        if 0 < index < len(units) and units[index] == units[index - 1]:
            x = keras.layers.Add()([before, x])
    return keras.Model(start, x)


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
        case "glu":
            return GLU()
        case "thresholded_relu":
            return ThresholdedReLU(1.0 if alpha is None else alpha)
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
        case "identity":
            return keras.initializers.Identity(model.init_scale)
        case "random_normal":
            return keras.initializers.RandomNormal(stddev=SPREAD * model.init_scale)
        case "random_uniform":
            return keras.initializers.RandomUniform(-SPREAD * model.init_scale, SPREAD * model.init_scale)
        case "truncated_normal":
            return keras.initializers.TruncatedNormal(stddev=SPREAD * model.init_scale)
    return name


OPTIMIZERS: Final[dict[str, Callable[[Any], keras.optimizers.Optimizer]]] = {
    "nadam": lambda optim: keras.optimizers.Nadam(optim.learning_rate, optim.beta_1, optim.beta_2, optim.epsilon),
    "sgd": lambda optim: keras.optimizers.SGD(optim.learning_rate),
    "momentum": lambda optim: keras.optimizers.SGD(optim.learning_rate, momentum=optim.beta_1),
}
"""Name of an optimizer that the bench compares -> function that makes it from a `jaxdeep.config.Optim`."""


def compiled(model: keras.Model, optim: Any, steps_per_execution: int = 1) -> None:
    """Compile a network in place, with Keras's own defaults.

    Args:
        model: Network with a logits head.
        optim: A `jaxdeep.config.Optim` whose optimizer is in OPTIMIZERS, or something with its fields.
        steps_per_execution: Steps that Keras runs in one call of its compiled program.
    """
    loss, metric = loss_and_metric(model)
    model.compile(
        optimizer=OPTIMIZERS[optim.optimizer](optim),
        loss=loss,
        metrics=[metric],
        steps_per_execution=steps_per_execution,
    )


def loss_and_metric(model: keras.Model) -> tuple[Any, Any]:
    """Return the cross-entropy from a network's logits and the accuracy.

    Args:
        model: Network whose head has a logit for each class, or one for two classes.

    Returns:
        The loss and a metric, or its name.
    """
    if model.output_shape[-1] == 1:
        accuracy = keras.metrics.BinaryAccuracy("accuracy", threshold=0.0)
        return keras.losses.BinaryCrossentropy(from_logits=True), accuracy
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True), "accuracy"
