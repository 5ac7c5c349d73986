"""Kernels with many zeros: pruning by magnitude, its schedule, and zeros that stay while training."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdeep import config
from jaxdeep.config.choices import DType, PruneScope
from jaxdeep.nn.dnn import Network, Params


def kernels_of(model: Network, params: Params) -> dict[str, jax.Array]:
    """Return the kernels of all layers that have weights there, the output layer included.

    Args:
        model: Network that the weights belong to.
        params: Weights of the network, or of its trained stacks alone.

    Returns:
        Kernels [L, units, inputs] of each stack of L layers, by its name.
    """
    return {stack.name: params[stack.name]["dense"]["kernel"] for stack in model.stacks if stack.name in params}


def with_kernels(params: Params, kernels: Mapping[str, jax.Array]) -> Params:
    """Return weights with other kernels.

    Args:
        params: Weights of a network, which stay as they are.
        kernels: New kernels [L, units, inputs] by the name of their stack.

    Returns:
        A copy of the weights. It shares all other arrays.
    """
    new = dict(params)
    for name, kernel in kernels.items():
        new[name] = {**new[name], "dense": {**new[name]["dense"], "kernel": kernel}}
    return new


def pruned(model: Network, params: Params, share: jax.Array | float, scope: PruneScope) -> Params:
    """Set the entries of smallest magnitude to 0 in the kernels of all layers. Biases stay as they are.

    The number of zeros is the share times the number of entries, rounded. Of equal magnitudes the first ones are set to
    0. Entries that are 0 already count.

    Args:
        model: Network that the weights belong to.
        params: Weights of the network.
        share: Share of the entries that are 0 afterwards, in [0, 1]. It may be traced.
        scope: Entries that are compared: "global" in all layers together, "layer" in each layer alone.

    Returns:
        Weights with pruned kernels.
    """
    kernels = kernels_of(model, params)
    if scope == "layer":
        return with_kernels(params, {name: jax.vmap(lambda k: _pruned(k, share))(of) for name, of in kernels.items()})
    flat = _pruned(jnp.concatenate([of.ravel() for of in kernels.values()]), share)
    new, begin = {}, 0
    for name, of in kernels.items():
        new[name] = flat[begin : begin + of.size].reshape(of.shape)
        begin += of.size
    return with_kernels(params, new)


def _pruned(weights: jax.Array, share: jax.Array | float) -> jax.Array:
    """Return an array with the share of its entries that are smallest set to 0."""
    count = jnp.round(jnp.asarray(share, weights.dtype) * weights.size).astype(jnp.int32)
    order = jnp.argsort(jnp.abs(weights.ravel()), stable=True)
    is_kept = jnp.zeros(weights.size, jnp.bool_).at[order].set(jnp.arange(weights.size) >= count)
    return jnp.where(is_kept.reshape(weights.shape), weights, jnp.zeros((), weights.dtype))


def sparsity_after(regularize: config.Regularize, epoch: jax.Array | int, dtype: DType = "float32") -> jax.Array:
    """Return the share of zeros that gradual pruning reaches after an epoch.

    It is s (1 - (1 - p)^3), where s is the final sparsity. p rises linearly from 0 after `prune_begin_epoch` to 1 after
    `prune_end_epoch`.

    Args:
        regularize: Final sparsity, first and last epoch of the schedule.
        epoch: Number of finished epochs, 0 or more. It may be traced.
        dtype: Type of the share.

    Returns:
        A scalar in [0, 1).

    Source: Zhu and Gupta, "To prune, or not to prune" (2017), equation 1, with an initial sparsity of 0.
    """
    begin, end = regularize.prune_begin_epoch, regularize.prune_end_epoch
    assert end is not None
    progress = jnp.clip((jnp.asarray(epoch, dtype) - begin) / (end - begin), 0, 1)
    return regularize.sparsity * (1 - (1 - progress) ** 3)


def keep_zeros(model: Network) -> optax.GradientTransformation:
    """Return a transformation that leaves kernel entries that are exactly 0 at 0.

    It has no state: the zeros themselves are the mask. It must stand last in a chain.

    Args:
        model: Network that the weights belong to.

    Returns:
        A transformation from updates to updates.
    """

    def update(updates: Any, params: Any) -> Any:
        kernels, steps = kernels_of(model, params), kernels_of(model, updates)
        kept = {name: jnp.where(kernels[name] == 0, jnp.zeros((), of.dtype), of) for name, of in steps.items()}
        return with_kernels(updates, kept)

    return optax.stateless(update)
