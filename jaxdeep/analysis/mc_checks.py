"""Checks of the arguments of MC dropout."""

from numbers import Integral
from typing import Any, Final, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxdeep.config.arguments import check_type
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import Network
from jaxdeep.nn.layers import MaskBits

MASK_BITS: Final = get_args(MaskBits)


def check_mc_dropout(model: Network, dropout_rate: Any, samples: int) -> None:
    """Refuse passes without random numbers and too few passes.

    Args:
        model: Network with dropout.
        dropout_rate: Share of values that a mask drops, above 0 and below 1. Or a rate for each of the L dense layers,
            which is above 0 at one layer with dropout or more.
        samples: Number of passes M of at least 2.

    Raises:
        UserError: The model is no network or has no dropout, a rate is out of its range, or there are fewer than 2
            passes.
    """
    check_type("model", model, Network, "a network, as jaxdeep.nn.dnn.dnn makes it")
    if model.first_dropout is None:
        raise UserError(
            "MC dropout of a network without dropout: every pass would be the same. Train a network with dropout."
        )
    _check_rates(model, dropout_rate)
    if isinstance(samples, bool) or not isinstance(samples, Integral):
        raise UserError(f"MC dropout with {samples!r} samples. Give an integer, 2 or more.")
    if samples < 2:
        raise UserError(f"MC dropout with {samples} samples. Give 2 or more.")


def _check_rates(model: Network, dropout_rate: Any) -> None:
    """Refuse rates that are no shares, that no layer takes, or that drop nothing."""
    given = f"MC dropout with model.dropout_rate {dropout_rate}"
    is_each = not isinstance(dropout_rate, str) and np.ndim(dropout_rate) == 1
    try:
        rates = [float(rate) for rate in dropout_rate] if is_each else [float(dropout_rate)] * model.layers
    except (TypeError, ValueError) as error:
        raise UserError(f"MC dropout with model.dropout_rate {dropout_rate!r}. Give a number.") from error
    if len(rates) != model.layers:
        raise UserError(f"{given}, which has {len(rates)} rates. Give {model.layers}, one for each dense layer.")
    if not is_each and rates[0] <= 0:
        raise UserError(f"{given}: every pass would be the same. Give a rate above 0.")
    if not all(0 <= rate < 1 for rate in rates):
        raise UserError(f"{given}. Give a rate above 0 and below 1.")
    dropped = [stack.block.dropout is not None for stack in model.stacks for _ in range(stack.length)]
    if is_each and any(rate > 0 and not has for rate, has in zip(rates, dropped, strict=True)):
        raise UserError(f"{given}, and a layer with a rate above 0 has no dropout. Give it the rate 0.")
    if not any(rate > 0 and has for rate, has in zip(rates, dropped, strict=True)):
        raise UserError(f"{given}: every pass would be the same. Give a layer with dropout a rate above 0.")


def check_masks(key: Any, mask_bits: Any) -> None:
    """Refuse a key or a number of bits that cannot draw masks.

    Args:
        key: Random key, as `jax.random.key` makes it.
        mask_bits: Number of random bits for each value of a mask. It is 8, 16 or 32.

    Raises:
        UserError: The key is not a single key or masks cannot have this number of bits.
    """
    dtype, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    if dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key) or shape != ():
        given = f"{dtype} {shape}" if dtype is not None else repr(key)
        raise UserError(f"the key of MC dropout is {given}. Give one key, such as jax.random.key(0).")
    if isinstance(mask_bits, bool) or mask_bits not in MASK_BITS:
        raise UserError(f"mask_bits is {mask_bits!r}. Give one of {', '.join(map(str, MASK_BITS))}.")


def check_inputs(model: Network, images: Any) -> None:
    """Refuse images that do not enter the network.

    Args:
        model: Network with D inputs.
        images: Scaled rows [N, D], floating and finite, N at least 1. Traced values are not checked for finiteness.

    Raises:
        UserError: The shape or type is wrong, there are no images or a value is not finite.
    """
    inputs = model.stacks[0].inputs
    dtype, shape = getattr(images, "dtype", None), tuple(getattr(images, "shape", ()))
    if dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        given = type(images).__name__ if dtype is None else dtype
        raise UserError(
            f"the images for MC dropout are {given}. Give floats as they enter the network, or use mc_predict."
        )
    if len(shape) != 2 or shape[1] != inputs or not shape[0]:
        raise UserError(f"the images for MC dropout have the shape {shape}. Give [N, {inputs}] with N at least 1.")
    if not isinstance(images, Tracer) and not bool(jnp.isfinite(images).all()):
        count = int((~jnp.isfinite(images)).sum())
        raise UserError(
            f"{count} values of the images for MC dropout are not finite. Correct them, or leave their rows out."
        )
