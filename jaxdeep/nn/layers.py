"""The dense layer, dropout and alpha dropout, and the activations that have weights or random numbers."""

from collections.abc import Callable
from typing import Any, Final, Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.extend.random import threefry_2x32

from jaxdeep.config.choices import Dropout, DType
from jaxdeep.nn.activations import SELU_ALPHA, SELU_SCALE

MaskBits = Literal[8, 16, 32]
"""Number of random bits for each value of a dropout mask."""


class Dense(nn.Module):
    """The dense layer x W^T + b. Its kernel W has the shape [units, inputs].

    That is the transpose of Flax's kernel. The kernel's gradient is then dy^T x. XLA computes it in two thirds of the
    time of x^T dy on a CPU if the inputs are many (LOG.md).

    Attributes:
        units: Number of units.
        kernel_init: Initialiser of the kernel.
        bias_init: Initialiser of the bias b. None adds no bias.
        dtype: Type of the parameters.
    """

    units: int
    kernel_init: nn.initializers.Initializer
    bias_init: nn.initializers.Initializer | None
    dtype: DType

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the product of rows and kernel plus the bias.

        Args:
            x: Input rows [B, inputs].

        Returns:
            Output rows [B, units].
        """
        kernel = self.param("kernel", lambda key: self.kernel_init(key, (x.shape[1], self.units), self.dtype).T)
        product = jax.lax.dot_general(x, kernel, (((1,), (1,)), ((), ())))
        if self.bias_init is None:
            return product
        return product + self.param("bias", self.bias_init, (self.units,), self.dtype)[None]


class PReLU(nn.Module):
    """The activation x above 0 and a x below. Each unit learns its slope a.

    Attributes:
        first: Slope before training.
        dtype: Type of the slopes.

    Source: He et al., "Delving Deep into Rectifiers" (2015), equation 1.
    """

    first: float
    dtype: DType

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the activations.

        Args:
            x: Values [B, units].

        Returns:
            An array like x.
        """
        slope = self.param("slope", nn.initializers.constant(self.first), x.shape[1:], self.dtype)
        return jnp.where(x > 0, x, slope[None] * x)


RRELU_SLOPES: Final = (1 / 8, 1 / 3)
"""Smallest and largest slope of RReLU below 0."""


def rrelu(x: jax.Array, key: jax.Array | None) -> jax.Array:
    """Return x above 0 and a x below with a random slope a.

    Each value has its own slope from the uniform distribution U(1/8, 1/3). Without a key the slope is the mean of the
    two limits.

    Args:
        x: Values of any shape.
        key: Random key of the slopes. None in inference.

    Returns:
        An array like x.

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network" (2015), section 2.4,
    with PyTorch's range.
    """
    low, high = RRELU_SLOPES
    mean = jnp.asarray((low + high) / 2, x.dtype)
    slope = mean if key is None else jax.random.uniform(key, x.shape, x.dtype, low, high)
    return jnp.where(x > 0, x, slope * x)


def dropout(key: jax.Array, x: jax.Array, rate: jax.Array | float, bits: MaskBits = 32) -> jax.Array:
    """Set a share of the values to zero and scale the others by 1 / (1 - rate).

    Args:
        key: Random key. The mask depends on nothing else but the shape, the type and the rate.
        x: Values of any shape.
        rate: Share of values that are dropped, in [0, 1). It may be traced.
        bits: Random bits for each value. With 8 or 16 bits the rate is rounded to a multiple of 1/256 or 1/65,536 below
            1. A rate above 0 stays above 0.

    Returns:
        An array like x.

    Source: Srivastava et al., "Dropout" (2014), in the inverted form that Keras has.
    """
    mask, rate = _mask_and_rate(key, x, rate, bits)
    return jnp.where(mask, x / (1 - rate), 0)


def alpha_dropout(key: jax.Array, x: jax.Array, rate: jax.Array | float, bits: MaskBits = 32) -> jax.Array:
    """Set a share of the values to SELU's lower bound and restore mean 0 and variance 1 by an affine map.

    Let a' = -scale x alpha be SELU's value at minus infinity and q the rate. The result is a (x or a') + b with a = ((1
    - q)(1 + q a'^2))^(-1/2) and b = -a a' q.

    Args:
        key: Random key. The mask depends on nothing else but the shape, the type and the rate.
        x: Activations of mean 0 and variance 1 of any shape.
        rate: Share of values that are dropped, in [0, 1). It may be traced.
        bits: Random bits for each value. With 8 or 16 bits the rate is rounded to a multiple of 1/256 or 1/65,536 below
            1. A rate above 0 stays above 0.

    Returns:
        An array like x.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017), section "New Dropout Technique". The constants
    are Keras's.
    """
    bound = -SELU_SCALE * SELU_ALPHA
    mask, rate = _mask_and_rate(key, x, rate, bits)
    scale = ((1 - rate) * (1 + rate * bound**2)) ** -0.5
    return scale * jnp.where(mask, x, bound) - scale * bound * rate


def _mask_and_rate(key: jax.Array, x: jax.Array, rate: jax.Array | float, bits: MaskBits) -> tuple[jax.Array, Any]:
    """Return the mask of the values that stay, and the rate rounded to the mask's bits."""
    if bits == 32:
        return jax.random.uniform(key, x.shape, x.dtype) >= rate, rate
    levels, type_ = 2**bits, jnp.dtype(f"uint{bits}")
    exact_rate = jnp.asarray(rate, x.dtype)
    dropped = jnp.clip(jnp.round(exact_rate * levels), (exact_rate > 0).astype(x.dtype), levels - 1)
    random_values = jax.lax.bitcast_convert_type(_words(key, -(-x.size * bits // 32)), type_).reshape(-1)[: x.size]
    return random_values.reshape(x.shape) >= dropped.astype(type_), dropped / levels


def _words(key: jax.Array, count: int) -> jax.Array:
    """Return random words [count] of 32 bits from JAX's own generator.

    A block of the generator gives two words. `jax.random` makes one of them.
    """
    data = jax.random.key_data(key)
    if data.shape != (2,):  # another generator's key
        return jax.random.bits(key, (count,), "uint32")
    return threefry_2x32(data, jnp.arange(count, dtype="uint32"))


DROPOUTS: Final[dict[Dropout, Callable[..., jax.Array]]] = {
    "dropout": dropout,
    "alpha_dropout": alpha_dropout,
}
"""Dropout functions (key, x, rate, bits) -> y by name."""
