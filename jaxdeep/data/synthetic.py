"""The built-in set of smooth coloured patterns in ten classes.

It is drawn by arithmetic and stands for no real data set. It lets every program run to its end without any data. It is
hard enough that models separate and overfit.
"""

import numpy as np

from jaxdeep.data.images import Arrays

CLASSES = 10
PATTERNS = ((2, 16, 48), (4, 32, 24), (8, 32, 12))  # cells a side, number of patterns, amplitude
CLASS_PATTERNS = slice(8, 56)  # patterns whose weights tell the class
CLUSTERS = 24  # clusters a class
SHARES = 53, 178  # distances between classes and between the clusters of a class, in 256ths
GREY_SHARES = 78, 208  # the distances with one channel, in which patterns resemble each other more
NOISE = 0.3125  # grey levels for each step of a byte, +-40 in all
LATENT_SHIFT, PIXEL_SHIFT = 3, 10  # powers of two that weights and pixels are divided by
CONTRAST = 8, 17  # lowest, number of values
BLOCK = 1000  # images rendered at a time


def draw(height: int, width: int, channels: int, train: int = 50_000, test: int = 10_000, seed: int = 0) -> Arrays:
    """Draw the set with the same bytes on every machine.

    An image is a weighted sum of 80 smooth patterns times a contrast plus a brightness plus noise in every pixel. It is
    clipped to 0 .. 255. The patterns are interpolated random grids of 2, 4 and 8 cells a side. Coarser patterns are
    stronger.

    The weights are bell-shaped (sums of 8 bytes). The weights of 48 patterns are centred on one of 24 clusters of the
    image's class. A class's clusters scatter about its mean three times as far as the means scatter about zero. So a
    linear model learns little of the class. Clusters of different classes overlap.

    Everything is made from PCG64's raw words by integer operations and by float32 sums of integers below 2**24. These
    are exact in any order. So no libm, no BLAS and no version of NumPy changes a byte.

    The table shows what was measured once. One training seed saw 50,000 images of drawing seed 0. The first 5,000 of
    them were validation rows and pixels were standardised. The columns are the validation accuracy at the lowest
    validation loss, the epoch of that loss, and the losses after the last epoch.

        32x32x3  softmax, Adam 5e-4, batch 128               40.0%
        32x32x3  3 x 100 SELU, Adam 1e-3, batch 128          56.3%  epoch  7  (20 epochs: training .34, validation 1.77)
        32x32x3  20 x 100 SELU, optax.nadam 7e-4, batch 32   54.6%  epoch 14, the last, still falling
        28x28x1  softmax, Adam 5e-4, batch 128               42.0%
        28x28x1  3 x 100 SELU, Adam 1e-3, batch 128          58.3%  epoch 12  (20 epochs: training .66, validation 1.42)

    Args:
        height: Height H of an image in pixels.
        width: Width W of an image in pixels.
        channels: Number C of channels.
        train: Number N of training images. A tenth of them (to one) is in each class in random order.
        test: Number M of test images. A tenth of them (to one) is in each class in random order.
        seed: Seed of PCG64, 0 or more.

    Returns:
        Images [N, H, W, C] and [M, H, W, C] uint8 with labels [N] and [M] in 0 .. 9.

    >>> draw(28, 28, 1, train=20, test=10).train_images.shape
    (20, 28, 28, 1)
    """
    bits = np.random.PCG64(seed)
    patterns = _patterns(bits, height, width, channels)
    labels = np.concatenate([_labels(bits, train), _labels(bits, test)])
    weights = _weights(bits, labels, len(patterns), GREY_SHARES if channels == 1 else SHARES)
    images = _render(bits, weights, patterns).reshape(-1, height, width, channels)
    return Arrays(images[:train], labels[:train], images[train:], labels[train:])


def _patterns(bits: np.random.PCG64, height: int, width: int, channels: int) -> np.ndarray:
    """Return the smooth patterns [K, H x W x C] as integers.

    They are interpolated grids of bell-shaped values. Two parts are grey and one part is colour.
    """
    patterns = []
    for cells, count, amplitude in PATTERNS:
        grey = _bell(bits, (count, cells + 1, cells + 1, 1))
        grids = 2 * grey + _bell(bits, (count, cells + 1, cells + 1, channels))
        smooth = np.einsum("hi,kijc,wj->khwc", _interpolation(height, cells), grids, _interpolation(width, cells))
        patterns.append(smooth.reshape(count, -1) * amplitude >> 17)
    return np.concatenate(patterns)


def _interpolation(size: int, cells: int) -> np.ndarray:
    """Return the weights of grid points for each pixel.

    Args:
        size: Number of pixels a side.
        cells: Number of cells a side.

    Returns:
        Integers [size, cells + 1]. The weights of the two points about a pixel sum to 16.
    """
    left, right = np.divmod((2 * np.arange(size) + 1) * cells * 8 // size, 16)
    weights = np.zeros((size, cells + 1), np.int64)
    weights[np.arange(size), left] = 16 - right
    weights[np.arange(size), left + 1] = right
    return weights


def _labels(bits: np.random.PCG64, count: int) -> np.ndarray:
    """Return the classes in turn in random order, [count] uint8."""
    order = np.argsort(bits.random_raw(count), kind="stable")
    return (order % CLASSES).astype(np.uint8)


def _weights(bits: np.random.PCG64, labels: np.ndarray, patterns: int, shares: tuple[int, int]) -> np.ndarray:
    """Return integers [N, K] for how much of each pattern is in each image. They include its contrast."""
    informative = CLASS_PATTERNS.stop - CLASS_PATTERNS.start
    means = _bell(bits, (CLASSES, 1, informative))
    offsets = _bell(bits, (CLASSES, CLUSTERS, informative))
    centres = means * shares[0] + offsets * shares[1] >> 8
    weights = _bell(bits, (len(labels), patterns))
    weights[:, CLASS_PATTERNS] += centres[labels, _bytes(bits, len(labels)) % CLUSTERS]
    lowest, values = CONTRAST
    contrast = lowest + _bytes(bits, len(labels)) % values
    return (weights >> LATENT_SHIFT) * contrast[:, None].astype(np.int64)


def _render(bits: np.random.PCG64, weights: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Return images [N, H x W x C] uint8 as the patterns' weighted sums plus brightness and noise."""
    brightness = 128 + (_bell(bits, (len(weights), 1)) >> 3)
    images = np.empty((len(weights), patterns.shape[1]), np.uint8)
    basis = patterns.astype(np.float32)
    for start in range(0, len(weights), BLOCK):
        block = slice(start, start + BLOCK)
        pixels = weights[block].astype(np.float32) @ basis
        pixels *= np.float32(2.0**-PIXEL_SHIFT)
        pixels += brightness[block].astype(np.float32)
        noise = _bytes(bits, pixels.size).reshape(pixels.shape)
        pixels += noise * np.float32(NOISE)
        pixels -= np.float32(NOISE * 128)
        images[block] = np.clip(pixels, 0, 255, out=pixels)
    return images


def _bell(bits: np.random.PCG64, shape: tuple[int, ...]) -> np.ndarray:
    """Return integers of mean 0 and standard deviation 209 within +-1020.

    They are sums of 8 bytes.
    """
    terms = _bytes(bits, 8 * int(np.prod(shape))).reshape(-1, 8)
    return (terms.sum(axis=1, dtype=np.int64) - 1020).reshape(shape)


def _bytes(bits: np.random.PCG64, count: int) -> np.ndarray:
    """Return uniform bytes [count] uint8 in 0 .. 255.

    They are PCG64's own words. NumPy never changes their stream.
    """
    return bits.random_raw(-(-count // 8)).astype("<u8").view(np.uint8)[:count]
