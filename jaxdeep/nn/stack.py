"""Equal layers run one after the other, their kernels' gradients taken as one product.

A plain scan makes every kernel's gradient inside its backward loop, one small product a layer. Here the forward loop
keeps the input x_l of each dense product, the backward loop gives the gradient dy_l of each product's output, and one
batched product makes all kernels' gradients: dW_l = dy_l^T x_l.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

Layer = Callable[..., tuple[jax.Array, jax.Array, Any]]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def run_stack(layer: Layer, kernels: jax.Array, others: Any, fixed: Any, shared: Any, x: jax.Array) -> tuple:
    """Run L equal layers.

    Args:
        layer: (x, kernel, other, fixed, shared, perturbation) -> (y, dense input, extra). It computes its dense product
            as dense input @ kernel^T and uses the kernel nowhere else. If the perturbation [U, B] is not None, it
            passes the product through `perturb`.
        kernels: [L, U, D], D = U.
        others: pytree of floating arrays [L, ...], a layer's other parameters.
        fixed: pytree of arrays [L, ...] that have no gradient.
        shared: pytree of arrays that all layers see, without a gradient.
        x: [B, D].

    Returns:
        The last layer's y [B, U], and the extras, stacked.
    """
    (y, extras), _ = _scan(layer, kernels, others, fixed, shared, x, None)
    return y, extras


@jax.custom_vjp
def perturb(product: jax.Array, perturbation: jax.Array) -> jax.Array:
    """The product [B, U] itself, as if the perturbation [U, B], transposed, had been added to it as zeros."""
    del perturbation
    return product


perturb.defvjp(lambda product, perturbation: (product, None), lambda _, gradient: (gradient, gradient.T))


def _scan(
    layer: Layer, kernels: jax.Array, others: Any, fixed: Any, shared: Any, x: jax.Array, perturbations: Any
) -> tuple:
    def body(x: jax.Array, inputs: Any) -> tuple[jax.Array, Any]:
        kernel, other, fixed, perturbation = inputs
        y, dense_input, extra = layer(x, kernel, other, fixed, shared, perturbation)
        return y, (extra, dense_input)

    y, (extras, dense_inputs) = jax.lax.scan(body, x, (kernels, others, fixed, perturbations))
    return (y, extras), dense_inputs


def _forward(layer: Layer, kernels: jax.Array, others: Any, fixed: Any, shared: Any, x: jax.Array) -> tuple:
    def run(others: Any, x: jax.Array, perturbations: jax.Array) -> tuple:
        return _scan(layer, kernels, others, fixed, shared, x, perturbations)

    perturbations = jnp.zeros((*kernels.shape[:2], len(x)), x.dtype)
    outputs, pull_back, dense_inputs = jax.vjp(run, others, x, perturbations, has_aux=True)
    return outputs, (pull_back, dense_inputs)


def _backward(layer: Layer, residuals: tuple, cotangents: tuple) -> tuple:
    del layer
    pull_back, dense_inputs = residuals
    others, x, perturbations = pull_back(cotangents)
    kernels = jax.lax.dot_general(perturbations, dense_inputs, (((2,), (1,)), ((0,), (0,))))  # [L, U, B] x [L, B, D]
    return kernels, others, None, None, x


run_stack.defvjp(_forward, _backward)
