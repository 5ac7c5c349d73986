"""Penalties and constraints on the kernels of chosen layers, and clipping that knows where a layer ends."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdeep import config
from jaxdeep.config.choices import Layers, layer_indices
from jaxdeep.nn.dnn import Network, Params


def chosen_kernels(model: Network, layers: Layers) -> dict[str, np.ndarray]:
    """Which kernels of each stack are chosen: name -> booleans [L]; stacks without any are left out."""
    indices = layer_indices(layers, model.layers)
    masks = {stack.name: np.isin(np.arange(stack.first, stack.first + stack.length), indices) for stack in model.stacks}
    return {name: mask for name, mask in masks.items() if mask.any()}


def penalty(regularize: config.Regularize, hyper: config.Hyper, model: Network, params: Params) -> jax.Array:
    """l1 x the sum of absolute values + l2 x the sum of squares of the chosen kernels, as Keras adds it to its losses.

    Args:
        regularize: which kernels; a penalty that it has not is left out.
        hyper: has the strengths; may be traced.
        model: the network.
        params: its weights.

    Returns:
        A scalar, in nats.
    """
    terms = []
    for name, mask in chosen_kernels(model, regularize.penalized).items():
        kernels = params[name]["dense"]["kernel"][mask]
        if regularize.has_l1:
            terms.append(hyper.l1 * jnp.sum(jnp.abs(kernels)))
        if regularize.has_l2:
            terms.append(hyper.l2 * jnp.sum(kernels**2))
    return sum(terms[1:], start=terms[0])


def max_norm(model: Network, layers: Layers, limit: jax.Array | float) -> optax.GradientTransformation:
    """After the update, scale each unit's incoming weights whose norm is above the limit down to it.

    It has to be the last of a chain: what it changes is the update, so that weights + update obey.

    Args:
        model: the network.
        layers: whose units.
        limit: above 0; may be traced.

    Source: Keras 3, `keras.constraints.MaxNorm`, w clip(|w|, 0, limit) / (1e-7 + |w|).
    """
    chosen = chosen_kernels(model, layers)

    def constrained(kernels: jax.Array, updates: jax.Array, mask: np.ndarray) -> jax.Array:
        weights = kernels + updates  # [L, units, inputs]
        norms = jnp.sqrt(jnp.sum(weights**2, -1, keepdims=True))
        kept = weights * (jnp.clip(norms, 0, limit) / (1e-7 + norms))
        return jnp.where(mask[:, None, None], kept - kernels, updates)

    def update(updates: Any, params: Any) -> Any:
        new = dict(updates)
        for name, mask in chosen.items():
            dense = new[name]["dense"]
            kernel = constrained(params[name]["dense"]["kernel"], dense["kernel"], mask)
            new[name] = {**new[name], "dense": {**dense, "kernel": kernel}}
        return new

    return optax.stateless(update)


def clip_by_norm(limit: float) -> optax.GradientTransformation:
    """Scale the gradient of each variable whose norm is above the limit down to it; Keras's clipnorm.

    A leaf is a stack of variables: its first axis is that of the layers.

    Args:
        limit: above 0.
    """

    def clipped(gradients: jax.Array) -> jax.Array:
        norms = jnp.sqrt(jnp.sum(gradients**2, tuple(range(1, gradients.ndim)), keepdims=True))
        return jnp.where(norms > limit, gradients * (limit / norms), gradients)

    return optax.stateless(lambda updates, _: jax.tree.map(clipped, updates))
