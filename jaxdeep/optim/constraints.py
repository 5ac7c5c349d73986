"""Penalties, constraints and learning rates of chosen layers. Clipping that treats each layer by itself."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdeep import config
from jaxdeep.config.choices import Layers, layer_indices
from jaxdeep.nn.dnn import Network, Params
from jaxdeep.nn.platform import platform


def chosen_kernels(model: Network, layers: Layers) -> dict[str, np.ndarray]:
    """Return which trained kernels of each stack are chosen.

    Args:
        model: Network whose layers are chosen from.
        layers: Choice of layers, such as "every" or their indices.

    Returns:
        Booleans [L] for each stack of L layers by its name. A frozen stack, or one without a chosen layer, is left out.
    """
    indices = layer_indices(layers, model.layers)
    masks = {
        stack.name: np.isin(np.arange(stack.first, stack.first + stack.length), indices)
        for stack in model.stacks
        if not stack.frozen
    }
    return {name: mask for name, mask in masks.items() if mask.any()}


def penalty(regularize: config.Regularize, hyper: config.Hyper, model: Network, params: Params) -> jax.Array:
    """Return the penalty on the chosen kernels that is added to the loss.

    It is l1 times the sum of absolute values plus l2 times the sum of squares, as in Keras. Frozen kernels have none.

    Args:
        regularize: Choice of kernels and of penalties. At least one penalty must be set.
        hyper: Strengths l1 and l2. They may be traced.
        model: Network that the weights belong to.
        params: Weights of the network.

    Returns:
        A scalar in nats.
    """
    terms = []
    for name, mask in chosen_kernels(model, regularize.penalized).items():
        kernels = params[name]["dense"]["kernel"]
        if platform() == "cpu" or not mask.all():  # a CPU keeps the bits that a gather gives
            kernels = kernels[mask]
        if regularize.has_l1:
            terms.append(hyper.l1 * jnp.sum(jnp.abs(kernels)))
        if regularize.has_l2:
            terms.append(hyper.l2 * jnp.sum(kernels**2))
    return sum(terms[1:], start=terms[0]) if terms else jnp.zeros_like(hyper.l1)


def max_norm(model: Network, layers: Layers, limit: jax.Array | float) -> optax.GradientTransformation:
    """Return a transformation that limits the norm of each unit's incoming weights.

    It scales down to the limit the weights whose norm exceeds it after the update. It must stand last in a chain
    because it changes the update so that weights plus update obey the limit.

    Args:
        model: Network that the weights belong to.
        layers: Choice of the layers whose units are limited.
        limit: Largest norm, above 0. It may be traced.

    Returns:
        A transformation from updates to updates.

    Source: Keras 3 has it as `keras.constraints.MaxNorm` with w clip(|w|, 0, limit) / (1e-7 + |w|).
    """
    chosen = chosen_kernels(model, layers)

    def constrained(kernels: jax.Array, updates: jax.Array, mask: np.ndarray) -> jax.Array:
        weights = kernels + updates  # [L, units, inputs]
        norms = jnp.sqrt(jnp.sum(weights**2, -1, keepdims=True))
        limited = weights * (jnp.clip(norms, 0, limit) / (1e-7 + norms))
        return jnp.where(mask[:, None, None], limited - kernels, updates)

    def update(updates: Any, params: Any) -> Any:
        new = dict(updates)
        for name, mask in chosen.items():
            dense = new[name]["dense"]
            kernel = constrained(params[name]["dense"]["kernel"], dense["kernel"], mask)
            new[name] = {**new[name], "dense": {**dense, "kernel": kernel}}
        return new

    return optax.stateless(update)


def scale_first(model: Network, count: int, factor: jax.Array | float) -> optax.GradientTransformation:
    """Return a transformation that multiplies the updates of a network's first layers.

    Args:
        model: Network that the weights belong to.
        count: Number of layers whose updates are multiplied.
        factor: Factor of their learning rate, above 0. It may be traced.

    Returns:
        A transformation from updates to updates.
    """
    chosen = chosen_kernels(model, tuple(range(count)))

    def scaled(updates: jax.Array, mask: np.ndarray) -> jax.Array:
        factors = jnp.where(mask, factor, jnp.ones_like(factor)).astype(updates.dtype)
        return updates * factors.reshape(-1, *(1,) * (updates.ndim - 1))

    def update(updates: Any, params: Any) -> Any:
        del params
        new = {name: jax.tree.map(lambda leaf, m=mask: scaled(leaf, m), updates[name]) for name, mask in chosen.items()}
        return {**updates, **new}

    return optax.stateless(update)


def clip_by_norm(limit: float) -> optax.GradientTransformation:
    """Return a transformation that limits the norm of each variable's gradient, as Keras's clipnorm.

    A leaf is a stack of variables whose first axis counts the layers. Each layer's gradient has a norm of its own.

    Args:
        limit: Largest norm, above 0.

    Returns:
        A transformation from gradients to gradients.
    """

    def clipped(gradients: jax.Array) -> jax.Array:
        norms = jnp.sqrt(jnp.sum(gradients**2, tuple(range(1, gradients.ndim)), keepdims=True))
        return jnp.where(norms > limit, gradients * (limit / norms), gradients)

    return optax.stateless(lambda updates, _: jax.tree.map(clipped, updates))
