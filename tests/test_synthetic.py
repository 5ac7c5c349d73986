"""The built-in set: the same bytes everywhere, balanced, and neither trivial nor noise."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from jaxdeep.data import synthetic

DIGESTS = {
    (32, 32, 3): "38be55036e4a671e07f91edf672c50ba888ed5cdd3a546dea70ed2806033df3c",
    (28, 28, 1): "bca74dc1bbe805ba58c39ae875e34a765f3170ff4dfbd235ed87d204340e59ff",
}


def digest(arrays) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


@pytest.fixture(scope="module")
def colour():
    return synthetic.draw(32, 32, 3, train=6000, test=2000)


@pytest.mark.parametrize("shape", DIGESTS)
def test_the_drawing_has_not_changed(shape):
    assert digest(synthetic.draw(*shape, train=300, test=100)) == DIGESTS[shape]


@pytest.mark.parametrize("setting", [{"OPENBLAS_NUM_THREADS": "1"}, {"OPENBLAS_CORETYPE": "Nehalem"}])
def test_the_bytes_do_not_depend_on_the_matrix_product(setting):
    script = (
        "import hashlib; from jaxdeep.data import synthetic; a = synthetic.draw(32, 32, 3, train=300, test=100);"
        "print(hashlib.sha256(b''.join(x.tobytes() for x in a)).hexdigest())"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **setting})
    assert done.stdout.strip() == DIGESTS[32, 32, 3]


@pytest.mark.parametrize(("shape", "shares"), [((32, 32, 3), "SHARES"), ((28, 28, 1), "GREY_SHARES")])
def test_every_sum_is_exact_in_float32(shape, shares):
    patterns = synthetic._patterns(np.random.PCG64(0), *shape)
    largest = (1020 + (sum(getattr(synthetic, shares)) * 1020 >> 8)) >> synthetic.LATENT_SHIFT
    lowest, values = synthetic.CONTRAST
    bound = largest * (lowest + values - 1) * np.abs(patterns).sum(axis=0).max()
    assert bound + (512 << synthetic.PIXEL_SHIFT) < 2**24
    assert float(synthetic.NOISE * 2**synthetic.PIXEL_SHIFT).is_integer()


def test_another_seed_draws_another_set():
    first, second = (synthetic.draw(28, 28, 1, train=50, test=10, seed=seed) for seed in (0, 1))
    assert not np.array_equal(first.train_images, second.train_images)
    assert not np.array_equal(first.train_labels, second.train_labels)


@pytest.mark.parametrize("shape", DIGESTS)
def test_shapes_and_classes_are_those_of_the_real_sets(shape):
    found = synthetic.draw(*shape, train=2000, test=1010)
    assert found.train_images.shape == (2000, *shape)
    assert found.test_images.shape == (1010, *shape)
    assert all(array.dtype == np.uint8 for array in found)
    np.testing.assert_array_equal(np.bincount(found.train_labels), [200] * 10)
    np.testing.assert_array_equal(np.bincount(found.test_labels), [101] * 10)
    first_tenth = np.bincount(found.train_labels[:200], minlength=10)
    assert first_tenth.min() > 5, "the first images are a validation set: all classes are in it"


def test_images_are_smooth_and_vary_in_brightness_and_contrast(colour):
    pixels = colour.train_images[:2000].astype(np.float32)
    assert 120 < pixels.mean() < 136
    assert 50 < pixels.std() < 80
    assert np.isin(pixels, (0, 255)).mean() < 0.15
    neighbours = np.corrcoef(pixels[:, :, 1:].ravel(), pixels[:, :, :-1].ravel())[0, 1]
    assert neighbours > 0.8
    assert pixels.mean(axis=(1, 2, 3)).std() > 15
    spread = pixels.std(axis=(1, 2, 3))
    assert np.quantile(spread, 0.9) > 1.5 * np.quantile(spread, 0.1)


def test_images_of_the_test_set_are_not_in_the_training_set(colour):
    train = {image.tobytes() for image in colour.train_images}
    assert len(train) == len(colour.train_images)
    assert not any(image.tobytes() in train for image in colour.test_images)


def test_a_linear_rule_finds_some_of_the_class_and_not_most(colour):
    def rows(images):
        standard = (images.reshape(len(images), -1).astype(np.float32) - 127) / 69
        return np.hstack([standard, np.ones((len(images), 1), np.float32)])

    inputs, targets = rows(colour.train_images), np.eye(10, dtype=np.float32)[colour.train_labels]
    ridge = inputs.T @ inputs + 3000 * np.eye(inputs.shape[1], dtype=np.float32)
    scores = rows(colour.test_images) @ np.linalg.solve(ridge, inputs.T @ targets)
    accuracy = (scores.argmax(axis=1) == colour.test_labels).mean()
    assert 0.25 < accuracy < 0.5
