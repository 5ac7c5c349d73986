"""The network that a `Config` means, in Keras (`bench.peers.keras_mlp`), to compare with.

Weights travel between the two by name: `"3/dense/kernel"` is the kernel of layer 3 (the first hidden layer is 0), and
likewise `norm/scale`, `norm/mean`, `norm_input/var`, `prelu/slope`. Keras's layers, losses and optimizers are used as
they are; of its random layers only the random numbers are replaced.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple
from unittest import mock

import jax
import keras
import numpy as np
from keras.src import backend as keras_backend
from keras.src.backend.common import dtypes
from small_data import QUICK

from bench.peers import keras_mlp
from jaxdeep.config import Config, Model, Regularize
from jaxdeep.config.choices import layer_indices
from jaxdeep.nn.block import RRELU_DRAW

Named = dict[str, Any]


class Oracle(NamedTuple):
    """A Keras network and where its weights stand.

    Attributes:
        network: [B, D] -> logits [B, C].
        trainable: name of each of its trainable variables, in Keras's order.
        moving: name of each of its other variables; None for the state of a seed generator, which is not read.
        constraints: on the trainable variables that have one, by name.
        gradients: (weights, moving, x, labels, uniforms) -> (loss, logits, weights' gradients, new moving), with
            training=True; the loss has the layers' penalties in it.
        evaluate: (weights, moving, x, labels) -> (loss, accuracy), by Keras's own `evaluate`.
    """

    network: keras.Model
    trainable: tuple[str, ...]
    moving: tuple[str | None, ...]
    constraints: Named
    gradients: Callable[[Named, Named, Any, Any, Sequence[Any]], tuple[Any, Any, Named, Named]]
    evaluate: Callable[[Named, Named, Any, Any], tuple[float, float]]


@contextmanager
def relaxed() -> Iterator[None]:
    """Let Keras mix ranks and types, which conftest forbids to us, and keep float64.

    On JAX, Keras calls the common type of float64 and any other type float32, so that its BatchNormalization computes
    in float32: loss and gradients are 1e-7 off. The entry of its table that says so is taken out.
    """
    with (
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        mock.patch.dict(dtypes.BIT64_TO_BIT32_DTYPE, {"float64": "float64"}),
    ):
        yield


@contextmanager
def drawn(uniforms: Sequence[Any]) -> Iterator[None]:
    """Have Keras's random layers take these uniform numbers, one array per layer in their order, for their own."""
    rest = iter(uniforms)

    def uniform(shape: Any, *_: Any, **__: Any) -> Any:
        draw = next(rest)
        assert draw.shape == tuple(shape)
        return draw

    def bernoulli(key: Any, p: Any, shape: Any) -> Any:
        del key
        return uniform(shape) >= 1 - p

    with (
        mock.patch.object(keras_backend.random, "uniform", uniform),
        mock.patch.object(jax.random, "bernoulli", bernoulli),
    ):
        yield
    assert next(rest, None) is None, "Keras has fewer random layers than there are draws"


def uniforms(model: Model, inputs: int, rows: int, key: jax.Array, dtype: str = "float64") -> list[jax.Array]:
    """What jaxdeep draws for a batch, in the order of Keras's layers.

    Layer l draws its dropout mask from `fold_in(key, l)`, in the shape of its input, and RReLU's slopes from that key
    folded once more, in the shape of its output.
    """
    widths = (inputs, *model.units)
    draws = []
    for layer in range(len(widths)):
        own = jax.random.fold_in(key, layer)
        if model.dropped[layer]:
            draws.append(jax.random.uniform(own, (rows, widths[layer]), dtype))
        if model.activation == "rrelu" and layer < len(model.units):
            draws.append(jax.random.uniform(jax.random.fold_in(own, RRELU_DRAW), (rows, widths[layer + 1]), dtype))
    return draws


def restraint(regularize: Regularize, layers: int) -> keras_mlp.Restraint:
    """Penalties and constraint of a network of so many dense layers, for Keras."""
    penalized, constrained = (
        layer_indices(chosen, layers) for chosen in (regularize.penalized, regularize.constrained)
    )
    return keras_mlp.Restraint(regularize.l1, regularize.l2, penalized, regularize.max_norm, constrained)


def build(config: Config, inputs: int, classes: int) -> Oracle:
    """The network in Keras, its training step and its evaluation, compiled. All weights are given, so none is drawn."""
    given = {"init_mode": "fan_in", "init_distribution": "truncated_normal", "bias_init": "zeros"}
    model = replace(config.model, kernel_init="constant", head_init="constant", **given)
    network: Any = keras_mlp.network(model, inputs, classes, restraint(config.regularize, len(model.units) + 1))
    names: dict[int, str] = {}
    dense = norms = 0
    normed = [index for index, is_normed in enumerate(model.normed) if is_normed]
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            names |= {id(layer.kernel): f"{dense}/dense/kernel", id(layer.bias): f"{dense}/dense/bias"}
            dense += 1
        elif isinstance(layer, keras.layers.BatchNormalization):
            is_of_input = not norms and model.batch_norm_input
            prefix = "0/norm_input" if is_of_input else f"{normed[norms - model.batch_norm_input]}/norm"
            norms += 1
            ours = {"gamma": "scale", "beta": "bias", "moving_mean": "mean", "moving_variance": "var"}
            names |= {id(getattr(layer, theirs)): f"{prefix}/{name}" for theirs, name in ours.items()}
        elif isinstance(layer, keras.layers.PReLU):
            names[id(layer.alpha)] = f"{dense - 1}/prelu/slope"
    trainable = tuple(names[id(variable)] for variable in network.trainable_variables)
    moving = tuple(names.get(id(variable)) for variable in network.non_trainable_variables)
    cross_entropy, metric = keras_mlp.loss_and_metric(network)
    network.compile(loss=cross_entropy, metrics=[metric])

    def variables(weights: Named, stats: Named) -> tuple[list[Any], list[Any]]:
        kept = zip(moving, network.non_trainable_variables, strict=True)
        return [weights[name] for name in trainable], [stats[name] if name else own.value for name, own in kept]

    @partial(jax.jit, compiler_options=QUICK)
    def gradients(weights: Named, stats: Named, x: Any, labels: Any, draws: Sequence[Any]) -> tuple:
        values, others = variables(weights, stats)

        def loss_of(values: list[Any]) -> tuple[Any, Any]:
            with drawn(draws):
                logits, updated, penalties = network.stateless_call(
                    values, others, x, training=True, return_losses=True
                )
            targets = labels[:, None] if logits.shape[1] == 1 else labels
            return cross_entropy(targets, logits) + sum(penalties), (logits, updated)

        (loss, (logits, updated)), found = jax.value_and_grad(loss_of, has_aux=True)(values)
        new_stats = {name: value for name, value in zip(moving, updated, strict=True) if name}
        return loss, logits, dict(zip(trainable, found, strict=True)), new_stats

    def evaluate(weights: Named, stats: Named, x: Any, labels: Any) -> tuple[float, float]:
        own = (network.trainable_variables, network.non_trainable_variables)
        for listed, values in zip(own, variables(weights, stats), strict=True):
            for variable, value in zip(listed, values, strict=True):
                variable.assign(value)
        return network.evaluate(x, labels, batch_size=100, verbose=0)

    constraints = {names[id(variable)]: variable.constraint for variable in network.trainable_variables}
    constraints = {name: constraint for name, constraint in constraints.items() if constraint is not None}
    return Oracle(network, trainable, moving, constraints, _relaxed(gradients), _relaxed(evaluate))


def optimize(
    optimizer: keras.optimizers.Optimizer, weights: Named, constraints: Named | None = None
) -> tuple[list[Any], Callable[[list[Any], Named, Named], tuple[Named, list[Any]]]]:
    """A Keras optimizer on named weights.

    Returns:
        Its variables; (its variables, gradients, weights) -> (new weights, its new variables).
    """
    names = list(weights)
    with relaxed():
        optimizer.build(keras_variables(weights, constraints or {}))

    @jax.jit
    def apply(state: list[Any], gradients: Named, weights: Named) -> tuple[Named, list[Any]]:
        listed = ([tree[name] for name in names] for tree in (gradients, weights))
        values, state = optimizer.stateless_apply(state, *listed)
        return dict(zip(names, values, strict=True)), state

    return [variable.value for variable in optimizer.variables], _relaxed(apply)


def keras_variables(weights: Named, constraints: Named) -> list[keras.Variable]:
    """Named weights as Keras's variables, with the constraints of those that have one."""
    variables = [keras.Variable(value) for value in weights.values()]
    for name, variable in zip(weights, variables, strict=True):
        variable.constraint = constraints.get(name)
    return variables


def per_layer(tree: Mapping[str, Any]) -> Named:
    """Parameters, or batch statistics, of jaxdeep's stacks as one array per layer and variable, by name, as in Keras.

    Keras keeps a kernel as [inputs, units], jaxdeep as [units, inputs].
    """
    found: Named = {}
    first = 0
    for stack in sorted(tree, key=lambda name: int(name.split("_")[1])):
        leaves = jax.tree_util.tree_leaves_with_path(tree[stack])
        for path, leaf in leaves:
            name = "/".join(entry.key for entry in path)
            layers = np.asarray(leaf)
            if name == "dense/kernel":
                layers = layers.swapaxes(1, 2)
            found |= {f"{first + offset}/{name}": layer for offset, layer in enumerate(layers)}
        first = int(stack.split("_")[-1]) + 1
    return found


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any], absolute: Sequence[str] = ()) -> float:
    """The largest over all variables of max|ours - theirs| / max|theirs|; those named in `absolute` are not divided."""
    assert ours.keys() == theirs.keys()
    worst = 0.0
    for name in theirs:
        one, other = np.asarray(ours[name]), np.asarray(theirs[name])
        assert one.shape == other.shape
        assert np.isfinite(one).all()
        assert np.isfinite(other).all()
        scale = 1.0 if name in absolute else np.abs(other).max()
        gap = np.abs(one - other).max()
        worst = max(worst, float(gap / scale) if gap else 0.0)
    return worst


def _relaxed(function: Callable) -> Callable:
    def call(*args: Any) -> Any:
        with relaxed():
            return function(*args)

    return call
