"""Images of other sets in another shape, against Pillow and sums; and noise."""

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from small_data import small_arrays

from jaxdeep.data.other_images import in_shape, noise
from jaxdeep.errors import UserError


def smooth(size: int, count: int = 3) -> np.ndarray:
    """[N, size, size, 1]: waves of about a picture's length."""
    at = (np.arange(size) + 0.5) / size
    waves = [np.outer(np.sin(2.5 * at + of), np.cos(2 * at - of)) for of in range(count)]
    return np.rint(127.5 + 100 * np.stack(waves)[..., None]).astype(np.uint8)


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (7, 41, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_one_grey_stay_it_in_every_shape(shape: tuple[int, ...], channels: int) -> None:
    greys = np.arange(256, dtype=np.uint8)[:, None, None, None]
    found = in_shape(np.tile(greys, (1, 28, 32, channels)), shape)
    assert (found.dtype, found.shape) == (np.uint8, (256, *shape))
    assert (found == greys).all()


@pytest.mark.parametrize(("start", "end"), [(28, 32), (32, 28), (28, 9), (6, 28)])
def test_sizes_are_pillow_s_bilinear_ones(start: int, end: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, start, start, 1), np.uint8)
    expected = [Image.fromarray(of[..., 0]).resize((end, end), Image.Resampling.BILINEAR) for of in images]
    found = in_shape(images, (end, end, 1))[..., 0].astype(int)
    assert np.abs(found - np.stack(expected)).max() <= 1  # both round, Pillow twice
    assert abs(found.mean() - images.mean()) < 0.4  # 0.18


def test_a_smooth_image_comes_back_from_another_size() -> None:
    images = smooth(28)
    back = in_shape(in_shape(images, (32, 32, 3)), (28, 28, 1))
    assert np.abs(back.astype(int) - images).max() <= 1
    assert np.abs(back.astype(int) - images).mean() < 0.3  # 0.21


def test_grey_is_repeated_and_colours_are_weighed_by_their_luma() -> None:
    grey = smooth(28)
    repeated = in_shape(grey, (28, 28, 3))
    np.testing.assert_array_equal(repeated, np.repeat(grey, 3, 3))
    np.testing.assert_array_equal(in_shape(repeated, (28, 28, 1)), grey)
    colours = 255 * np.eye(3)[:, None, None]  # red, green, blue
    found = in_shape(np.tile(colours.astype(np.uint8), (1, 5, 4, 1)), (5, 4, 1))
    assert [np.unique(of).tolist() for of in found] == [[76], [150], [29]]
    pictures = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), np.uint8)
    expected = np.stack([np.asarray(Image.fromarray(of).convert("L")) for of in pictures])
    assert np.abs(in_shape(pictures, (9, 9, 1))[..., 0].astype(int) - expected).max() <= 1


def test_the_order_of_the_images_and_their_sides_are_kept() -> None:
    images, _ = small_arrays(5)
    alone = np.concatenate([in_shape(of[None], (9, 12, 3)) for of in images])
    np.testing.assert_array_equal(in_shape(images, (9, 12, 3)), alone)
    wide = np.zeros((1, 28, 28, 1), np.uint8)
    wide[:, :, 14:] = 255
    found = in_shape(wide, (4, 32, 1))[0, ..., 0]
    assert (found[:, :15] == 0).all()
    assert (found[:, 17:] == 255).all()


@pytest.mark.parametrize(("given", "wanted"), [(4, 3), (3, 2)])
def test_other_numbers_of_channels_are_refused(given: int, wanted: int) -> None:
    with pytest.raises(ValueError, match=rf"{given} channels do not become {wanted}\. Give 1 or 3"):
        in_shape(np.zeros((1, 4, 4, given), np.uint8), (4, 4, wanted))


@pytest.mark.parametrize(
    ("images", "shape", "message"),
    [
        (np.full((2, 4, 4, 1), 0.5), (4, 4, 1), r"images are float64\. Give uint8"),
        (np.full((2, 4, 4, 1), 99), (4, 4, 1), r"images are int64\. Give uint8"),
        (np.zeros((2, 4, 4), np.uint8), (4, 4, 1), r"images \(2, 4, 4\) do not go in the shape"),
        (np.zeros((2, 4, 4, 1), np.uint8), (16,), r"in the shape \(16,\)"),
        (np.zeros((2, 4, 4, 1), np.uint8), (0, 4, 1), r"in the shape \(0, 4, 1\)"),
    ],
)
def test_what_is_not_images_of_bytes_is_refused(images: np.ndarray, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        in_shape(images, shape)


def test_noise_is_uniform_and_always_the_same() -> None:
    found = noise(100, (8, 8, 3))
    assert (found.dtype, found.shape) == (np.uint8, (100, 8, 8, 3))
    np.testing.assert_array_equal(found, noise(100, (8, 8, 3)))
    assert stats.chisquare(np.bincount(found.ravel(), minlength=256)).pvalue > 0.01
    one, other = found.reshape(100, -1)[:-1].ravel(), found.reshape(100, -1)[1:].ravel()
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / np.sqrt(one.size)
