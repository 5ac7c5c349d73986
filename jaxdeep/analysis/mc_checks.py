"""What MC dropout refuses: passes without random numbers, and arguments that would be taken for others."""

from numbers import Integral
from typing import Any, Final, get_args

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxdeep.config.arguments import check_type
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import Network
from jaxdeep.nn.layers import MaskBits

MASK_BITS: Final = get_args(MaskBits)


def check_mc_dropout(model: Network, dropout_rate: float, samples: int) -> None:
    """Refuse passes without random numbers, or too few passes.

    Args:
        model: the network.
        dropout_rate: share of values that a mask drops, between 0 and 1.
        samples: M, number of passes.

    Raises:
        UserError: it is no network, or one without dropout, the rate is not between 0 and 1, or there are fewer than 2
            samples.
    """
    check_type("model", model, Network, "a network, as jaxdeep.nn.dnn.dnn makes it")
    if model.first_dropout is None:
        raise UserError("MC dropout of a network without dropout: every pass would be the same")
    try:
        rate = float(dropout_rate)
    except (TypeError, ValueError) as error:
        raise UserError(f"MC dropout with model.dropout_rate {dropout_rate!r}; allowed: a number") from error
    if rate <= 0:
        raise UserError(f"MC dropout with model.dropout_rate {dropout_rate}: every pass would be the same")
    if not rate < 1:
        raise UserError(f"MC dropout with model.dropout_rate {dropout_rate}; allowed: above 0 and below 1")
    if isinstance(samples, bool) or not isinstance(samples, Integral):
        raise UserError(f"MC dropout with {samples!r} samples; allowed: an integer, 2 or more")
    if samples < 2:
        raise UserError(f"MC dropout with {samples} samples; allowed: 2 or more")


def check_masks(key: Any, mask_bits: Any) -> None:
    """Refuse what draws no masks.

    Args:
        key: a key of `jax.random.key`.
        mask_bits: random bits for each value of a mask.

    Raises:
        UserError: the key is another thing, or several keys, or no mask has this number of bits.
    """
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    if dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key) or shape != ():
        given = f"{dtype} {shape}" if dtype is not None else repr(key)
        raise UserError(f"the key of MC dropout is {given}. Give one key, such as jax.random.key(0)")
    if isinstance(mask_bits, bool) or mask_bits not in MASK_BITS:
        raise UserError(f"mask_bits is {mask_bits!r}; allowed: {', '.join(map(str, MASK_BITS))}")


def check_inputs(model: Network, images: Any) -> None:
    """Refuse what is not rows as they enter the network.

    Args:
        model: the network.
        images: [N, D], floating, finite; their values are not looked at where they are traced.

    Raises:
        UserError: the shape or type is wrong, there are no images, or a value is not finite.
    """
    inputs = model.stacks[0].inputs
    dtype, shape = getattr(images, "dtype", None), tuple(getattr(images, "shape", ()))
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        given = type(images).__name__ if dtype is None else dtype
        raise UserError(
            f"the images for MC dropout are {given}. Give floats as they enter the network, or use mc_predict"
        )
    if len(shape) != 2 or shape[1] != inputs or not shape[0]:
        raise UserError(f"the images for MC dropout have the shape {shape}; allowed: [N, {inputs}], N at least 1")
    if not isinstance(images, Tracer) and not bool(jnp.isfinite(images).all()):
        count = int((~jnp.isfinite(images)).sum())
        raise UserError(
            f"{count} values of the images for MC dropout are not finite. Mend them, or leave their rows out"
        )
