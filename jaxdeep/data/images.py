"""Sets of labelled images as four arrays and their origin."""

from typing import NamedTuple

import numpy as np


class ImageSpec(NamedTuple):
    """Facts about a data set that are known before any file is read.

    Attributes:
        image_shape: Shape (H, W, C) of one image.
        train: Number of training images in the official set.
        test: Number of test images in the official set.
        class_names: Names of the classes 0, 1, ...
    """

    image_shape: tuple[int, int, int]
    train: int
    test: int
    class_names: tuple[str, ...]


SPECS = {
    "cifar10": ImageSpec(
        (32, 32, 3),
        50_000,
        10_000,
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    ),
    "mnist": ImageSpec((28, 28, 1), 60_000, 10_000, tuple("0123456789")),
    "fashion_mnist": ImageSpec(
        (28, 28, 1),
        60_000,
        10_000,
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
}
"""Facts about each data set by its name."""


class Arrays(NamedTuple):
    """Images and labels as they are stored, in the official order.

    Attributes:
        train_images: Training images [N, H, W, C] uint8.
        train_labels: Training labels [N] uint8 in 0 .. 9.
        test_images: Test images [M, H, W, C] uint8.
        test_labels: Test labels [M] uint8 in 0 .. 9.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Images(NamedTuple):
    """Images and labels of a data set and their origin.

    Attributes:
        train_images: Training images [N, H, W, C] uint8 in the official order. C is 3 for CIFAR-10 and 1 for MNIST and
            Fashion-MNIST.
        train_labels: Training labels [N] uint8 in 0 .. 9.
        test_images: Test images [M, H, W, C] uint8 in the official order.
        test_labels: Test labels [M] uint8 in 0 .. 9.
        name: Name "cifar10", "mnist" or "fashion_mnist". It follows "synthetic_" if the images are synthetic.
        source: Origin "classic files", "tensorflow_datasets", "download by URL" or "built-in synthetic". The two in the
            middle may come from the cache.
        synthetic: Whether the images were drawn instead of photographed or scanned.
        class_names: Names of the classes 0 .. 9.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    name: str
    source: str
    synthetic: bool
    class_names: tuple[str, ...]

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.train_images.shape[1:]))
        counts = f"{len(self.train_images):,} training and {len(self.test_images):,} test images of {shape}"
        return f"Images({self.name}: {counts}, {len(self.class_names)} classes, from {self.source})"
