"""Change training images at random inside the step. They are shifted and flipped horizontally."""

from functools import partial
from typing import Final

import jax
import jax.numpy as jnp

from jaxdeep.config import Data
from jaxdeep.errors import UserError

MOST_CHANNELS: Final = 4
"""Largest number of channels in an image, for colours with transparency.

A first axis this short before a longer last axis holds channels.
"""


def augmented(key: jax.Array, rows: jax.Array, image_shape: tuple[int, ...], data: Data) -> jax.Array:
    """Shift and mirror each image by random numbers of its own.

    Both coordinates of a shift are uniform in -s .. s with s = `data.shift_pixels`. Zeros fill the rest of the image.
    Then `data.flip` mirrors an image with probability 1/2.

    Args:
        key: Random key. The changes depend on it alone, with and without JAX's 64-bit types.
        rows: Rows [B, D] as they are stored.
        image_shape: Shape (H, W) or (H, W, channels) of an image. Its product is D.
        data: Configuration with the changes.

    Returns:
        An array like rows.
    """
    shift_key, flip_key = jax.random.split(key)
    images = rows.reshape(len(rows), *image_shape)
    if reach := data.shift_pixels:
        shifts = jax.random.randint(shift_key, (2, len(rows)), 0, 2 * reach + 1, "int32")
        images = jax.vmap(partial(_shifted, reach))(images, *shifts)
    if data.flip:
        mirrored = jax.random.bernoulli(flip_key, jnp.float32(0.5), (len(rows),))
        images = jnp.where(mirrored.reshape(-1, *[1] * len(image_shape)), images[:, :, ::-1], images)
    return images.reshape(rows.shape)


def check_augmentation(data: Data, image_shape: tuple[int, ...]) -> None:
    """Refuse an augmentation that does not fit the images.

    Args:
        data: Configuration with the changes.
        image_shape: Shape of one row.

    Raises:
        UserError: The rows are no images, the channels come first, or the shift is as large as an image.
    """
    if data.augmented and len(image_shape) not in (2, 3):
        raise UserError(
            f"data.shift_pixels and data.flip need images, found {image_shape}. Give images [H, W] or [H, W, channels]."
        )
    if data.augmented and len(image_shape) == 3 and image_shape[0] <= MOST_CHANNELS < image_shape[2]:
        raise UserError(
            f"data.shift_pixels and data.flip need images with channels last, found {image_shape} with channels first."
            " Give images.transpose(0, 2, 3, 1)."
        )
    if data.shift_pixels and data.shift_pixels >= min(image_shape[:2]):
        raise UserError(
            f"data.shift_pixels is {data.shift_pixels} for an image of {image_shape}. Give fewer than each side has."
        )


def _shifted(reach: int, image: jax.Array, down: jax.Array, right: jax.Array) -> jax.Array:
    """Cut an image out of its padded self.

    Args:
        reach: Largest shift s in pixels.
        image: Image [H, W, ...].
        down: First row of the cut, in 0 .. 2 s.
        right: First column of the cut, in 0 .. 2 s.

    Returns:
        An array like image.
    """
    padded = jnp.pad(image, ((reach, reach), (reach, reach), *[(0, 0)] * (image.ndim - 2)))
    starts = (down, right, *[jnp.zeros_like(down)] * (image.ndim - 2))
    return jax.lax.dynamic_slice(padded, starts, image.shape)
