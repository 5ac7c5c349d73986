"""Training images changed at random, inside the step: shifts and horizontal flips."""

from functools import partial
from typing import Final

import jax
import jax.numpy as jnp

from jaxdeep.config import Data
from jaxdeep.errors import UserError

MOST_CHANNELS: Final = 4
"""Of an image: grey, colours, and with transparency. A first axis this short before a longer last one is channels."""


def augmented(key: jax.Array, rows: jax.Array, image_shape: tuple[int, ...], data: Data) -> jax.Array:
    """Each image shifted and mirrored by numbers of its own.

    A shift of up to `data.shift_pixels` either way, in both directions, with zeros where the image was not; then, with
    `data.flip`, a mirror image with probability 1/2.

    Args:
        key: the changes are a function of it alone, with and without JAX's 64-bit types.
        rows: [B, D], as they are stored.
        image_shape: (H, W) or (H, W, channels), D in all.
        data: which changes.

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
    """Refuse what cannot be augmented.

    Raises:
        UserError: rows that are no images, images with channels first, or a shift by more than an image.
    """
    if data.augmented and len(image_shape) not in (2, 3):
        raise UserError(f"data.shift_pixels and data.flip need images [H, W] or [H, W, channels]; found {image_shape}")
    if data.augmented and len(image_shape) == 3 and image_shape[0] <= MOST_CHANNELS < image_shape[2]:
        raise UserError(
            f"data.shift_pixels and data.flip need images with channels last; found {image_shape}, with channels first."
            " Give images.transpose(0, 2, 3, 1)."
        )
    if data.shift_pixels and data.shift_pixels >= min(image_shape[:2]):
        raise UserError(f"data.shift_pixels is {data.shift_pixels}; allowed: less than an image of {image_shape}")


def _shifted(reach: int, image: jax.Array, down: jax.Array, right: jax.Array) -> jax.Array:
    """An image [H, W, ...] cut out of its padded self, at (down, right) of 0 .. 2 reach."""
    padded = jnp.pad(image, ((reach, reach), (reach, reach), *[(0, 0)] * (image.ndim - 2)))
    starts = (down, right, *[jnp.zeros_like(down)] * (image.ndim - 2))
    return jax.lax.dynamic_slice(padded, starts, image.shape)
