"""Images in class sub-folders: decoded as by Pillow, kept until a file changes, and divided by class."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from jaxdeep import Data, Dataset, UserError
from jaxdeep.data import image_folder
from jaxdeep.data.image_folder import read_folder, read_images

DATA = Data(valid_size=10, scaling="none")


@pytest.fixture
def here(monkeypatch, tmp_path) -> Path:
    """A folder with 25 cats and 25 dogs of 6 x 4 pixels, and an empty cache."""
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for index in range(25):
            Image.fromarray(rng.integers(0, 256, (6, 4, 3), np.uint8)).save(tmp_path / "pets" / name / f"{index}.png")
    return tmp_path / "pets"


def refuse_to_decode(*given: Any) -> np.ndarray:
    raise AssertionError("decoded again")


def test_images_are_those_of_pillow(here) -> None:
    found = read_folder(here)
    paths = sorted(here.rglob("*.png"))
    np.testing.assert_array_equal(found.images, [np.asarray(Image.open(path)) for path in paths])
    assert found.labels.tolist() == [path.parent.name for path in paths]


def test_they_are_decoded_once_until_a_file_or_the_size_changes(here, monkeypatch) -> None:
    first = read_folder(here).images
    with monkeypatch.context() as patched:
        patched.setattr(image_folder, "_decoded", refuse_to_decode)
        np.testing.assert_array_equal(read_folder(here).images, first)
        with pytest.raises(AssertionError, match="decoded again"):
            read_folder(here, (3, 2))
    Image.fromarray(np.zeros((6, 4, 3), np.uint8)).save(here / "cats" / "0.png")
    assert not read_folder(here).images[0].any()


def test_sizes_channels_and_orientation_become_equal(here) -> None:
    turned = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    turned.save(here / "cats" / "00.png", exif=exif)
    found = read_folder(here)
    assert found.images.shape == (51, 6, 4, 3)
    grey = np.asarray(turned.transpose(Image.Transpose.ROTATE_270))
    shown = read_images([here / "cats" / "00.png"], (6, 4, 1))[0, :, :, 0]
    np.testing.assert_array_equal(shown, grey)
    assert read_images([here / "cats" / "0.png"], (3, 8, 1)).shape == (1, 3, 8, 1)


def test_grey_images_have_one_channel(here) -> None:
    for path in here.rglob("*.png"):
        Image.open(path).convert("L").save(path)
    assert read_folder(here, (5, 5)).images.shape == (50, 5, 5, 1)


def test_a_data_set_has_every_image_once_and_each_class_in_its_share(here) -> None:
    dataset = Dataset.from_folder(here, data=DATA)
    parts = (dataset.train, dataset.valid, dataset.test)
    assert [np.bincount(part.own_labels).tolist() for part in parts] == [[15, 15], [5, 5], [5, 5]]
    assert dataset.image_shape == (6, 4, 3)
    assert dataset.info is not None
    assert (dataset.info.name, dataset.info.source) == ("pets", "image folder")
    assert dataset.info.class_names == ("cats", "dogs")
    everything = np.concatenate([part.own_images for part in parts])
    labels = np.concatenate([part.own_labels for part in parts])
    expected = {image.tobytes(): label for image, label in zip(*read_folder(here), strict=True)}
    assert len(expected) == 50
    names = np.array(dataset.info.class_names)[labels]
    assert {image.tobytes(): name for image, name in zip(everything, names, strict=True)} == expected
    assert Dataset.from_folder(here, data=DATA, split_seed=1).identity() != dataset.identity()


def test_a_data_set_decodes_new_images_as_its_own(here) -> None:
    dataset = Dataset.from_folder(here, data=DATA, size=(3, 2))
    paths = [here / "dogs" / "4.png", here / "cats" / "2.png"]
    np.testing.assert_array_equal(dataset.read_images(paths), read_images(paths, (3, 2, 3)))
    rows = np.arange(200.0).reshape(50, 4)
    with pytest.raises(UserError, match="rows have the shape"):
        Dataset.from_arrays(rows, np.arange(50) % 2, data=DATA).read_images(paths)


def test_a_folder_of_its_own_is_the_test_part(here) -> None:
    dataset = Dataset.from_folder(here, data=DATA, size=(3, 3), test=here)
    assert [part.size for part in (dataset.train, dataset.valid, dataset.test)] == [40, 10, 50]
    assert dataset.image_shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "cats" / "3.png").write_bytes(b"no image"), r"cats.3.png: cannot be decoded"),
        (lambda folder: (folder / "birds").mkdir(), r"birds has no image"),
        (lambda folder: folder.rename(folder.parent / "gone"), r"pets cannot be read \(No such file or directory\)"),
        (lambda folder: (folder / "dogs").rename(folder.parent / "dogs"), r"has the sub-folders cats. Give a folder"),
    ],
)
def test_what_cannot_be_read_is_one_line(here, change: Callable[[Path], object], message: str) -> None:
    change(here)
    with pytest.raises(UserError, match=rf"\A.*{message}.*\Z"):
        Dataset.from_folder(here, data=DATA)


@pytest.mark.parametrize("size", [(0, 4), (4,), "big", 8, (4.5, 4)])
def test_a_size_that_is_none_is_refused(here, size: Any) -> None:
    with pytest.raises(UserError, match="Give height and width in pixels"):
        Dataset.from_folder(here, data=DATA, size=size)
