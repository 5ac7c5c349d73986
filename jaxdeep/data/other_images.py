"""Images of another kind than those that a network was trained on: another set's, in its shape, and noise."""

from typing import Final

import jax
import numpy as np

from jaxdeep.errors import UserError

LUMA: Final = (0.299, 0.587, 0.114)
"""Of red, green and blue (ITU-R BT.601)."""


def in_shape(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Images in another size (bilinear, antialiased) and number of channels: grey repeated, or the luma of colours.

    Args:
        images: [N, H, W, C] uint8, C 1 or 3.
        shape: (height, width, channels) that are wanted, channels 1 or 3.

    Returns:
        [N, height, width, channels] uint8.

    Raises:
        UserError: images or shape have another rank or number of channels, or the images are not uint8.

    >>> in_shape(np.full((2, 28, 28, 1), 7, np.uint8), (32, 32, 3)).shape
    (2, 32, 32, 3)
    """
    if images.ndim != 4 or len(shape) != 3 or min(shape) < 1:
        raise UserError(
            f"images {images.shape} in the shape {shape}; allowed: [N, H, W, C] in (height, width, channels)"
        )
    if images.dtype != np.uint8:
        raise UserError(f"images are {images.dtype}; allowed: uint8, pixels from 0 to 255")
    if images.shape[3] not in (1, 3) or shape[2] not in (1, 3):
        raise UserError(f"{images.shape[3]} channels as {shape[2]}; allowed: 1 and 3")
    pixels = images.astype(np.float32)
    if shape[2] < pixels.shape[3]:
        pixels = pixels @ np.asarray(LUMA, np.float32)[:, None]
    resized = np.asarray(jax.image.resize(pixels, (len(pixels), *shape[:2], pixels.shape[3]), "bilinear"))
    return np.broadcast_to(np.clip(np.rint(resized), 0, 255).astype(np.uint8), (len(images), *shape))


def noise(count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform noise, always the same: [count, *shape] uint8."""
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
