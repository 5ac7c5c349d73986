"""The weights of a network whose batch normalisation is folded into its dense layers."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.nn.dnn import BatchStats, Network, Params

EPSILON: Final = 1e-3
"""Number that batch normalisation adds to a variance."""
WITHOUT_NORM: Final = {
    "model.batch_norm": False,
    "model.batch_norm_place": "before",
    "model.batch_norm_input": False,
    "model.use_bias": True,
}
"""Changes of a configuration to that of the folded network."""


class Affine(NamedTuple):
    """The map x -> scale x + shift of each feature.

    Attributes:
        scale: Factors [D] of type float64.
        shift: Summands [D] of type float64.
    """

    scale: np.ndarray
    shift: np.ndarray


def folded(
    before: Network, after: Network, params: Params, batch_stats: BatchStats, dtype: str
) -> tuple[Params, BatchStats] | None:
    """Fold every batch normalisation into a dense layer.

    The logits stay, unless a skip connection leads around a normalisation that is folded into the next layer.

    Args:
        before: Network with batch normalisation.
        after: Network of the configuration with the changes WITHOUT_NORM.
        params: Weights of `before`.
        batch_stats: Moving statistics of `before`.
        dtype: Type of the weights.

    Returns:
        Weights and empty statistics of `after`. None if `after` has other layers.
    """
    layers = _without_norm(_layers(before, params, batch_stats))
    with np.errstate(over="ignore"):  # whoever calls this compares the logits
        new_params = _stacked(after, layers, dtype)
    new_stats: dict[str, Any] = {stack.name: {} for stack in after.stacks}
    wanted = jax.eval_shape(after.init, jax.eval_shape(jax.random.key, 0))
    return (new_params, new_stats) if _shapes(wanted) == _shapes((new_params, new_stats)) else None


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


def _without_norm(layers: list[tuple[str | None, dict[str, Any], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the weights of each layer without normalisation."""
    plain, pending = [], []
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
        plain.append({**others, "dense": {"kernel": kernel, "bias": bias}})
    return plain


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


def _shapes(weights: Any) -> Any:
    """Return the shape and type of each leaf, in a tree that can be compared."""
    return jax.tree.map(lambda leaf: (tuple(leaf.shape), str(leaf.dtype)), weights)
