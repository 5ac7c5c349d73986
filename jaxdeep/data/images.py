"""What a set of labelled images is: four arrays and where they came from."""

from typing import NamedTuple

import numpy as np


class ImageSpec(NamedTuple):
    """What is known of a data set before any file is read.

    Attributes:
        image_shape: (H, W, C) of one image.
        train: number of training images in the official set.
        test: number of test images in the official set.
        class_names: of labels 0, 1, ...
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


class Arrays(NamedTuple):
    """Images and labels as they are stored, in the official order.

    Attributes:
        train_images: [N, H, W, C] uint8.
        train_labels: [N] uint8, 0 .. 9.
        test_images: [M, H, W, C] uint8.
        test_labels: [M] uint8, 0 .. 9.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


class Images(NamedTuple):
    """A data set and its origin.

    Attributes:
        train_images: [N, H, W, C] uint8, official order; C is 3 for CIFAR-10, 1 for MNIST and Fashion-MNIST.
        train_labels: [N] uint8, 0 .. 9.
        test_images: [M, H, W, C] uint8, official order.
        test_labels: [M] uint8, 0 .. 9.
        name: "cifar10", "mnist", "fashion_mnist", or one of them after "synthetic_".
        source: "classic files", "tensorflow_datasets" (prepared now or cached earlier) or "built-in synthetic".
        synthetic: whether the images were drawn, not photographed or scanned.
        class_names: of labels 0 .. 9.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    name: str
    source: str
    synthetic: bool
    class_names: tuple[str, ...]
