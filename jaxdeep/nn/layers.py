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


class Dense(nn.Module):
    """x W^T + b, its kernel W kept as [units, inputs].

    That is the transpose of Flax's: the kernel's gradient is then dy^T x, which takes XLA two thirds of the time of
    x^T dy on a CPU where the inputs are many (LOG.md).
    """

    units: int
    kernel_init: nn.initializers.Initializer
    use_bias: bool
    dtype: DType

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", lambda key: self.kernel_init(key, (x.shape[1], self.units), self.dtype).T)
        product = jax.lax.dot_general(x, kernel, (((1,), (1,)), ((), ())))
        if not self.use_bias:
            return product
        return product + self.param("bias", nn.initializers.zeros, (self.units,), self.dtype)[None]


class PReLU(nn.Module):
    """x above 0, a x below, with a slope a that each unit learns.

    Source: He et al., "Delving Deep into Rectifiers" (2015), equation 1.
    """

    first: float
    dtype: DType

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        slope = self.param("slope", nn.initializers.constant(self.first), x.shape[1:], self.dtype)
        return jnp.where(x > 0, x, slope[None] * x)


RRELU_SLOPES: Final = (1 / 8, 1 / 3)


def rrelu(x: jax.Array, key: jax.Array | None) -> jax.Array:
    """x above 0, a x below, a drawn for each value from U(1/8, 1/3); without a key, a is the mean of these.

    Args:
        x: values, of any shape.
        key: the slopes are a function of it alone; None in inference.

    Returns:
        An array like x.

    Source: Xu et al., "Empirical Evaluation of Rectified Activations in Convolutional Network" (2015), section 2.4,
    with the range that PyTorch has.
    """
    low, high = RRELU_SLOPES
    mean = jnp.asarray((low + high) / 2, x.dtype)
    slope = mean if key is None else jax.random.uniform(key, x.shape, x.dtype, low, high)
    return jnp.where(x > 0, x, slope * x)


def dropout(key: jax.Array, x: jax.Array, rate: jax.Array | float, bits: MaskBits = 32) -> jax.Array:
    """Set a share of the values to zero and scale the others by 1 / (1 - rate).

    Args:
        key: the mask is a function of it alone.
        x: values, of any shape.
        rate: share that is dropped, in [0, 1); may be traced.
        bits: random bits for each value; with 8 or 16 of them the rate is the nearest multiple of 1/256 or 1/65536
            below 1, and above 0 where the rate is.

    Returns:
        An array like x.

    Source: Srivastava et al., "Dropout" (2014), in the inverted form that Keras has.
    """
    kept, rate = _kept(key, x, rate, bits)
    return jnp.where(kept, x / (1 - rate), 0)


def alpha_dropout(key: jax.Array, x: jax.Array, rate: jax.Array | float, bits: MaskBits = 32) -> jax.Array:
    """Set a share of the values to SELU's lower bound, then restore mean 0 and variance 1 by an affine map.

    With a' = -scale x alpha (SELU's value at minus infinity) and q the rate, the result is a (x or a') + b with
    a = ((1 - q)(1 + q a'^2))^(-1/2) and b = -a a' q.

    Args:
        key: the mask is a function of it alone.
        x: activations of mean 0 and variance 1, of any shape.
        rate: share that is dropped, in [0, 1); may be traced.
        bits: as of `dropout`.

    Returns:
        An array like x.

    Source: Klambauer et al., "Self-Normalizing Neural Networks" (2017), section "New Dropout Technique"; the constants
    are Keras's.
    """
    bound = -SELU_SCALE * SELU_ALPHA
    kept, rate = _kept(key, x, rate, bits)
    scale = ((1 - rate) * (1 + rate * bound**2)) ** -0.5
    return scale * jnp.where(kept, x, bound) - scale * bound * rate


def _kept(key: jax.Array, x: jax.Array, rate: jax.Array | float, bits: MaskBits) -> tuple[jax.Array, Any]:
    """The mask, and the rate that it has."""
    if bits == 32:
        return jax.random.uniform(key, x.shape, x.dtype) >= rate, rate
    levels, type_ = 2**bits, jnp.dtype(f"uint{bits}")
    wanted = jnp.asarray(rate, x.dtype)
    dropped = jnp.clip(jnp.round(wanted * levels), (wanted > 0).astype(x.dtype), levels - 1)
    drawn = jax.lax.bitcast_convert_type(_words(key, -(-x.size * bits // 32)), type_).reshape(-1)[: x.size]
    return drawn.reshape(x.shape) >= dropped.astype(type_), dropped / levels


def _words(key: jax.Array, count: int) -> jax.Array:
    """Random words of 32 bits [count], of JAX's own generator: its blocks give two, of which jax.random makes one."""
    data = jax.random.key_data(key)
    if data.shape != (2,):  # another generator's key
        return jax.random.bits(key, (count,), "uint32")
    return threefry_2x32(data, jnp.arange(count, dtype="uint32"))


DROPOUTS: Final[dict[Dropout, Callable[..., jax.Array]]] = {
    "dropout": dropout,
    "alpha_dropout": alpha_dropout,
}
