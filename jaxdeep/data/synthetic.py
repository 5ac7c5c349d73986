"""The built-in set: smooth coloured patterns in ten classes, drawn by arithmetic, standing for no real data set.

It lets every program run to its end where no data can be had, and is hard enough that models separate and overfit.
"""

import numpy as np

from jaxdeep.data.images import Arrays

CLASSES = 10
PATTERNS = ((2, 16, 48), (4, 32, 24), (8, 32, 12))  # cells a side, number of patterns, amplitude
CLASS_PATTERNS = slice(8, 56)  # those whose weights tell the class
CLUSTERS = 24  # a class
SHARES = 53, 178  # of 256: how far the classes, and the clusters within one, lie apart
GREY_SHARES = 78, 208  # the same with one channel, in which patterns resemble each other more
NOISE = 0.3125  # a pixel, for each step of a byte: +-40
LATENT_SHIFT, PIXEL_SHIFT = 3, 10  # powers of two that weights and pixels are divided by
CONTRAST = 8, 17  # lowest, number of values
BLOCK = 1000  # images rendered at a time


def draw(height: int, width: int, channels: int, train: int = 50_000, test: int = 10_000, seed: int = 0) -> Arrays:
    """Draw the set: the same bytes on every machine.

    An image is a weighted sum of 80 smooth patterns (random grids of 2, 4 and 8 cells a side, interpolated; the
    coarser, the stronger), times a contrast, plus a brightness, plus noise in every pixel, clipped to 0 .. 255. The
    weights are bell-shaped (sums of 8 bytes). Those of 48 patterns are centred on one of 24 clusters of the image's
    class. A class's clusters scatter about the class's mean three times as far as the means about zero, so that little
    of the class can be had linearly; and clusters of different classes overlap.

    Everything is made from PCG64's raw words by integer operations and by float32 sums of integers below 2**24, which
    are exact in any order: no libm, no BLAS and no version of NumPy changes a byte.

    Measured once (one training seed, 50,000 training images of drawing seed 0, the first 5,000 of them for validation,
    pixels standardised): accuracy on validation at the least loss there, the epoch of it, and losses after the last.

        32x32x3  softmax, Adam 5e-4, batch 128               40.0%
        32x32x3  3 x 100 SELU, Adam 1e-3, batch 128          56.3%  epoch  7  (20 epochs: training .34, validation 1.77)
        32x32x3  20 x 100 SELU, optax.nadam 7e-4, batch 32   54.6%  epoch 14, the last, still falling
        28x28x1  softmax, Adam 5e-4, batch 128               42.0%
        28x28x1  3 x 100 SELU, Adam 1e-3, batch 128          58.3%  epoch 12  (20 epochs: training .66, validation 1.42)

    Args:
        height: H, pixels.
        width: W, pixels.
        channels: C.
        train: N, number of training images, a tenth of them (to one) in each class, in random order.
        test: M, number of test images, likewise.
        seed: of PCG64, 0 or more.

    Returns:
        Arrays: [N, H, W, C] and [M, H, W, C] uint8, with labels 0 .. 9.

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
    """[K, H x W x C] integers: grids of bell-shaped values, two parts grey and one part colour, interpolated."""
    found = []
    for cells, count, amplitude in PATTERNS:
        grey = _bell(bits, (count, cells + 1, cells + 1, 1))
        grids = 2 * grey + _bell(bits, (count, cells + 1, cells + 1, channels))
        smooth = np.einsum("hi,kijc,wj->khwc", _interpolation(height, cells), grids, _interpolation(width, cells))
        found.append(smooth.reshape(count, -1) * amplitude >> 17)
    return np.concatenate(found)


def _interpolation(size: int, cells: int) -> np.ndarray:
    """[size, cells + 1] integers: the weights, of 16, of the two grid points about each pixel."""
    left, right = np.divmod((2 * np.arange(size) + 1) * cells * 8 // size, 16)
    weights = np.zeros((size, cells + 1), np.int64)
    weights[np.arange(size), left] = 16 - right
    weights[np.arange(size), left + 1] = right
    return weights


def _labels(bits: np.random.PCG64, count: int) -> np.ndarray:
    """[count] uint8: the classes in turn, in random order."""
    order = np.argsort(bits.random_raw(count), kind="stable")
    return (order % CLASSES).astype(np.uint8)


def _weights(bits: np.random.PCG64, labels: np.ndarray, patterns: int, shares: tuple[int, int]) -> np.ndarray:
    """[N, K] integers: how much of each pattern is in each image, its contrast included."""
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
    """[N, H x W x C] uint8: the patterns' weighted sums, brightness and noise added."""
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
    """Integers of mean 0 and standard deviation 209, within +-1020: sums of 8 bytes."""
    terms = _bytes(bits, 8 * int(np.prod(shape))).reshape(-1, 8)
    return (terms.sum(axis=1, dtype=np.int64) - 1020).reshape(shape)


def _bytes(bits: np.random.PCG64, count: int) -> np.ndarray:
    """[count] uint8, uniform over 0 .. 255: PCG64's own words, whose stream NumPy never changes."""
    return bits.random_raw(-(-count // 8)).astype("<u8").view(np.uint8)[:count]
