"""Run equal layers one after the other and take their kernels' gradients as one product.

A plain scan makes every kernel's gradient inside its backward loop by one small product a layer. Here the forward loop
keeps the input x_l of each dense product. The backward loop gives the gradient dy_l of each product's output. One
batched product makes all kernels' gradients dW_l = dy_l^T x_l.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import jax
import jax.numpy as jnp

from jaxdeep.nn.platform import platform

MOST_UNROLLED: Final = 32
"""Most layers that an accelerator runs without a loop. More of them would take too long to compile."""
Layer = Callable[..., tuple[jax.Array, jax.Array, Any]]
"""Function of one layer that `run_stack` calls."""
Precision = jax.lax.Precision | jax.lax.DotAlgorithmPreset
"""Precision of a matrix product in JAX."""


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def run_stack(
    layer: Layer, precision: Precision, kernels: jax.Array, others: Any, fixed: Any, shared: Any, x: jax.Array
) -> tuple:
    """Run L equal layers.

    Args:
        layer: Function (x, kernel, other, fixed, shared, perturb) -> (y, dense input, extra). It computes its dense
            product [B, U] as dense input @ kernel^T and uses the kernel nowhere else. If perturb is not None, the
            product passes through that function.
        precision: Precision of the product that makes the kernels' gradients.
        kernels: Kernels [L, U, D] with D = U.
        others: Pytree of floating arrays [L, ...] with each layer's other parameters.
        fixed: Pytree of arrays [L, ...] that have no gradient.
        shared: Pytree of arrays that all layers see. They have no gradient.
        x: Input rows [B, D].

    Returns:
        The last layer's y [B, U] and the extras stacked along a leading axis [L, ...].
    """
    del precision
    (y, extras), _ = _scan(layer, kernels, others, fixed, shared, x, None, 1)
    return y, extras


@jax.custom_vjp
def perturb(product: jax.Array, perturbation: jax.Array) -> jax.Array:
    """Return the product unchanged as if the perturbation had been added to it as zeros.

    Its gradient goes to both arguments.

    Args:
        product: Dense product [B, U].
        perturbation: Zeros [U, B]. The gradient with respect to them is that of the transposed product.

    Returns:
        The product [B, U].
    """
    del perturbation
    return product


perturb.defvjp(lambda product, perturbation: (product, None), lambda _, gradient: (gradient, gradient.T))


def _scan(
    layer: Layer,
    kernels: jax.Array,
    others: Any,
    fixed: Any,
    shared: Any,
    x: jax.Array,
    perturbations: Any,
    unroll: int,
) -> tuple:
    """Run the layers by a scan and also return each layer's dense input."""

    def body(x: jax.Array, inputs: Any) -> tuple[jax.Array, Any]:
        kernel, other, fixed, perturbation = inputs
        perturbed = None if perturbation is None else partial(perturb, perturbation=perturbation)
        y, dense_input, extra = layer(x, kernel, other, fixed, shared, perturbed)
        return y, (extra, dense_input)

    y, (extras, dense_inputs) = jax.lax.scan(body, x, (kernels, others, fixed, perturbations), unroll=unroll)
    return (y, extras), dense_inputs


def _forward(
    layer: Layer, precision: Precision, kernels: jax.Array, others: Any, fixed: Any, shared: Any, x: jax.Array
) -> tuple:
    """Run the layers and keep what the backward pass needs."""
    del precision
    # A CPU computes longer than it loops. An accelerator would run kernels that only slice and count.
    unroll = 1 if platform() == "cpu" else min(len(kernels), MOST_UNROLLED)

    def run(others: Any, x: jax.Array, perturbations: jax.Array) -> tuple:
        return _scan(layer, kernels, others, fixed, shared, x, perturbations, unroll)

    perturbations = jnp.zeros((*kernels.shape[:2], len(x)), x.dtype)
    outputs, pull_back, dense_inputs = jax.vjp(run, others, x, perturbations, has_aux=True)
    return outputs, (pull_back, dense_inputs)


def _backward(layer: Layer, precision: Precision, residuals: tuple, cotangents: tuple) -> tuple:
    """Return the gradients of the kernels, the other parameters and the input."""
    del layer
    pull_back, dense_inputs = residuals
    others, x, perturbations = pull_back(cotangents)
    dimensions = (((2,), (1,)), ((0,), (0,)))  # [L, U, B] x [L, B, D]
    kernels = jax.lax.dot_general(perturbations, dense_inputs, dimensions, precision)
    return kernels, others, None, None, x


run_stack.defvjp(_forward, _backward)
