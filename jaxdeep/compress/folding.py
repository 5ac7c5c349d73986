"""Batch normalisation folded into the dense layers, which then give the same logits without it."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.compress.weights import with_weights
from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import Network
from jaxdeep.train.forward import model_of, scaled
from jaxdeep.train.programs import FAST, compile_with
from jaxdeep.train.run import Run

EPSILON: Final = 1e-3
"""Number that batch normalisation adds to a variance."""
TOLERANCE: Final = 1e-4
"""Largest difference of two logits over the largest absolute logit that rounding explains."""
CHECKED_ROWS: Final = 256
"""Number of validation rows whose logits are compared."""


class Affine(NamedTuple):
    """The map x -> scale x + shift of each feature.

    Attributes:
        scale: Factors [D] of type float64.
        shift: Summands [D] of type float64.
    """

    scale: np.ndarray
    shift: np.ndarray


def fold_batch_norm(run: Run) -> Run:
    """Fold every batch normalisation into a dense layer.

    With its moving statistics, batch normalisation is an affine map of each feature. In front of a dense layer, or
    behind an activation, it is folded into the dense layer that follows. Between a dense layer and its activation, it
    is folded into that layer. The folded network has plain dense layers with biases. It predicts the same, without
    dropout, up to rounding.

    A dropout layer between a normalisation and the dense layer that it is folded into now drops other values. So MC
    dropout changes. A penalty in the losses changes with the kernels too.

    Args:
        run: Finished run, which stays as it is.

    Returns:
        A run whose configuration has no batch normalisation. Its losses and accuracies are evaluated anew.

    Raises:
        UserError: The run has no batch normalisation or no best epoch, or a connection of its network leads around a
            batch normalisation.

    Source: y = W (g (x - m) / sqrt(v + e) + b) with the constants of Ioffe and Szegedy, "Batch Normalization" (2015),
    algorithm 2.
    """
    check_type("run", run, Run, "a Run, as fit returns it")
    run.check_trained()
    if not jax.tree.leaves(run.batch_stats):
        raise UserError("the run's network has no batch normalisation. Serve it as it is.")
    config = run.config.updated(
        {
            "model.batch_norm": False,
            "model.batch_norm_place": "before",
            "model.batch_norm_input": False,
            "model.use_bias": True,
        }
    )
    model = model_of(config, run.data)
    layers = _folded(_layers(model_of(run.config, run.data), run.params, run.batch_stats))
    with np.errstate(over="ignore"):  # the logits are compared below
        params = _stacked(model, layers, run.config.train.dtype)
    batch_stats: dict[str, Any] = {stack.name: {} for stack in model.stacks}
    wanted = jax.eval_shape(model.init, jax.eval_shape(jax.random.key, 0))
    if _shapes(wanted) != _shapes((params, batch_stats)):
        raise _refusal()
    _check_logits(run, config, params, batch_stats)
    return with_weights(run, params, batch_stats, config)


def _layers(model: Network, params: Any, batch_stats: Any) -> list[tuple[str | None, dict[str, Any], dict[str, Any]]]:
    """Return the place of its normalisation, the weights and the statistics of each layer, as float64."""
    layers = []
    for stack in model.stacks:
        for index in range(stack.length):
            weights, stats = jax.tree.map(
                lambda leaf, index=index: np.asarray(leaf[index], np.float64),
                (params[stack.name], batch_stats[stack.name]),
            )
            layers.append((stack.block.norm_place, weights, stats))
    return layers


def _folded(layers: list[tuple[str | None, dict[str, Any], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the weights of each layer without normalisation."""
    folded, pending = [], []
    for place, weights, stats in layers:
        maps = {name: _affine(weights[name], stats[name]) for name in ("norm_input", "norm") if name in stats}
        inputs = [*pending, *([maps["norm_input"]] if "norm_input" in maps else [])]
        inputs += [maps["norm"]] if place == "input" else []
        kernel = weights["dense"]["kernel"]  # [units, inputs]
        bias = weights["dense"].get("bias", np.zeros(len(kernel)))
        for scale, shift in reversed(inputs):  # the last map stands next to the product
            kernel, bias = kernel * scale, bias + kernel @ shift
        if place == "before":
            scale, shift = maps["norm"]
            kernel, bias = kernel * scale[:, None], bias * scale + shift
        pending = [maps["norm"]] if place == "after" else []
        others = {name: value for name, value in weights.items() if name not in ("dense", "norm", "norm_input")}
        folded.append({**others, "dense": {"kernel": kernel, "bias": bias}})
    return folded


def _affine(weights: Mapping[str, np.ndarray], stats: Mapping[str, np.ndarray]) -> Affine:
    """Return a batch normalisation by its moving statistics as an affine map."""
    scale = weights["scale"] / np.sqrt(stats["var"] + EPSILON)
    return Affine(scale, weights["bias"] - stats["mean"] * scale)


def _stacked(model: Network, layers: list[dict[str, Any]], dtype: str) -> dict[str, Any]:
    """Return the weights of layers as a network without normalisation holds them."""
    return {
        stack.name: jax.tree.map(
            lambda *leaves: jnp.asarray(np.stack(leaves), dtype), *layers[stack.first : stack.first + stack.length]
        )
        for stack in model.stacks
    }


def _check_logits(run: Run, config: Config, params: Any, batch_stats: Any) -> None:
    """Refuse weights with other logits than the unfolded network."""

    def logits(weights: list[Any], images: jax.Array) -> list[jax.Array]:
        rows, configs = scaled(config, run.data, images), (run.config, config)
        return [model_of(of, run.data).apply(*own, rows)[0] for of, own in zip(configs, weights, strict=True)]

    images, _ = run.data.valid.take(jnp.arange(min(CHECKED_ROWS, run.data.valid.size)))
    weights = [(run.params, run.batch_stats), (params, batch_stats)]
    before, after = map(np.asarray, compile_with(jax.jit(logits).lower(weights, images), FAST)(weights, images))
    if not np.abs(before - after).max() <= TOLERANCE * np.abs(before).max():
        raise _refusal()


def _refusal() -> UserError:
    return UserError(
        "batch normalisation cannot be folded: a connection of the network leads around it, or its values are too "
        "large for the type of the weights. Serve the network as it is."
    )


def _shapes(weights: Any) -> Any:
    """Return the shape and type of each leaf, in a tree that can be compared."""
    return jax.tree.map(lambda leaf: (tuple(leaf.shape), str(leaf.dtype)), weights)
