"""Run a network layer by layer and reduce each layer's output to a few figures.

Equal layers are scanned as in `Network.apply`. Only the figures of a layer's output are kept, so memory does not grow
with depth.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxdeep.nn.dnn import BatchStats, Network, Params
from jaxdeep.nn.layers import Draws

Observe = Callable[[jax.Array, jax.Array], Any]
"""Function of a layer's output [B, U] before its skip connection and behind it. It returns a pytree of figures."""


def observed(
    model: Network, params: Params, batch_stats: BatchStats, x: jax.Array, mask: jax.Array | None, observe: Observe
) -> Any:
    """Return figures of each layer's output without dropout.

    Batch normalisation uses the statistics of the rows x, and a frozen layer its moving statistics.

    Args:
        model: Network to run.
        params: Weights of the network.
        batch_stats: Moving means and variances of batch normalisation.
        x: Input rows [B, D] of the network's first layer.
        mask: Booleans [B], True for the rows that count in batch normalisation. None if all count.
        observe: Function that reduces the outputs of one layer.

    Returns:
        What `observe` returns, with a leading axis of layers.
    """
    of_rows = None if mask is None else mask[:, None]
    found = []
    for name, block, _, _, length, frozen in model.stacks:
        plain = block.clone(skip=False)

        def layer(x: jax.Array, variables: Any, plain=plain, skip=block.skip, updates=not frozen) -> Any:
            mutable = ["batch_stats"] if updates else []
            (inner, _), _ = plain.apply(variables, x, Draws(), updates, of_rows, mutable=mutable)
            y = inner + x if skip else inner
            return y, observe(inner, y)

        variables = {"params": params[name], "batch_stats": batch_stats[name]}
        if length > 1:
            x, figures = jax.lax.scan(layer, x, variables)
        else:
            x, figures = layer(x, jax.tree.map(lambda leaf: leaf[0], variables))
            figures = jax.tree.map(lambda leaf: leaf[None], figures)
        found.append(figures)
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *found)
