"""Make images of another kind than a network's training images, from another set or from noise."""

from typing import Final

import jax
import numpy as np

from jaxdeep.errors import UserError

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luma (ITU-R BT.601)."""


def in_shape(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return images in another size and number of channels.

    The size changes by bilinear interpolation with antialiasing. Grey is repeated for colours. Colours become their
    luma for grey.

    Args:
        images: Images [N, H, W, C] uint8 with C 1 or 3.
        shape: Shape (height, width, channels) of a returned image. Channels are 1 or 3.

    Returns:
        Images [N, height, width, channels] uint8.

    Raises:
        UserError: Images or shape have another rank or number of channels, or the images are not uint8.

    >>> in_shape(np.full((2, 28, 28, 1), 7, np.uint8), (32, 32, 3)).shape
    (2, 32, 32, 3)
    """
    if images.ndim != 4 or len(shape) != 3 or min(shape) < 1:
        raise UserError(
            f"images {images.shape} do not go in the shape {shape}. Give [N, H, W, C] and (height, width, channels)."
        )
    if images.dtype != np.uint8:
        raise UserError(f"images are {images.dtype}. Give uint8, pixels from 0 to 255.")
    if images.shape[3] not in (1, 3) or shape[2] not in (1, 3):
        raise UserError(f"{images.shape[3]} channels do not become {shape[2]}. Give 1 or 3 of each.")
    pixels = images.astype(np.float32)
    if shape[2] < pixels.shape[3]:
        pixels = pixels @ np.asarray(LUMA, np.float32)[:, None]
    resized = np.asarray(jax.image.resize(pixels, (len(pixels), *shape[:2], pixels.shape[3]), "bilinear"))
    return np.broadcast_to(np.clip(np.rint(resized), 0, 255).astype(np.uint8), (len(images), *shape))


def noise(count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return images of uniform noise that are always the same.

    Args:
        count: Number of images.
        shape: Shape of an image.

    Returns:
        Images [count, *shape] uint8.
    """
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)
