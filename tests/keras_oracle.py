"""The network that a `Config` means, in Keras (`bench.peers.keras_mlp`), to compare with.

Weights travel between the two by name: `"3/dense/kernel"` is the kernel of layer 3 (the first hidden layer is 0), and
likewise `norm/scale`, `norm/mean`, `norm_input/var`. Keras's layers, loss and optimizers are used as they are; of its
dropout layers only the random numbers are replaced.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest import mock

import jax
import keras
import numpy as np
from keras.src import backend as keras_backend
from keras.src.backend.common import dtypes

from bench.peers import keras_mlp
from jaxdeep import config

Named = dict[str, Any]


class Oracle(NamedTuple):
    """A Keras network and where its weights stand.

    Attributes:
        network: [B, D] -> logits [B, C].
        trainable: name of each of its trainable variables, in Keras's order.
        moving: name of each of its other variables; None for the state of a seed generator, which is not read.
        gradients: (weights, moving, x, labels, uniforms) -> (loss, logits, weights' gradients, new moving), with
            training=True.
        logits: (weights, moving, x) -> logits, with training=False.
    """

    network: keras.Model
    trainable: tuple[str, ...]
    moving: tuple[str | None, ...]
    gradients: Callable[[Named, Named, Any, Any, Sequence[Any]], tuple[Any, Any, Named, Named]]
    logits: Callable[[Named, Named, Any], Any]


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
    """Have Keras's dropout layers take these uniform numbers, one array per layer in their order, for their own."""
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
    assert next(rest, None) is None, "Keras has fewer dropout layers than there are draws"


def dropout_layers(model: config.Model) -> list[int]:
    """The dense layers whose inputs are dropped."""
    head = len(model.units)
    return {"none": [], "head": [head], "every": list(range(head + 1))}[model.dropout_sites]


def uniforms(model: config.Model, inputs: int, rows: int, key: jax.Array, dtype: str = "float64") -> list[jax.Array]:
    """What jaxdeep draws for a batch: layer l from `fold_in(key, l)`, in the shape of its input."""
    fan_ins = (inputs, *model.units)
    return [
        jax.random.uniform(jax.random.fold_in(key, layer), (rows, fan_ins[layer]), dtype)
        for layer in dropout_layers(model)
    ]


def build(model: config.Model, inputs: int, classes: int) -> Oracle:
    """The network in Keras, its training step and its inference, compiled."""
    network = keras_mlp.network(model, inputs, classes)
    names: dict[int, str] = {}
    dense = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            names |= {id(layer.kernel): f"{dense}/dense/kernel", id(layer.bias): f"{dense}/dense/bias"}
            dense += 1
        elif isinstance(layer, keras.layers.BatchNormalization):
            prefix = f"{dense - 1}/norm" if dense else "0/norm_input"
            ours = {"gamma": "scale", "beta": "bias", "moving_mean": "mean", "moving_variance": "var"}
            names |= {id(getattr(layer, theirs)): f"{prefix}/{name}" for theirs, name in ours.items()}
    trainable = tuple(names[id(variable)] for variable in network.trainable_variables)
    moving = tuple(names.get(id(variable)) for variable in network.non_trainable_variables)
    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def variables(weights: Named, stats: Named) -> tuple[list[Any], list[Any]]:
        kept = zip(moving, network.non_trainable_variables, strict=True)
        return [weights[name] for name in trainable], [stats[name] if name else own.value for name, own in kept]

    @jax.jit
    def gradients(weights: Named, stats: Named, x: Any, labels: Any, draws: Sequence[Any]) -> tuple:
        values, others = variables(weights, stats)

        def loss_of(values: list[Any]) -> tuple[Any, Any]:
            with drawn(draws):
                logits, updated = network.stateless_call(values, others, x, training=True)
            return cross_entropy(labels, logits), (logits, updated)

        (loss, (logits, updated)), found = jax.value_and_grad(loss_of, has_aux=True)(values)
        new_stats = {name: value for name, value in zip(moving, updated, strict=True) if name}
        return loss, logits, dict(zip(trainable, found, strict=True)), new_stats

    @jax.jit
    def logits(weights: Named, stats: Named, x: Any) -> Any:
        return network.stateless_call(*variables(weights, stats), x, training=False)[0]

    return Oracle(network, trainable, moving, _relaxed(gradients), _relaxed(logits))


def optimize(
    optimizer: keras.optimizers.Optimizer, weights: Named
) -> tuple[list[Any], Callable[[list[Any], Named, Named], tuple[Named, list[Any]]]]:
    """A Keras optimizer on named weights.

    Returns:
        Its variables; (its variables, gradients, weights) -> (new weights, its new variables).
    """
    names = list(weights)
    with relaxed():
        optimizer.build([keras.Variable(weights[name]) for name in names])

    @jax.jit
    def apply(state: list[Any], gradients: Named, weights: Named) -> tuple[Named, list[Any]]:
        listed = ([tree[name] for name in names] for tree in (gradients, weights))
        values, state = optimizer.stateless_apply(state, *listed)
        return dict(zip(names, values, strict=True)), state

    return [variable.value for variable in optimizer.variables], _relaxed(apply)


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
