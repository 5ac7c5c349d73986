"""The dense layer, dropout and alpha dropout, and the activations that have weights or random numbers."""

import math
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.extend.random import threefry_2x32

from jaxdeep.config.choices import Dropout, DType, MatmulPrecision
from jaxdeep.nn.activations import SELU_ALPHA, SELU_SCALE

MaskBits = Literal[8, 16, 32]
"""Number of random bits for each value of a dropout mask."""


PRECISIONS: Final[dict[MatmulPrecision, jax.lax.Precision | jax.lax.DotAlgorithmPreset]] = {
    "highest": jax.lax.Precision.HIGHEST,
    "default": jax.lax.Precision.DEFAULT,
    "bfloat16": jax.lax.DotAlgorithmPreset.BF16_BF16_F32,
}
"""Precision of a matrix product by name. JAX's own name "bfloat16" stands for its default, so it is not used."""


class Dense(nn.Module):
    """The dense layer x W^T + b. Its kernel W has the shape [units, inputs].

    That is the transpose of Flax's kernel. The kernel's gradient is then dy^T x. XLA computes it in two thirds of the
    time of x^T dy on a CPU if the inputs are many (LOG.md).

    Attributes:
        units: Number of units.
        kernel_init: Initialiser of the kernel.
        bias_init: Initialiser of the bias b. None adds no bias.
        dtype: Type of the parameters.
        precision: Precision of the product and of the products in its gradient.
    """

    units: int
    kernel_init: nn.initializers.Initializer
    bias_init: nn.initializers.Initializer | None
    dtype: DType
    precision: MatmulPrecision

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Return the product of rows and kernel plus the bias.

        Args:
            x: Input rows [B, inputs].

        Returns:
            Output rows [B, units].
        """
        kernel = self.param("kernel", lambda key: self.kernel_init(key, (x.shape[1], self.units), self.dtype).T)
        product = jax.lax.dot_general(x, kernel, (((1,), (1,)), ((), ())), PRECISIONS[self.precision])
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


class Draws(NamedTuple):
    """Random numbers of a layer for a batch.

    Attributes:
        kept: Booleans like the layer's input, True for the values that dropout keeps. None without dropout.
        rate: Dropout rate, rounded to the mask's bits. It broadcasts against the input.
        slopes: Slopes of RReLU like the layer's output. None for their mean.
    """

    kept: jax.Array | None = None
    rate: jax.Array | float = 0.0
    slopes: jax.Array | None = None


def rrelu_slopes(key: jax.Array, shape: tuple[int, ...], dtype: DType) -> jax.Array:
    """Draw RReLU's slopes from the uniform distribution U(1/8, 1/3).

    Args:
        key: Random key of the slopes.
        shape: Shape of the values that the slopes are for.
        dtype: Type of the slopes.

    Returns:
        Slopes of that shape.
    """
    return jax.random.uniform(key, shape, dtype, *RRELU_SLOPES)


def rrelu(x: jax.Array, slopes: jax.Array | None) -> jax.Array:
    """Return x above 0 and a x below with a random slope a.

    Each value has its own slope. Without slopes it is the mean of the two limits.

    Args:
        x: Values of any shape.
        slopes: Slopes like x from `rrelu_slopes`. None in inference.

    Returns:
        An array like x.

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network" (2015), section 2.4,
    with PyTorch's range.
    """
    slope = jnp.asarray(sum(RRELU_SLOPES) / 2, x.dtype) if slopes is None else slopes
    return jnp.where(x > 0, x, slope * x)


def dropout(x: jax.Array, kept: jax.Array, rate: jax.Array | float) -> jax.Array:
    """Set a share of the values to zero and scale the others by 1 / (1 - rate).

    Args:
        x: Values of any shape.
        kept: Booleans like x from `dropout_mask`, True for the values that stay.
        rate: Share of values that are dropped, in [0, 1). It may be traced.

    Returns:
        An array like x.

    Source: Srivastava et al., "Dropout" (2014), in the inverted form that Keras has.
    """
    return jnp.where(kept, x / (1 - rate), 0)


def alpha_dropout(x: jax.Array, kept: jax.Array, rate: jax.Array | float) -> jax.Array:
    """Set a share of the values to SELU's lower bound and restore mean 0 and variance 1 by an affine map.

    Let a' = -scale x alpha be SELU's value at minus infinity and q the rate. The result is a (x or a') + b with a = ((1
    - q)(1 + q a'^2))^(-1/2) and b = -a a' q.

    Args:
        x: Activations of mean 0 and variance 1 of any shape.
        kept: Booleans like x from `dropout_mask`, True for the values that stay.
        rate: Share of values that are dropped, in [0, 1). It may be traced.

    Returns:
        An array like x.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017), section "New Dropout Technique". The constants
    are Keras's.
    """
    bound = -SELU_SCALE * SELU_ALPHA
    scale = ((1 - rate) * (1 + rate * bound**2)) ** -0.5
    return scale * jnp.where(kept, x, bound) - scale * bound * rate


def dropout_mask(
    key: jax.Array, shape: tuple[int, ...], dtype: DType, rate: jax.Array | float, bits: MaskBits = 32
) -> tuple[jax.Array, Any]:
    """Draw the mask of the values that dropout keeps.

    Args:
        key: Random key. The mask depends on nothing else but the arguments.
        shape: Shape of the values.
        dtype: Type of the values.
        rate: Share of values that are dropped, in [0, 1). It may be traced.
        bits: Random bits for each value. With 8 or 16 bits the rate is rounded to a multiple of 1/256 or 1/65,536 below
            1. A rate above 0 stays above 0.

    Returns:
        Booleans of that shape, True for the values that stay, and the rate rounded to the mask's bits.
    """
    if bits == 32:
        return jax.random.uniform(key, shape, dtype) >= rate, rate
    levels, type_, size = 2**bits, jnp.dtype(f"uint{bits}"), math.prod(shape)
    exact_rate = jnp.asarray(rate, dtype)
    dropped = jnp.clip(jnp.round(exact_rate * levels), (exact_rate > 0).astype(dtype), levels - 1)
    random_values = jax.lax.bitcast_convert_type(_words(key, -(-size * bits // 32)), type_).reshape(-1)[:size]
    return random_values.reshape(shape) >= dropped.astype(type_), dropped / levels


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
"""Dropout functions (x, kept, rate) -> y by name."""
